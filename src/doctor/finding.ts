/*
 * What a probe found, and what follows from all findings together.
 *
 * Pure. A finding is a sentence with a level; one that calls for a change says which, and how urgent that is.
 */

/**
 * - `ok`: as it should be.
 * - `unknown`: could not be found out, or says nothing by itself; held against nobody.
 * - `warning`: works, and should be looked at.
 * - `problem`: images are refused, not sent, or in danger.
 */
export type Level = "ok" | "unknown" | "warning" | "problem";

/** Which change comes first among those of one level: the lower, the more depends on it. */
export const Rank = {
  Configuration: 0,
  Spool: 1,
  Receiving: 2,
  Reaching: 3,
  Associating: 4,
  Sending: 5,
  Comfort: 6,
} as const;

export interface Change {
  /** A sentence that begins with what to do. */
  readonly text: string;
  readonly rank: number;
}

export interface Finding {
  /** What was looked at: `disk`, `port`, `association`. */
  readonly probe: string;
  readonly level: Level;
  /** In words, without a full stop at the end. Text from the network is escaped. */
  readonly text: string;
  readonly change?: Change;
}

/** Hears of each finding as soon as there is one. */
export type Tell = (finding: Finding) => void;

/** All is as it should be. */
export function ok(probe: string, text: string): Finding {
  return { probe, level: "ok", text };
}

/** Nothing could be found out. */
export function unknown(probe: string, text: string): Finding {
  return { probe, level: "unknown", text };
}

/** To be looked at. */
export function warning(probe: string, text: string, change?: Change): Finding {
  return { probe, level: "warning", text, ...(change === undefined ? {} : { change }) };
}

/** To be mended. */
export function problem(probe: string, text: string, change?: Change): Finding {
  return { probe, level: "problem", text, ...(change === undefined ? {} : { change }) };
}

/** What to change, most important first, each once: what mends a problem before what only helps. */
export function whatToChange(findings: readonly Finding[]): string[] {
  const order = (level: Level) => level === "problem" ? 0 : 1;
  const changes = findings.flatMap(({ level, change }) =>
    change === undefined ? [] : [{ level, ...change }]
  );
  changes.sort((one, other) => order(one.level) - order(other.level) || one.rank - other.rank);
  return [...new Set(changes.map(({ text }) => text))];
}

/** The worst of the findings. */
export function worst(findings: readonly Finding[]): Level {
  const order: readonly Level[] = ["problem", "warning", "ok", "unknown"];
  return order.find((level) => findings.some((one) => one.level === level)) ?? "ok";
}

/** A length of time for a sentence: `3.4 ms`, `1.2 s`. */
export function duration(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return ms >= 10 ? `${Math.round(ms)} ms` : `${ms.toFixed(1)} ms`;
}

/** Bytes for a sentence, in decimal units. */
export function size(bytes: number): string {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  const unit = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return unit === 0 ? `${bytes} bytes` : `${(bytes / 1000 ** unit).toFixed(1)} ${units[unit]}`;
}

/** The middle one of some numbers; NaN of none. */
export function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? NaN;
}
