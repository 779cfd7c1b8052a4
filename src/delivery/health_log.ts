/*
 * What the log says of a destination's health: when it goes down, a summary now and then, when it is back. A destination
 * that is down for a day gets about a hundred lines, not one for each attempt.
 */

import { getLog } from "../log.ts";
import type { Health } from "./destination_health.ts";

const log = getLog("delivery");

/** While a destination cannot be used, a summary is logged at most so often, in ms. */
const SUMMARY_MS = 15 * 60_000;

export class HealthLog {
  readonly #destination: string;
  readonly #at: string;
  #lastLineAt = 0;

  constructor(destination: string, description: string) {
    this.#destination = destination;
    this.#at = description;
  }

  /**
   * Logs a change, if it is worth a line.
   *
   * @param waiting instances that wait for the destination
   * @param now ms since 1970
   * @returns true where a line was written: others may want to know, too
   */
  changed(before: Health, next: Health, waiting: number, now: number): boolean {
    if (next.state === "up") {
      if (before.state === "up") return false;
      log.info("Destination {destination} works again", {
        destination: this.#destination,
        at: this.#at,
        afterSeconds: Math.round((now - before.since) / 1000),
        waiting,
      });
      return true;
    }
    if (before === next) return false;
    const isNew = before.state !== next.state;
    const since = now - this.#lastLineAt;
    // Less than nothing where the clock was set back: that must not silence the log until it is what it was.
    if (!isNew && since >= 0 && since < SUMMARY_MS) return false;
    this.#lastLineAt = now;
    const properties = {
      destination: this.#destination,
      at: this.#at,
      reason: next.reason,
      waiting,
      attempts: next.attempts,
      nextInSeconds: Math.round((next.nextAt - now) / 1000),
    };
    if (next.state === "misconfigured") {
      log.error(
        "Destination {destination} does not let us in, see to its settings or ours: {reason}",
        properties,
      );
    } else if (isNew) log.warn("Destination {destination} is down: {reason}", properties);
    else log.warn("Destination {destination} is still down: {reason}", properties);
    return true;
  }
}
