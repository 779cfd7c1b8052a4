/*
 * Which cases are measured with which load. Pure.
 */

import type { Case, SubjectName, Work } from "./cases.ts";
import type { Kind } from "./load.ts";

/** The cases of a load. */
export function casesOf(load: Kind): Case[] {
  switch (load) {
    case "slices":
    case "small":
      return [
        sync(),
        ...[1, 4, 16].flatMap((senders) => [
          straight(senders),
          one("forwarder", "receive", { senders }),
          one("storescp", "receive", { senders }),
          one("dcmjs-dimse", "receive", { senders }),
          one("forwarder", "end-to-end", { senders }),
        ]),
        one("forwarder", "forward"),
        one("forwarder", "forward", { destinations: 3 }),
        one("forwarder", "end-to-end", { destinations: 3 }),
        one("orthanc", "receive"),
        one("orthanc", "end-to-end"),
      ];
    case "long":
      return [
        sync(),
        straight(1),
        one("forwarder", "receive"),
        one("forwarder", "receive", { senders: 4 }),
        one("storescp", "receive"),
        one("dcmjs-dimse", "receive"),
        one("forwarder", "forward"),
        one("forwarder", "end-to-end"),
        one("forwarder", "end-to-end", { senders: 4 }),
        one("orthanc", "end-to-end"),
      ];
    case "mixed":
      return [
        sync(),
        straight(1),
        straight(4),
        one("forwarder", "receive"),
        one("forwarder", "receive", { senders: 4 }),
        one("storescp", "receive"),
        one("storescp", "receive", { senders: 4 }),
        one("dcmjs-dimse", "receive"),
        one("forwarder", "end-to-end"),
        one("forwarder", "end-to-end", { senders: 4, destinations: 3 }),
        one("orthanc", "end-to-end"),
      ];
  }
}

function sync(): Case {
  return { subject: "sync", work: "floor", senders: 1, destinations: 1 };
}

function straight(senders: number): Case {
  return { subject: "straight", work: "floor", senders, destinations: 1 };
}

function one(
  subject: SubjectName,
  work: Work,
  { senders = 1, destinations = 1 }: Partial<Pick<Case, "senders" | "destinations">> = {},
): Case {
  return { subject, work, senders, destinations };
}
