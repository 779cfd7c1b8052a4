/*
 * From measurements to results: medians, ratios within the run, a table. Pure.
 */

import { formatBytes, table } from "../src/cli/terminal.ts";
import type { BenchCase, Measurement } from "./cases.ts";
import type { Load } from "./load.ts";

/** All rounds of one case with one load. */
export interface Series {
  readonly load: Load;
  readonly benchCase: BenchCase;
  readonly rounds: readonly Measurement[];
}

/** A series in figures; medians of its rounds where nothing else is said. */
export interface Result {
  readonly load: string;
  readonly case: string;
  readonly instances: number;
  readonly bytes: number;
  readonly wallS: number;
  /** The shortest and the longest of the rounds. */
  readonly wallRangeS: readonly [number, number];
  readonly cpuS: number | null;
  readonly peakRssBytes: number | null;
  /** `wallS` over that of each floor with the same load, by the floor's name. */
  readonly ratios: Readonly<Record<string, number>>;
  readonly rounds: readonly Measurement[];
}

/** The middle value, or the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) throw new RangeError("There is no median of no values");
  return sorted.length % 2 === 1 ? upper : (upper + sorted[middle - 1]!) / 2;
}

/** Figures of all series, each beside the floors among them. */
export function results(all: readonly Series[]): Result[] {
  return all.map(({ load, benchCase, rounds }) => {
    const walls = rounds.map((round) => round.wallS);
    const floors = all.filter((other) => other.benchCase.floor && other.load === load);
    return {
      load: load.name,
      case: benchCase.name,
      instances: load.instances,
      bytes: load.bytes,
      wallS: median(walls),
      wallRangeS: [Math.min(...walls), Math.max(...walls)],
      cpuS: medianOrNull(rounds.map((round) => round.cpuS)),
      peakRssBytes: medianOrNull(rounds.map((round) => round.peakRssBytes)),
      ratios: Object.fromEntries(floors.map((floor) => [
        floor.benchCase.name,
        median(walls) / median(floor.rounds.map((round) => round.wallS)),
      ])),
      rounds,
    };
  });
}

/** The results as lines of text. */
export function resultTable(all: readonly Result[]): string[] {
  const floors = [...new Set(all.flatMap((result) => Object.keys(result.ratios)))];
  const rows = all.map((result) => [
    result.load,
    result.case,
    result.wallS.toFixed(2),
    result.wallRangeS.map((wall) => wall.toFixed(2)).join("-"),
    (result.wallS * 1000 / result.instances).toFixed(2),
    ...floors.map((floor) => result.ratios[floor]?.toFixed(2) ?? "-"),
    result.cpuS?.toFixed(2) ?? "-",
    result.peakRssBytes === null ? "-" : formatBytes(result.peakRssBytes),
  ]);
  const ratios = floors.map((floor) => `x ${floor}`);
  return table([
    ["load", "case", "wall s", "range", "ms each", ...ratios, "CPU s", "peak RSS"],
    ...rows,
  ]);
}

function medianOrNull(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : median(known);
}
