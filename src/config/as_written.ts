/*
 * A configuration in force as it would be written in the file: its names, its units, every default filled in.
 *
 * For whoever is shown it, and then changes the file. Pure. What is secret is in it still: `redact` comes after.
 */

import type { AuditConfig } from "./audit.ts";
import { WEEKDAYS } from "./schema.ts";
import type { Config } from "./load.ts";

/** Durations whose name in the file has a unit; all others are seconds, and their names have none. Name and ms. */
const DURATIONS: Readonly<Record<string, readonly [string, number]>> = {
  studyQuietMs: ["study_quiet_seconds", 1000],
  repeatMs: ["repeat_hours", 3_600_000],
  destinationDownMs: ["destination_down_minutes", 60_000],
  oldestAgeMs: ["oldest_age_minutes", 60_000],
  silenceMs: ["hours", 3_600_000],
};

const SIZES: ReadonlySet<string> = new Set(["maxInstanceSize", "minimumFreeSpace", "keep"]);

const UNITS: readonly (readonly [string, number])[] = [
  ["TiB", 2 ** 40],
  ["TB", 1e12],
  ["GiB", 2 ** 30],
  ["GB", 1e9],
  ["MiB", 2 ** 20],
  ["MB", 1e6],
];

/** The file that would put this in force, and `file`, where it was read from; null where a setting is not set. */
export function asWritten(config: Config): Record<string, unknown> {
  const { alarms, audit } = config;
  const { login, ...email } = alarms.email ?? { login: null };
  const silent = alarms.silent.map(({ days, from, to, ...one }) => ({
    ...one,
    days: days.map((day) => WEEKDAYS[day]),
    from: timeOf(from),
    to: timeOf(to),
  }));
  return object({
    ...config,
    audit: audit && auditAsWritten(audit),
    alarms: { ...alarms, silent, email: alarms.email && { ...email, ...login } },
  });
}

function auditAsWritten({ certificate, keepBytes: keep, ...audit }: AuditConfig): object {
  return { ...audit, ...certificate, keep };
}

function object(settings: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => setting(key, value)));
}

function setting(key: string, value: unknown): [string, unknown] {
  const [name, ms] = DURATIONS[key] ?? [inSnakeCase(key.replace(/Ms$/, "")), 1000];
  // Names of headers are not ours.
  if (key === "headers") return [name, value];
  if (typeof value === "number") {
    if (key.endsWith("Ms")) return [name, value / ms];
    return [name, SIZES.has(key) ? sizeOf(value) : value];
  }
  if (Array.isArray(value)) return [name, value.map((one) => isObject(one) ? object(one) : one)];
  return [name, isObject(value) ? object(value) : value];
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function inSnakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** `8GiB`, `500MB`; a number where no unit divides it. */
function sizeOf(bytes: number): number | string {
  const unit = UNITS.find(([, size]) => bytes > 0 && bytes % size === 0);
  return unit === undefined ? bytes : `${bytes / unit[1]}${unit[0]}`;
}

function timeOf(minutes: number): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
