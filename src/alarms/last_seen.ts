/*
 * When each modality that is waited for was last heard from.
 *
 * Keeps the titles that the configuration names and no others, so that nothing a sender calls itself takes room. A restart
 * does not begin the hours anew: it is kept with the state of the alarms.
 */

import type { Seen } from "./snapshot.ts";

export class LastSeen {
  readonly #now: () => number;
  #seen = new Map<string, Seen>();

  /** @param now ms since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Waits for these titles from now on, and for no others.
   *
   * @param before what is known of them from an earlier run
   */
  watch(aeTitles: readonly string[], before: readonly Seen[] = []): void {
    const known = new Map([...before.map((one) => [one.aeTitle, one] as const), ...this.#seen]);
    const now = this.#now();
    this.#seen = new Map(aeTitles.map((aeTitle) => {
      const one = known.get(aeTitle);
      // A time that has not come yet was written by a clock that has been set back since.
      return [
        aeTitle,
        one === undefined
          ? { aeTitle, at: now, heard: false }
          : { ...one, at: Math.min(one.at, now) },
      ];
    }));
  }

  /** An instance came from this calling AE title. Cheap: called for each one. */
  heard(aeTitle: string): void {
    if (this.#seen.size === 0 || !this.#seen.has(aeTitle)) return;
    this.#seen.set(aeTitle, { aeTitle, at: this.#now(), heard: true });
  }

  list(): Seen[] {
    return [...this.#seen.values()];
  }
}
