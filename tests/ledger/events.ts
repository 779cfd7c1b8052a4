/*
 * Events for tests.
 */

import type { Accepted, Delivered } from "../../src/ledger/event.ts";

export const ID = "1763900000000-000001-884863d2-1a2b3c4d";
export const AT = "2026-01-15T10:00:00.000Z";

export function accepted(id: string, destinations: readonly string[]): Accepted {
  return {
    event: "accepted",
    id,
    at: AT,
    sop: "1.2.3.4",
    class: "1.2.840.10008.5.1.4.1.1.2",
    syntax: "1.2.840.10008.1.2.1",
    study: "1.2.3",
    from: "MODALITY",
    peer: "127.0.0.1:50000",
    bytes: 100,
    crc32: "1a2b3c4d",
    for: destinations,
  };
}

export function delivered(id: string, to: string): Delivered {
  return {
    event: "delivered",
    id,
    at: AT,
    to,
    sop: "1.2.3.4",
    status: "0000",
    answer: "Success (0000)",
    association: "US to THEM at 127.0.0.1:104 since 2026-01-15T09:59:00.000Z",
  };
}
