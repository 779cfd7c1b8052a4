/*
 * How long what waits has waited: counts by age for each destination, as qshape of mail queues shows them. One look tells a
 * burst that is just coming through from a backlog that nobody attends to.
 *
 * Kept by the minute of reception, so that a look costs the minutes that something waits from, not the instances. Pure.
 */

const MINUTE_MS = 60_000;

/** Upper limits of the ages that are told apart, ms; whatever is older comes last. */
export const AGE_LIMITS_MS: readonly number[] = [
  5 * MINUTE_MS,
  15 * MINUTE_MS,
  60 * MINUTE_MS,
  4 * 60 * MINUTE_MS,
  24 * 60 * MINUTE_MS,
];

/** The same in words, with the last. */
export const AGE_WORDS: readonly string[] = ["5 min", "15 min", "1 h", "4 h", "1 day", "longer"];

/** Which of them an age belongs to; one that is negative (the clock was set back) to the first. */
export function ageClass(ageMs: number): number {
  const found = AGE_LIMITS_MS.findIndex((limit) => ageMs <= limit);
  return found === -1 ? AGE_LIMITS_MS.length : found;
}

/** None of any age. */
export function noAges(): number[] {
  return AGE_WORDS.map(() => 0);
}

export class Ages {
  /** By destination and minute of reception. */
  readonly #minutes = new Map<string, Map<number, number>>();

  /**
   * More, or fewer, wait.
   *
   * @param receivedMs when they were received, ms since 1970
   */
  count(destination: string, receivedMs: number, by: number): void {
    let minutes = this.#minutes.get(destination);
    if (minutes === undefined) this.#minutes.set(destination, minutes = new Map());
    const minute = Math.floor(receivedMs / MINUTE_MS);
    const left = (minutes.get(minute) ?? 0) + by;
    if (left > 0) minutes.set(minute, left);
    else minutes.delete(minute);
  }

  /**
   * How many wait for a destination, by age, to the minute.
   *
   * @param now ms since 1970
   */
  of(destination: string, now: number): number[] {
    const ages = noAges();
    for (const [minute, count] of this.#minutes.get(destination) ?? []) {
      ages[ageClass(now - (minute + 1) * MINUTE_MS)]! += count;
    }
    return ages;
  }
}
