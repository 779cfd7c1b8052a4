/*
 * What delivery tells the ledger, from what delivery knows. Pure.
 */

import type { Delivered, Failed, Untimed } from "../ledger/event.ts";
import type { Entry } from "../spool/entry.ts";
import type { Receipt } from "./outcome.ts";

export function deliveredEvent(
  entry: Entry,
  destination: string,
  { answer, status, association }: Receipt,
): Untimed<Delivered> {
  return {
    event: "delivered",
    id: entry.base,
    to: destination,
    sop: entry.sopInstanceUid,
    ...(status === undefined ? {} : { status: status.toString(16).padStart(4, "0") }),
    answer,
    ...(association === undefined ? {} : { association }),
  };
}

export function failedEvent(
  entry: Entry,
  destination: string,
  why: { readonly kind: string; readonly reason: string; readonly tries: number },
): Untimed<Failed> {
  return { event: "failed", id: entry.base, to: destination, ...why };
}
