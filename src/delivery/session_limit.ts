/*
 * How many sessions a destination was found to take at a time, and how long that is believed.
 */

/** How long a destination that took no further session is not asked for one, in ms. */
const LIMIT_MS = 300_000;

export class SessionLimit {
  #sessions = Infinity;
  /** ms since 1970 */
  #until = 0;

  /** It served so many and took no further one. */
  found(sessions: number, now: number): void {
    this.#sessions = sessions;
    this.#until = now + LIMIT_MS;
  }

  forget(): void {
    this.#until = 0;
  }

  /** Sessions that may be open; Infinity where nothing is known against more. */
  most(now: number): number {
    return now < this.#until ? this.#sessions : Infinity;
  }
}
