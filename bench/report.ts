/*
 * From measurements to results: medians, ratios within the run, a table. Pure.
 */

import { formatBytes, table } from "../src/cli/terminal.ts";
import type { Case, Measurement } from "./cases.ts";
import type { Kind } from "./load.ts";

/** All rounds of one case with one load. */
export interface Series {
  readonly load: {
    readonly kind: Kind;
    readonly name: string;
    readonly instances: number;
    readonly bytes: number;
  };
  readonly case: Case;
  readonly rounds: readonly Measurement[];
}

/** A series in figures; medians of its rounds where nothing else is said. */
export interface Result extends Case {
  readonly kind: Kind;
  readonly load: string;
  readonly instances: number;
  readonly bytes: number;
  readonly wallS: number;
  /** The shortest and the longest of the rounds. */
  readonly wallRangeS: readonly [number, number];
  readonly cpuS: number | null;
  /** The most of all rounds. */
  readonly peakRssBytes: number | null;
  /** `wallS` over that of the floor of the wire with as many senders; null where it was not measured. */
  readonly timesStraight: number | null;
  /** `wallS` over that of the floor of the disk, which has one writer. */
  readonly timesSync: number | null;
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
  return all.map(({ load, case: one, rounds }) => {
    const wall = medianWall(rounds);
    const walls = rounds.map((round) => round.wallS);
    const times = (floor: (other: Case) => boolean) => {
      const found = all.find((other) => other.load.kind === load.kind && floor(other.case));
      return found === undefined ? null : wall / medianWall(found.rounds);
    };
    return {
      ...one,
      kind: load.kind,
      load: load.name,
      instances: load.instances,
      bytes: load.bytes,
      wallS: wall,
      wallRangeS: [Math.min(...walls), Math.max(...walls)],
      cpuS: medianOrNull(rounds.map((round) => round.cpuS)),
      peakRssBytes: mostOrNull(rounds.map((round) => round.peakRssBytes)),
      timesStraight: times((other) =>
        other.subject === "straight" && other.senders === one.senders
      ),
      timesSync: times((other) => other.subject === "sync"),
      rounds,
    };
  });
}

function medianWall(rounds: readonly Measurement[]): number {
  return median(rounds.map((round) => round.wallS));
}

/** The results as lines of text. */
export function resultTable(all: readonly Result[]): string[] {
  return table([
    [
      ...[
        "load",
        "through",
        "work",
        "senders",
        "destinations",
        "rounds",
        "wall s",
        "range",
        "ms each",
      ],
      ...["x straight", "x sync", "CPU s", "peak RSS"],
    ],
    ...all.map((result) => [
      result.load,
      result.subject,
      result.work,
      String(result.senders),
      String(result.destinations),
      String(result.rounds.length),
      result.wallS.toFixed(2),
      result.wallRangeS.map((wall) => wall.toFixed(2)).join("-"),
      (result.wallS * 1000 / result.instances).toFixed(2),
      result.timesStraight?.toFixed(2) ?? "-",
      result.timesSync?.toFixed(2) ?? "-",
      result.cpuS?.toFixed(2) ?? "-",
      result.peakRssBytes === null ? "-" : formatBytes(result.peakRssBytes),
    ]),
  ]);
}

function medianOrNull(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : median(known);
}

function mostOrNull(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}
