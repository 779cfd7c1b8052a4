/*
 * What happens over and over, told once a minute with a count instead of each time.
 *
 * Owns which of many equal events is told and how many were not. Memory is bounded: of more kinds than are kept, the rest
 * count as one. Pure but for its own books; time is passed in.
 */

/** Kinds told apart. */
const MOST_KINDS = 500;
const MINUTE_MS = 60_000;

/** The kind that all those count to for which there is no room. */
const REST = "";

interface Record<Told> {
  /** When the minute is over, ms. */
  readonly until: number;
  count: number;
  last: Told;
}

/** What was not told. */
export interface Untold<Told> {
  readonly count: number;
  /** The last of them. */
  readonly last: Told;
}

export class Repeats<Told> {
  readonly #kinds = new Map<string, Record<Told>>();
  readonly #now: () => number;

  /** @param now ms; only ever forward */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** True where there is something `due` will tell once its minute is over. */
  get waits(): boolean {
    return this.#kinds.size > 0;
  }

  /** Whether this one is to be told: the first of its kind in a minute is. */
  take(kind: string, told: Told): boolean {
    const known = this.#kinds.has(kind) || this.#kinds.size < MOST_KINDS;
    const key = known ? kind : REST;
    const record = this.#kinds.get(key);
    if (record === undefined) {
      this.#kinds.set(key, { until: this.#now() + MINUTE_MS, count: 0, last: told });
      return true;
    }
    record.count++;
    record.last = told;
    return false;
  }

  /**
   * What was not told in the minutes that are over. A kind that went on begins another minute; one that did not is
   * forgotten.
   *
   * @param all of the minutes that are not over, too: there will be no other time
   */
  due(all = false): Untold<Told>[] {
    const now = this.#now();
    const untold: Untold<Told>[] = [];
    for (const [kind, { until, count, last }] of this.#kinds) {
      if (!all && now < until) continue;
      if (count === 0) {
        this.#kinds.delete(kind);
        continue;
      }
      untold.push({ count, last });
      this.#kinds.set(kind, { until: now + MINUTE_MS, count: 0, last });
    }
    return untold;
  }
}
