/*
 * A clock that stands still until a test lets time go by.
 */

import { setImmediate } from "node:timers/promises";
import type { Clock } from "../../src/clock.ts";

export class FakeClock implements Clock {
  #now: number;
  #timers: { at: number; callback: () => void }[] = [];
  /** What was set back by hand: `now` and the timers then differ, as on a machine whose time is corrected. */
  #offset = 0;

  constructor(now = 1_763_900_000_000) {
    this.#now = now;
  }

  now(): number {
    return this.#now + this.#offset;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), callback };
    this.#timers.push(timer);
    return () => this.#timers = this.#timers.filter((each) => each !== timer);
  }

  /** Timers that wait. */
  get waiting(): number {
    return this.#timers.length;
  }

  /** Sets what `now` says, forward or back, without a timer noticing. */
  correct(ms: number): void {
    this.#offset += ms;
  }

  /**
   * Lets time go by: timers go off in order, each at its time, and what they start is done before time goes on.
   *
   * @param ms how long
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settled();
    for (;;) {
      let next: { at: number; callback: () => void } | undefined;
      for (const timer of this.#timers) {
        if (timer.at <= end && (next === undefined || timer.at < next.at)) next = timer;
      }
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
      await settled();
    }
    this.#now = end;
    await settled();
  }
}

/** Resolves when everything that was ready to run has run: promises are settled before the next turn begins. */
export async function settled(): Promise<void> {
  await setImmediate();
  await setImmediate();
}
