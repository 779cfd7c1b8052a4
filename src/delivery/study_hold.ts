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
  readonly #quietMs: number;
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

  /** Releases some before their study is quiet: those of these that are held. */
  hurry(entries: ReadonlySet<Entry>): void {
    const hurried: Entry[] = [];
    const studies = new Set([...entries].map((entry) => studyOf(entry.base)));
    for (const study of studies) {
      const held = this.#studies.get(study);
      if (held === undefined) continue;
      const left: Entry[] = [];
      for (const entry of held.entries) (entries.has(entry) ? hurried : left).push(entry);
      if (left.length === 0) this.#studies.delete(study);
      else this.#studies.set(study, { ...held, entries: left });
    }
    if (hurried.length > 0) this.#release(hurried);
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
