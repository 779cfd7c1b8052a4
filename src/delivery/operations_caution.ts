/*
 * How many instances may be outstanding on an association to one destination: pure functions of what was lost before.
 *
 * An association that ends with several instances unanswered does not tell which of them the peer could not bear, or
 * whether it bears several at all. So for a while they go one at a time, where the one that ends the association is the
 * one it could not bear. The while is longer each time; a mere failure of the network costs little.
 */

/** Instances outstanding on an association at a time, at most: bounded, as what is lost with it is sent again. */
export const MOST_OPERATIONS = 16;

/** The first while in ms, and the longest. */
const FIRST_MS = 60_000;
const LONGEST_MS = 3_600_000;

/** One at a time until `until` (ms since 1970), a while of `lengthMs`. */
export interface Caution {
  readonly until: number;
  readonly lengthMs: number;
}

/** Nothing was lost yet. */
export const NO_CAUTION: Caution = { until: 0, lengthMs: 0 };

/**
 * An association ended with several instances unanswered.
 *
 * @param now in ms since 1970
 */
export function afterLoss(caution: Caution, now: number): Caution {
  // Losses of one moment, on several associations, are one loss.
  if (isCautious(caution, now)) return caution;
  const recent = Math.abs(now - caution.until) < LONGEST_MS;
  const lengthMs = recent && caution.lengthMs > 0
    ? Math.min(caution.lengthMs * 2, LONGEST_MS)
    : FIRST_MS;
  return { until: now + lengthMs, lengthMs };
}

/** Whether instances go one at a time now. A clock that was set back makes no while longer than it was meant to be. */
export function isCautious({ until, lengthMs }: Caution, now: number): boolean {
  return now < until && until - now <= lengthMs;
}
