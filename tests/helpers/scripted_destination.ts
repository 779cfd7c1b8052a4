/*
 * A destination in memory whose answers a test scripts, and entries without files for it.
 */

import {
  type Destination,
  DestinationError,
  type Outcome,
  type Report,
  type Session,
} from "../../src/delivery/outcome.ts";
import { Entry } from "../../src/spool/entry.ts";
import type { FailureReason } from "../../src/spool/failed.ts";
import type { Spool } from "../../src/spool/spool.ts";

export const DELIVERED: Outcome = { kind: "delivered", answer: "Success (0000)", warning: false };

export class ScriptedDestination implements Destination {
  readonly name: string;
  description = "a script";
  readonly deed = "Instance forwarded";
  readonly waitsForStudy = false;
  sessions = 1;
  batch = 4;
  idleMs = 10_000;
  retryAttempts = 3;
  /** Why it cannot be opened now; undefined where it can. */
  unreachable: DestinationError | undefined;
  /** What is said to an instance. */
  answer: (entry: Entry) => Outcome | Promise<Outcome> = () => DELIVERED;
  /** ms since 1970 of each attempt to open it, by the clock given. */
  readonly opened: number[] = [];
  /** Bases attempted, in order. */
  readonly attempted: string[] = [];
  readonly delivered: string[] = [];
  openNow = 0;
  mostOpen = 0;
  closed = 0;
  readonly #now: () => number;

  constructor(name: string, now: () => number) {
    this.name = name;
    this.#now = now;
  }

  open(): Promise<Session> {
    this.opened.push(this.#now());
    if (this.unreachable !== undefined) return Promise.reject(this.unreachable);
    this.openNow++;
    this.mostOpen = Math.max(this.mostOpen, this.openNow);
    return Promise.resolve(new ScriptedSession(this));
  }
}

class ScriptedSession implements Session {
  usable = true;
  readonly #aborted = Promise.withResolvers<Outcome>();
  readonly #destination: ScriptedDestination;

  constructor(destination: ScriptedDestination) {
    this.#destination = destination;
  }

  async deliver(batch: Iterable<Entry>, report: Report, signal: AbortSignal): Promise<void> {
    for (const entry of batch) {
      if (signal.aborted || !this.usable) return;
      this.#destination.attempted.push(entry.base);
      const outcome = await Promise.race([this.#destination.answer(entry), this.#aborted.promise]);
      if (outcome.kind === "delivered") this.#destination.delivered.push(entry.base);
      if (["interrupted", "protocol-error", "not-an-answer", "reopen"].includes(outcome.kind)) {
        this.usable = false;
      }
      report(entry, outcome);
    }
  }

  close(): Promise<void> {
    this.#destination.openNow--;
    this.#destination.closed++;
    this.usable = false;
    return Promise.resolve();
  }

  abort(): Promise<void> {
    this.usable = false;
    this.#aborted.resolve({ kind: "interrupted", reason: "aborted" });
    return Promise.resolve();
  }
}

/** The spool as delivery uses it, without a disk. */
export class MemorySpool {
  readonly failed: { base: string; destination: string; reason: FailureReason }[] = [];
  readonly aside: string[] = [];
  /** Thrown by the next `fail`, if any. */
  failure: Error | undefined;

  delivered(entry: Entry, destination: string): void {
    entry.waiting = entry.waiting.filter((one) => one.destination !== destination);
    if (entry.waiting.length === 0) entry.queued = false;
  }

  countTry(entry: Entry, destination: string): number {
    if (!entry.waiting.some((one) => one.destination === destination)) return 0;
    const tries = entry.triesOf(destination) + 1;
    entry.waiting = entry.waiting.map((one) =>
      one.destination === destination ? { destination, tries } : one
    );
    return tries;
  }

  fail(entry: Entry, destination: string, reason: FailureReason): Promise<boolean> {
    if (this.failure !== undefined) {
      const failure = this.failure;
      this.failure = undefined;
      return Promise.reject(failure);
    }
    this.failed.push({ base: entry.base, destination, reason });
    this.delivered(entry, destination);
    return Promise.resolve(true);
  }

  setAside(entry: Entry): void {
    this.aside.push(entry.base);
    entry.queued = false;
    entry.waiting = [];
  }

  asSpool(): Spool {
    return this as unknown as Spool;
  }
}

/** An entry without a file. */
export function entry(
  base: string,
  destinations: readonly string[] = ["pacs"],
): Entry {
  const waiting = destinations.map((destination) => ({ destination, tries: 0 }));
  return new Entry(base, waiting, `/nowhere/${base}`);
}

export function entries(count: number, destinations: readonly string[] = ["pacs"]): Entry[] {
  return Array.from({ length: count }, (_, n) => entry(`e${n}`, destinations));
}

export const DOWN = new DestinationError("unreachable", "10.0.0.1:104 refused the connection");
