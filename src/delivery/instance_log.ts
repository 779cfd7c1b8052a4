/*
 * What the log says of one instance at one destination: a line each for delivered, not taken, given up.
 */

import { getLog } from "../log.ts";
import type { Entry } from "../spool/entry.ts";
import type { Destination } from "./outcome.ts";

const log = getLog("delivery");

export function tellDelivered(
  { name, deed }: Pick<Destination, "name" | "deed">,
  entry: Entry,
  answer: string,
  warning: boolean,
): void {
  const properties = {
    destination: name,
    sop: entry.sopInstanceUid,
    answer,
    entry: entry.base,
  };
  if (warning) log.warn(`${deed}, with a warning`, properties);
  else log.info(deed, properties);
}

/** @param delayMs until it is tried again */
export function tellNotTaken(
  destination: string,
  entry: Entry,
  reason: string,
  tries: number,
  delayMs: number,
): void {
  log.warn("Instance not taken, will be tried again: {reason}", {
    reason,
    destination,
    sop: entry.sopInstanceUid,
    entry: entry.base,
    tries,
    inSeconds: Math.round(delayMs / 1000),
  });
}

export function tellNotAuthorised(destination: string, entry: Entry, reason: string): void {
  log.warn("Instance not authorised, will be tried again: {reason}", {
    reason,
    destination,
    sop: entry.sopInstanceUid,
    entry: entry.base,
  });
}

export function tellGone(destination: string, entry: Entry): void {
  log.warn("Instance is no longer wanted here: it was removed from the queue by hand", {
    destination,
    entry: entry.base,
  });
}

export function tellGivenUp(
  destination: string,
  entry: Entry,
  reason: string,
  tries: number,
): void {
  log.error("Instance given up and kept in failed/: {reason}", {
    reason,
    destination,
    sop: entry.sopInstanceUid,
    entry: entry.base,
    tries,
  });
}
