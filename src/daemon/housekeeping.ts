/*
 * What is done every so often while the forwarder runs: one task after the other, never two at a time. A task that fails is
 * logged, once for each reason, and tried again when its time comes.
 */

import { getLog } from "../log.ts";

const log = getLog("daemon");

export class Housekeeping {
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  #last: Promise<void> = Promise.resolve();

  /** @param ms between two runs */
  every(ms: number, task: () => Promise<void>): void {
    // What goes on failing each second is told once.
    let trouble = "";
    this.#timers.push(setInterval(() => {
      this.#last = this.#last.then(task).then(
        () => void (trouble = ""),
        (error) => {
          if (String(error) !== trouble) log.error("Housekeeping failed", { error });
          trouble = String(error);
        },
      );
    }, ms));
  }

  /** Begins nothing more. */
  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Resolves when what had begun is over. */
  async over(): Promise<void> {
    await this.#last;
  }
}
