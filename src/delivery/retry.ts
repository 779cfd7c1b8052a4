/*
 * What follows a failed attempt on one instance: again after a while, or give up. A pure function of what has happened.
 *
 * Only what the destination says of the instance itself spends its tries. Trouble of the destination as a whole is
 * `destination_health.ts`.
 */

/** Back-off in ms: doubling from the first to the most. */
export interface BackOff {
  readonly firstMs: number;
  readonly mostMs: number;
}

export const DEFAULT_BACK_OFF: BackOff = { firstMs: 5_000, mostMs: 300_000 };

/** Failed attempts of one instance at one destination that count, by kind. */
export interface Troubles {
  refused: number;
  outOfResources: number;
  protocolErrors: number;
  nonAnswers: number;
  interrupted: number;
  /** The stored file could not be opened: another program held it. It counts for nothing but the wait. */
  held: number;
}

export function noTroubles(): Troubles {
  return {
    refused: 0,
    outOfResources: 0,
    protocolErrors: 0,
    nonAnswers: 0,
    interrupted: 0,
    held: 0,
  };
}

/** Which trouble an outcome of that kind is. */
export const TROUBLES = {
  "refused": "refused",
  "out-of-resources": "outOfResources",
  "protocol-error": "protocolErrors",
  "not-an-answer": "nonAnswers",
  "held": "held",
} as const satisfies Record<string, keyof Troubles>;

/** Troubles that may be the destination's: they count against an instance only where others pass, but for the first. */
export const DOUBTFUL: ReadonlySet<keyof Troubles> = new Set(["outOfResources", "interrupted"]);

/** Times an instance may meet each trouble before it is given up; refusals are the configuration's. */
const MOST_OUT_OF_RESOURCES = 10;
const MOST_PROTOCOL_ERRORS = 3;
const MOST_NON_ANSWERS = 5;
const LEAST_INTERRUPTIONS = 3;

export type NextStep =
  | { readonly kind: "again"; readonly delayMs: number }
  | { readonly kind: "give-up" };

/** What an instance has met at one destination, its latest trouble included. */
export interface Met {
  /** What counts against it, by kind. */
  readonly counts: Readonly<Troubles>;
  /** All failed attempts, those included that do not count: the wait grows with them. */
  readonly attempts: number;
  /** Whether the destination has taken others since this one was last tried: only then is the trouble its own. */
  readonly othersPass: boolean;
}

/**
 * Decides about an instance after its latest trouble.
 *
 * @param retryAttempts tries granted beside the first
 * @param random 0 to 1
 */
export function afterTrouble(
  kind: keyof Troubles,
  { counts, attempts, othersPass }: Met,
  retryAttempts: number,
  backOff: BackOff,
  random: number,
): NextStep {
  const count = counts[kind];
  if (givesUp(kind, count, retryAttempts, othersPass)) return { kind: "give-up" };
  const doublings = Math.min(Math.max(count, attempts) - 1, 20);
  const ceiling = Math.min(backOff.mostMs, backOff.firstMs * 2 ** doublings);
  // Half fixed, half random: not before time, and not all at once.
  return { kind: "again", delayMs: Math.round(ceiling * (0.5 + random / 2)) };
}

function givesUp(
  kind: keyof Troubles,
  count: number,
  retryAttempts: number,
  othersPass: boolean,
): boolean {
  switch (kind) {
    case "refused":
      return count > retryAttempts;
    case "outOfResources":
      return othersPass && count >= MOST_OUT_OF_RESOURCES;
    case "protocolErrors":
      return count >= MOST_PROTOCOL_ERRORS;
    case "nonAnswers":
      return count >= MOST_NON_ANSWERS;
    case "held":
      return false;
    case "interrupted":
      return othersPass && count > Math.max(retryAttempts, LEAST_INTERRUPTIONS);
  }
}
