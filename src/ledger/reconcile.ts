/*
 * The ledger held against the spool: accepted = delivered + removed + queued + failed + held + corrupt + missing, for
 * each destination.
 *
 * Reads both and changes neither. A forwarder may be at work meanwhile: what seems to be missing is looked for again, in
 * what the ledger says since and where the spool has moved it, before it is called so.
 */

import type { FileSystem } from "../spool/file_system.ts";
import { type Whereabouts, whereabouts } from "../spool/inspect.ts";
import { Account, type Tally } from "./account.ts";
import type { Accepted, AccountEvent } from "./event.ts";
import { ledgerFiles, readForAccount, readLedger } from "./files.ts";

/** Looks taken at what seems to be missing, and the time between two, in ms. */
const LOOKS = 4;
const BETWEEN_LOOKS_MS = 250;

/** Names listed in one go while others wait for their turn. */
const NAMES_AT_ONCE = 2000;

/** One destination's side of the balance: pairs of it and an instance. */
export interface DestinationBalance extends Tally {
  queued: number;
  failed: number;
  /** Held back by a person. */
  held: number;
  corrupt: number;
  missing: number;
}

/** A pair that was accepted, never closed, and is nowhere in the spool. */
export interface Missing {
  readonly id: string;
  readonly destination: string;
  /** What the ledger said when the instance was received. */
  readonly accepted: Accepted | undefined;
}

export interface Balance {
  readonly destinations: ReadonlyMap<string, DestinationBalance>;
  readonly missing: readonly Missing[];
  /** Lines that could not be read: cut short by a crash, or damaged. */
  readonly unreadable: number;
  /** The ledger's files. */
  readonly files: readonly string[];
}

export interface ReconcileOptions {
  readonly spoolDirectory: string;
  readonly ledgerDirectory: string;
  /** Waits so many ms. */
  readonly pause: (ms: number) => Promise<void>;
  /** Where a pair that is accepted is known to be: it is not looked for, and costs no memory. */
  readonly there?: (id: string, destination: string) => "queued" | "failed" | "held" | undefined;
  /** Told of each line, beside the account. */
  readonly seen?: (event: AccountEvent) => void;
  readonly signal?: AbortSignal;
}

/**
 * Strikes the balance.
 *
 * @throws what the file system throws, or the signal's reason
 */
export async function reconcile(files: FileSystem, options: ReconcileOptions): Promise<Balance> {
  const { ledgerDirectory, signal, seen, there = () => undefined } = options;
  const account = new Account();
  const found = new Map<string, DestinationBalance>();
  const balanceOf = (destination: string) => {
    let balance = found.get(destination);
    if (balance === undefined) {
      const tally = account.tallies.get(destination);
      balance = { ...NO_TALLY, ...tally, queued: 0, failed: 0, held: 0, corrupt: 0, missing: 0 };
      found.set(destination, balance);
    }
    return balance;
  };
  const take = (event: AccountEvent) => {
    if (event.event === "accepted") {
      const open: string[] = [];
      for (const destination of event.for) {
        const state = there(event.id, destination);
        if (state === undefined) open.push(destination);
        else {
          account.countAccepted(destination);
          balanceOf(destination)[state]++;
        }
      }
      if (open.length > 0) account.take({ event: event.event, id: event.id, for: open });
    } else account.take(event);
    seen?.(event);
  };
  const reading = await readForAccount(files, ledgerDirectory, take, undefined, signal);
  const look = async (places: Iterable<Whereabouts>) => {
    let names = 0;
    for (const { id, destination, state } of places) {
      const open = account.open.get(id) ?? [];
      for (const one of destination === undefined ? open : [destination]) {
        if (account.close(id, one)) balanceOf(one)[state]++;
      }
      if (++names % NAMES_AT_ONCE === 0) {
        await options.pause(0);
        signal?.throwIfAborted();
      }
    }
  };
  for (const destination of account.tallies.keys()) balanceOf(destination);
  if (account.open.size > 0) await look(whereabouts(files, options.spoolDirectory));
  let place = reading.place;
  for (let n = 1; account.open.size > 0 && n < LOOKS; n++) {
    await options.pause(BETWEEN_LOOKS_MS);
    const since = await readForAccount(
      files,
      ledgerDirectory,
      // What is new since is another balance's.
      (event) => {
        if (account.open.has(event.id) && event.event !== "accepted") take(event);
      },
      place,
      signal,
    );
    place = since.place;
    await look(whereabouts(files, options.spoolDirectory));
  }
  for (const [destination, tally] of account.tallies) Object.assign(balanceOf(destination), tally);
  for (const destinations of account.open.values()) {
    for (const destination of destinations) balanceOf(destination).missing++;
  }
  return {
    destinations: found,
    missing: await describe(files, ledgerDirectory, account.open),
    unreadable: reading.unreadable,
    files: ledgerFiles(files, ledgerDirectory),
  };
}

const NO_TALLY: Tally = { accepted: 0, delivered: 0, removed: 0, settled: 0 };

/** The names of what is missing, for a person: a second reading, which only happens where there are any. */
async function describe(
  files: FileSystem,
  ledgerDirectory: string,
  open: ReadonlyMap<string, readonly string[]>,
): Promise<Missing[]> {
  if (open.size === 0) return [];
  const accepted = new Map<string, Accepted>();
  await readLedger(files, ledgerDirectory, (event) => {
    if (event.event === "accepted" && open.has(event.id)) accepted.set(event.id, event);
  });
  const missing: Missing[] = [];
  for (const [id, destinations] of open) {
    for (const destination of destinations) {
      missing.push({ id, destination, accepted: accepted.get(id) });
    }
  }
  return missing;
}
