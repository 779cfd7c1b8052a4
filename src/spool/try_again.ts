/*
 * Steps on files that failed and are to be done some time: a rename, a removal.
 *
 * Owns their timers. A step whose file another program holds is tried every few milliseconds for ten seconds; whatever else
 * failed, or is held for longer, waits for the next round of housekeeping. A step is told of once, and nothing waits for it.
 */

import type { Clock } from "../clock.ts";
import { isHeld, waitAfter } from "./held.ts";

/** Steps with a timer at a time; where a whole disk is held, housekeeping is soon enough. */
const MOST_TIMERS = 1000;

interface Step {
  /** What cannot be done, as the beginning of a sentence: `Cannot remove /a/b`. */
  readonly what: string;
  /** Throws where it has to be tried again. */
  readonly run: () => void | Promise<void>;
  tries: number;
  told: boolean;
  cancel: (() => void) | undefined;
}

export class TryAgain {
  readonly #after: Clock["after"];
  readonly #report: (message: string, error?: unknown) => void;
  readonly #steps = new Map<unknown, Step>();
  #timers = 0;
  #closed = false;

  constructor(
    after: Clock["after"],
    report: (message: string, error?: unknown) => void,
  ) {
    this.#after = after;
    this.#report = report;
  }

  /** Steps not done yet. */
  get size(): number {
    return this.#steps.size;
  }

  /**
   * Takes a step that has just failed.
   *
   * @param key what it is done to: the latest step for one takes the place of an earlier one
   */
  add(key: unknown, what: string, error: unknown, run: Step["run"]): void {
    this.#steps.get(key)?.cancel?.();
    const step: Step = { what, run, tries: 0, told: false, cancel: undefined };
    this.#steps.set(key, step);
    this.#failed(key, step, error);
  }

  #failed(key: unknown, step: Step, error: unknown): void {
    step.tries++;
    const wait = isHeld(error) ? waitAfter(step.tries) : undefined;
    if (wait === undefined) {
      if (!step.told) this.#report(`${step.what}, will try again`, error);
      step.told = true;
      return;
    }
    if (this.#closed || this.#timers >= MOST_TIMERS) return;
    this.#timers++;
    const cancel = this.#after(wait, () => {
      step.cancel?.();
      void this.#try(key, step);
    });
    step.cancel = () => {
      step.cancel = undefined;
      this.#timers--;
      cancel();
    };
  }

  async #try(key: unknown, step: Step): Promise<void> {
    step.cancel?.();
    try {
      await step.run();
    } catch (error) {
      if (this.#steps.get(key) === step) this.#failed(key, step, error);
      return;
    }
    if (this.#steps.get(key) === step) this.#steps.delete(key);
  }

  /** One try of everything that is not done yet. */
  async round(): Promise<void> {
    for (const [key, step] of [...this.#steps]) await this.#try(key, step);
  }

  /** A last try; what it does not get done is left as it is. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.round();
    for (const step of this.#steps.values()) step.cancel?.();
  }
}
