/*
 * Looks at the forwarder, one after the other and with pauses: whoever asks in a loop, on however many connections, takes a
 * bounded part of the time in which images are received and sent.
 */

import type { Clock } from "../clock.ts";

/** A look is followed by a pause of so many times what it took, */
const PAUSE_TIMES = 2;
/** and of so many ms at most. */
const LONGEST_PAUSE_MS = 500;

export class Turns {
  readonly #clock: Clock;
  readonly #elapsed: () => number;
  #free: Promise<void> = Promise.resolve();

  /** @param elapsed a clock for durations, ms */
  constructor(clock: Clock, elapsed: () => number = () => performance.now()) {
    this.#clock = clock;
    this.#elapsed = elapsed;
  }

  /** Runs when those before have, and their pauses are over. Rejects with what `run` rejects with. */
  async take<T>(run: () => T | Promise<T>): Promise<T> {
    const before = this.#free;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#free = promise;
    await before;
    const began = this.#elapsed();
    try {
      return await run();
    } finally {
      const pause = Math.min(LONGEST_PAUSE_MS, PAUSE_TIMES * (this.#elapsed() - began));
      this.#clock.after(pause, resolve);
    }
  }
}
