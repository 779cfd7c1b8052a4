/*
 * One timer for the next thing due, set anew whenever that changes.
 */

import type { Clock } from "../clock.ts";

export class DueTimer {
  readonly #clock: Clock;
  readonly #due: () => void;
  #cancel: (() => void) | undefined;
  #at = Infinity;

  constructor(clock: Clock, due: () => void) {
    this.#clock = clock;
    this.#due = due;
  }

  /**
   * Calls back at a time, and at no other that was set before.
   *
   * @param at ms since 1970; Infinity = not at all
   */
  set(at: number, now: number): void {
    if (at === this.#at) return;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#at = at;
    if (at === Infinity) return;
    this.#cancel = this.#clock.after(Math.max(0, at - now), () => {
      this.#at = Infinity;
      this.#cancel = undefined;
      this.#due();
    });
  }
}
