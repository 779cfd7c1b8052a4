/*
 * What an event of the ledger says, in a sentence for a person. Pure.
 */

import type { LedgerEvent } from "./event.ts";

/** In words. What came over the network is in them as it came: whoever shows them makes it harmless. */
export function inWords(event: LedgerEvent): string {
  switch (event.event) {
    case "accepted":
      return `Received from ${event.from}, ${event.bytes} bytes of data set, for ${
        event.for.join(", ")
      }`;
    case "delivered":
      return `Delivered to ${event.to}: ${event.answer}`;
    case "failed":
      return `Given up for ${event.to} after ${
        event.tries === 1 ? "1 try" : `${event.tries} tries`
      }: ${event.reason}`;
    case "retried": {
      const back = event.for.length === 1 && event.for[0] === event.of
        ? `To be attempted again for ${event.of}`
        : `Routed anew: for ${event.for.join(", ")} instead of ${event.of}`;
      return event.by === "configuration" ? `${back}, as the configuration says` : back + by(event);
    }
    case "held":
      return `Held back from ${event.to}${by(event)}`;
    case "released":
      return `Let go to ${event.to}${by(event)}`;
    case "removed":
      return `Removed for ${event.to}, undelivered,${by(event)}`;
    case "settled":
      return `Missing for ${event.to}, and seen${by(event)}`;
    case "corrupt":
      return `Found damaged and set aside: ${event.reason}`;
  }
}

function by(event: { readonly who?: string }): string {
  return event.who === undefined ? " by a person" : ` by a person (${event.who})`;
}
