/*
 * How long a modality has been silent, of the hours in which it is expected to send.
 *
 * Pure, but for the system's time zone: hours are local time, and a day on which the clock is changed is as long as it is.
 */

import type { SilentConfig } from "../config/alarms.ts";

const DAY_MINUTES = 24 * 60;

/**
 * Time between two moments that counts, in ms: it lies on a day named, between `from` and `to`.
 *
 * @param enough counting ends where so much has been found
 */
export function countedTime(
  window: Pick<SilentConfig, "days" | "from" | "to">,
  since: number,
  until: number,
  enough = Infinity,
): number {
  let found = 0;
  // A window that goes past midnight may have begun the day before.
  for (let day = -1;; day++) {
    const first = new Date(since);
    const midnight = new Date(first.getFullYear(), first.getMonth(), first.getDate() + day);
    if (midnight.getTime() >= until || found >= enough) return found;
    if (!window.days.includes(midnight.getDay())) continue;
    const length = window.to > window.from ? window.to : window.to + DAY_MINUTES;
    const begin = Math.max(since, at(midnight, window.from));
    const end = Math.min(until, at(midnight, length));
    found += Math.max(0, end - begin);
  }
}

/** The moment at so many minutes of wall clock behind a midnight. */
function at(midnight: Date, minutes: number): number {
  const [year, month, day] = [midnight.getFullYear(), midnight.getMonth(), midnight.getDate()];
  return new Date(year, month, day, 0, minutes).getTime();
}
