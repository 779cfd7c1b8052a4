/*
 * Axes: from values to pixels, and which values are written beside an axis. Pure.
 */

import type { Axis } from "./figure.ts";

/** One direction of a plot. */
export interface Scale {
  /** Where a value stands, in pixels. */
  at(value: number): number;
  /** Values that get a line and a number, ascending. */
  readonly ticks: readonly number[];
}

/** Distances of ticks from one another on a logarithmic axis, finest last, as multiples within a decade. */
const WITHIN_DECADE: readonly (readonly number[])[] = [[1], [1, 3], [1, 2, 5]];

/** How many ticks an axis wants at least, and how many it should not have more than. */
const FEWEST_TICKS = 4;
const MOST_TICKS = 9;

/**
 * A logarithmic scale for values of 0 and more. A 0 among them has a place of its own, a decade before the smallest
 * other one.
 *
 * @param from pixels where the axis begins
 * @param to pixels where it ends
 * @param round whether the axis may begin and end beyond the values, at a tick
 */
export function logScale(
  values: readonly number[],
  from: number,
  to: number,
  round: boolean,
): Scale {
  const positive = values.filter((value) => value > 0);
  const most = positive.length === 0 ? 10 : Math.max(...positive);
  // Over less than a decade a logarithmic axis would make much of little.
  const least = round ? Math.min(most / 10, ...positive) : Math.min(most, ...positive);
  const ticks = logTicks(least, most, round);
  let low = round ? Math.min(least, ticks[0]!) : least;
  let high = round ? Math.max(most, ticks.at(-1)!) : most;
  if (values.includes(0)) {
    low /= 10;
    ticks.unshift(0);
  }
  if (low === high) {
    low /= 2;
    high *= 2;
  }
  const span = Math.log10(high) - Math.log10(low);
  return {
    at: (value) =>
      from + (to - from) * (Math.log10(value <= 0 ? low : value) - Math.log10(low)) / span,
    ticks,
  };
}

/** A scale from 0 (or the least value, where that is below) to a round number that no value is over. */
export function linearScale(values: readonly number[], from: number, to: number): Scale {
  const least = Math.min(0, ...values);
  const most = Math.max(0, ...values);
  const step = roundStep((most - least || 1) / FEWEST_TICKS);
  const first = Math.floor(least / step);
  const last = Math.max(first + 1, Math.ceil(most / step));
  // From whole numbers, so that no 0.30000000000000004 gets written beside an axis.
  const ticks = Array.from({ length: last - first + 1 }, (_, n) => (first + n) * step);
  const [low, high] = [ticks[0]!, ticks.at(-1)!];
  return { at: (value) => from + (to - from) * (value - low) / (high - low), ticks };
}

function logTicks(least: number, most: number, round: boolean): number[] {
  let chosen: number[] = [];
  for (const multiples of WITHIN_DECADE) {
    const all: number[] = [];
    for (let n = Math.floor(Math.log10(least)); n <= Math.ceil(Math.log10(most)); n++) {
      for (const multiple of multiples) all.push(Number(`${multiple}e${n}`));
    }
    const within = all.filter((tick) => tick >= least && tick <= most);
    const before = round ? all.filter((tick) => tick < least).slice(-1) : [];
    const after = round ? all.filter((tick) => tick > most).slice(0, 1) : [];
    const next = [...before, ...within, ...after];
    if (chosen.length > 0 && next.length > MOST_TICKS) break;
    chosen = next;
    if (chosen.length >= FEWEST_TICKS) break;
  }
  return chosen.length > 0 ? chosen : [least];
}

/** The next of 1, 2, 2.5, 5 times a power of ten that is not below `step`. */
function roundStep(step: number): number {
  const exponent = Math.floor(Math.log10(step));
  for (const multiple of [1, 2, 2.5, 5]) {
    const rounded = Number(`${multiple}e${exponent}`);
    if (rounded >= step) return rounded;
  }
  return Number(`1e${exponent + 1}`);
}

const BYTE_UNITS = ["B", "KB", "MB", "GB", "TB"];

/** A value as it is written beside an axis: bytes with their unit, everything else without. */
export function tickText(value: number, unit: Axis["unit"]): string {
  if (unit !== "bytes") return plain(value);
  let scaled = value;
  let n = 0;
  while (scaled >= 1000 && n < BYTE_UNITS.length - 1) {
    scaled /= 1000;
    n++;
  }
  return `${plain(scaled)} ${BYTE_UNITS[n]}`;
}

/** What stands beside an axis. */
export function axisText({ label, unit }: Axis): string {
  return unit === "" || unit === "bytes" || unit === "entries" ? label : `${label}, ${unit}`;
}

function plain(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en-US", { maximumSignificantDigits: 3 });
}
