/*
 * Whether a request for an association asks for asynchronous operations (PS3.7 §D.3.3.3): pure functions of how earlier
 * ones to that node ended.
 *
 * PS3.8 §9.3.1 has a node ignore an item that it does not know. One that breaks off or falls silent instead is asked
 * without it next time. That this works shows nothing yet, for the node may only just have come back; that it happens
 * twice does.
 */

export interface Asking {
  /** A request with the item was answered: the node bears it. */
  readonly borne: boolean;
  /** Requests without the item that were answered after one with it was broken off. */
  readonly strikes: number;
  /** The latest request with the item was broken off, and none without has been tried since. */
  readonly suspected: boolean;
}

/** Nothing is known of the node. */
export const UNASKED: Asking = { borne: false, strikes: 0, suspected: false };

const STRIKES_THAT_SHOW = 2;

/** Whether the next request has the item. */
export function asks({ borne, strikes, suspected }: Asking): boolean {
  return borne || !suspected && strikes < STRIKES_THAT_SHOW;
}

/**
 * A request has ended.
 *
 * @param asked whether it had the item
 * @param end `answered` where it was accepted or rejected, `broken-off` where the node aborted, closed or said nothing instead
 */
export function afterRequest(
  asking: Asking,
  asked: boolean,
  end: "answered" | "broken-off",
): Asking {
  if (asking.borne) return asking;
  if (asked) {
    return end === "answered" ? { ...UNASKED, borne: true } : { ...asking, suspected: true };
  }
  if (end === "broken-off") return UNASKED;
  return { ...asking, strikes: asking.strikes + 1, suspected: false };
}
