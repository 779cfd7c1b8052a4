/*
 * Studies that are held back until no new instance has come for a while (`forward_immediately: false`).
 *
 * Owns the studies held and the one timer for the next that falls quiet. Nothing of it needs to survive: the names in the
 * spool say when each instance came, so a start holds the same studies again.
 */

import type { Clock } from "../clock.ts";
import type { Entry } from "../spool/entry.ts";
import { studyOf } from "../spool/entry_name.ts";

interface Held {
  readonly entries: Entry[];
  /** ms since 1970 */
  lastReceivedMs: number;
}

export class StudyHold {
  #quietMs: number;
  readonly #clock: Clock;
  readonly #release: (entries: readonly Entry[]) => void;
  readonly #studies = new Map<string, Held>();
  #cancel: (() => void) | undefined;

  /** @param release told of all entries of a study when it has fallen quiet */
  constructor(quietMs: number, clock: Clock, release: (entries: readonly Entry[]) => void) {
    this.#quietMs = quietMs;
    this.#clock = clock;
    this.#release = release;
  }

  /** Entries held. */
  get length(): number {
    let length = 0;
    for (const { entries } of this.#studies.values()) {
      for (const { queued } of entries) length += Number(queued);
    }
    return length;
  }

  /** Entries held, of all studies. */
  *entries(): Generator<Entry, void> {
    for (const { entries } of this.#studies.values()) yield* entries;
  }

  /** Holds studies for another time, those that are held already included. */
  waitFor(quietMs: number): void {
    this.#quietMs = quietMs;
    this.#cancel?.();
    this.#look();
  }

  add(entry: Entry): void {
    const study = studyOf(entry.base);
    const held = this.#studies.get(study);
    // A clock that was set back must not keep a study waiting for longer than the quiet time.
    const received = Math.min(entry.receivedMs, this.#clock.now());
    if (held === undefined) {
      this.#studies.set(study, { entries: [entry], lastReceivedMs: received });
    } else {
      held.entries.push(entry);
      held.lastReceivedMs = Math.max(held.lastReceivedMs, received);
    }
    this.#cancel ??= this.#clock.after(this.#quietMs, () => this.#look());
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** Releases everything at once. */
  releaseAll(): void {
    this.stop();
    const studies = [...this.#studies.values()];
    this.#studies.clear();
    for (const { entries } of studies) this.#release(entries);
  }

  #look(): void {
    this.#cancel = undefined;
    const now = this.#clock.now();
    let next = Infinity;
    for (const [study, held] of this.#studies) {
      // The clock may have been set back since: what came "later" than now came just now.
      held.lastReceivedMs = Math.min(held.lastReceivedMs, now);
      const due = held.lastReceivedMs + this.#quietMs;
      if (due <= now) {
        this.#studies.delete(study);
        this.#release(held.entries);
      } else next = Math.min(next, due);
    }
    if (next < Infinity) {
      this.#cancel = this.#clock.after(Math.max(10, next - now), () => this.#look());
    }
  }
}
