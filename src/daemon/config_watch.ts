/*
 * Whether the configuration file has been changed: a look every two seconds, which works on every volume
 * and whatever way an editor saves by.
 *
 * It tells of a file only when two looks in a row found it the same, so that one that is being written, or replaced, is left
 * alone until it is done. It reads nothing of it.
 */

import type { Clock } from "../clock.ts";

/** Between two looks, in ms. */
const LOOK_MS = 2_000;

export interface ConfigWatchOptions {
  readonly file: string;
  readonly clock: Clock;
  /**
   * The file is another one than last time, or is looked at for the first time. False where it could not be used: it is told
   * of again then, for another program may have held it, or have been slow in writing it.
   */
  readonly changed: () => Promise<boolean>;
  /** The file is not there, or cannot be looked at; told once until it is back. */
  readonly missing: (error: unknown) => void;
  /** Something of `changed` failed. */
  readonly failed: (error: unknown) => void;
}

export class ConfigWatch {
  readonly #options: ConfigWatchOptions;
  #cancel: (() => void) | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isOn = false;
  #seen = "";
  #told = "";

  constructor(options: ConfigWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#isOn = true;
    this.#next();
  }

  stop(): void {
    this.#isOn = false;
    this.#cancel?.();
  }

  /** Resolves when what is under way is over. */
  async over(): Promise<void> {
    await this.#looking;
  }

  #next(): void {
    if (!this.#isOn) return;
    this.#cancel = this.#options.clock.after(LOOK_MS, () => {
      this.#looking = this.#look().catch(this.#options.failed).finally(() => this.#next());
    });
  }

  async #look(): Promise<void> {
    const { file, changed, missing } = this.#options;
    let now: string;
    let trouble: unknown;
    try {
      const { mtime, size, ino } = await Deno.stat(file);
      now = `${mtime?.getTime()} ${size} ${ino}`;
    } catch (error) {
      now = "missing";
      trouble = error;
    }
    const isStill = now === this.#seen;
    this.#seen = now;
    if (!isStill || now === this.#told) return;
    this.#told = now;
    if (now === "missing") missing(trouble);
    else if (!await changed()) this.#told = "";
  }
}
