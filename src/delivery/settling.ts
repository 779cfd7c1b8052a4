/*
 * What follows the outcomes of a round: work on the disk that the next round waits for, within reason.
 */

import type { Clock } from "../clock.ts";

/** How long a lane waits for it, in ms: a disk is faster, unless a file is held. */
const PATIENCE_MS = 1_000;

/** So much of it ends a round: the disk may be slower than the network. */
const MOST = 64;

export class Settling {
  readonly #running = new Set<Promise<void>>();

  /** @param work must not reject */
  add(work: Promise<void>): void {
    const running = work.then(() => {
      this.#running.delete(running);
    });
    this.#running.add(running);
  }

  get full(): boolean {
    return this.#running.size >= MOST;
  }

  /**
   * Waits until all of it is done; no longer than a second, so that a file which another program holds does not hold up
   * the others.
   */
  async wait(clock: Clock): Promise<void> {
    if (this.#running.size === 0) return;
    const enough = Promise.withResolvers<void>();
    const cancel = clock.after(PATIENCE_MS, enough.resolve);
    await Promise.race([this.done(), enough.promise]);
    cancel();
  }

  /** All of it, however long it takes. */
  async done(): Promise<void> {
    await Promise.all(this.#running);
  }
}
