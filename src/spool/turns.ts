/*
 * Long work that leaves others their turn.
 */

import type { Clock } from "../clock.ts";

/** Worked on in one go, in ms. */
const AT_ONCE_MS = 5;

export class Turns {
  readonly #after: Clock["after"];
  #began = performance.now();

  constructor(after: Clock["after"]) {
    this.#after = after;
  }

  /** Call it before each piece: it waits for a turn of the event loop where a few milliseconds were worked. */
  share(): void | Promise<void> {
    if (performance.now() - this.#began < AT_ONCE_MS) return;
    return new Promise((resolve) =>
      void this.#after(0, () => {
        this.#began = performance.now();
        resolve();
      })
    );
  }
}
