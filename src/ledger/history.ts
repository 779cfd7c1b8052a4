/*
 * What became of the instances of one study: the answer to "did you send it?".
 *
 * Reads the ledger and the spool and changes neither. What the ledger says was delivered was answered by the destination;
 * for the rest the spool says where it waits.
 */

import type { FileSystem } from "../spool/file_system.ts";
import { whereabouts } from "../spool/inspect.ts";
import type { Accepted, Delivered, LedgerEvent } from "./event.ts";
import { readLedger } from "./files.ts";

/** How an instance stands with one destination. */
export interface Standing {
  readonly destination: string;
  readonly state: "delivered" | "queued" | "failed" | "held" | "corrupt" | "removed" | "missing";
  /** The first delivery, where it was delivered. */
  readonly delivery: Delivered | undefined;
  /** Why it failed, the last time it did; who holds it; why it is corrupt. */
  readonly reason: string | undefined;
}

/** One instance, all it was received as and all that became of it. */
export interface History {
  readonly accepted: Accepted;
  readonly standings: readonly Standing[];
  /** Every event of it, in the order written. */
  readonly events: readonly LedgerEvent[];
}

/** Looks at what seems to be nowhere while a forwarder moves it about, and the time between two, in ms. */
const LOOKS = 3;
const BETWEEN_LOOKS_MS = 250;

/**
 * The instances of a study, or the one SOP instance of that UID (each time it was received), in the order received.
 *
 * @throws what the file system throws
 */
export async function historyOf(
  files: FileSystem,
  directories: { readonly ledger: string; readonly spool: string },
  uid: string,
  pause: (ms: number) => Promise<void>,
): Promise<History[]> {
  for (let look = 1;; look++) {
    const histories = await lookOnce(files, directories, uid);
    const missing = histories.some(({ standings }) =>
      standings.some((one) => one.state === "missing")
    );
    if (!missing || look === LOOKS) return histories;
    await pause(BETWEEN_LOOKS_MS);
  }
}

async function lookOnce(
  files: FileSystem,
  directories: { readonly ledger: string; readonly spool: string },
  uid: string,
): Promise<History[]> {
  const accepted = new Map<string, Accepted>();
  await readLedger(files, directories.ledger, (event) => {
    if (event.event !== "accepted" || (event.study !== uid && event.sop !== uid)) return;
    // The first one counts: another one is the same line, written anew, or found by a start.
    if (!accepted.has(event.id)) accepted.set(event.id, event);
  });
  const events = new Map<string, LedgerEvent[]>();
  await readLedger(files, directories.ledger, (event) => {
    if (!accepted.has(event.id)) return;
    const known = events.get(event.id);
    if (known === undefined) events.set(event.id, [event]);
    else known.push(event);
  });
  const places = new Map<string, Standing["state"]>();
  for (const { id, destination, state } of whereabouts(files, directories.spool)) {
    if (accepted.has(id)) places.set(`${id} ${destination ?? "*"}`, state);
  }
  return [...accepted.values()]
    .sort((a, b) => receivedAt(a) < receivedAt(b) ? -1 : 1)
    .map((one) => {
      const own = withoutRepeats(events.get(one.id) ?? []);
      return { accepted: one, standings: standingsOf(one.id, own, places), events: own };
    });
}

/** When an instance was received, ISO 8601. */
export function receivedAt(accepted: Accepted): string {
  return accepted.received ?? accepted.at;
}

/** Lines of a batch that was written anew come twice, to the letter. */
function withoutRepeats(events: readonly LedgerEvent[]): LedgerEvent[] {
  const seen = new Set<string>();
  return events.filter((event) => {
    const text = JSON.stringify(event);
    if (seen.has(text)) return false;
    seen.add(text);
    return true;
  });
}

function standingsOf(
  id: string,
  events: readonly LedgerEvent[],
  places: ReadonlyMap<string, Standing["state"]>,
): Standing[] {
  const destinations = new Set<string>();
  for (const event of events) {
    switch (event.event) {
      case "accepted":
        for (const destination of event.for) destinations.add(destination);
        break;
      case "retried":
        // Routed anew: it is no more one for which there was no destination.
        if (!event.for.includes(event.of)) destinations.delete(event.of);
        for (const destination of event.for) destinations.add(destination);
        break;
      case "delivered":
        destinations.add(event.to);
    }
  }
  return [...destinations].map((destination) => {
    const delivery = events.find((event): event is Delivered =>
      event.event === "delivered" && event.to === destination
    );
    const removed = events.some((event) => event.event === "removed" && event.to === destination);
    const place = places.get(`${id} ${destination}`) ?? places.get(`${id} *`);
    const state = delivery !== undefined ? "delivered" : place ?? (removed ? "removed" : "missing");
    return {
      destination,
      state,
      delivery,
      reason: reasonOf(state, destination, events),
    };
  });
}

function reasonOf(
  state: Standing["state"],
  destination: string,
  events: readonly LedgerEvent[],
): string | undefined {
  const last = events.findLast((event) =>
    event.event === state &&
    (event.event === "corrupt" || ("to" in event && event.to === destination))
  );
  if (last?.event === "held") return last.who === undefined ? undefined : `by ${last.who}`;
  return last?.event === "failed" || last?.event === "corrupt" ? last.reason : undefined;
}
