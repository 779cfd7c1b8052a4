/*
 * What `status` shows, gathered: from the running forwarder where it can be asked, else from the spool and the file in
 * which it tells how its destinations are.
 *
 * Reads only. The running forwarder knows throughput, alarms and what is paused; without it, counting takes a look at
 * every name in the queue.
 */

import { join } from "node:path";
import type { Config } from "../config/load.ts";
import { ageClass, noAges } from "../control/ages.ts";
import type { DestinationState, DestinationView, Overview, Throughput } from "../control/views.ts";
import { escapeText } from "../log.ts";
import { listFailed } from "../spool/failed.ts";
import type { FileSystem } from "../spool/file_system.ts";
import { countCorrupt, countRetry, visitItems } from "../spool/inspect.ts";
import { spoolIsLocked } from "../spool/lock.ts";
import { spoolPaths } from "../spool/paths.ts";
import { formatDuration } from "./terminal.ts";

export interface DestinationStatus {
  readonly name: string;
  queued: number;
  failed: number;
  /** Held back by a person. */
  held: number;
  /** Age of the oldest that waits, in ms; null where nothing does. */
  oldestMs: number | null;
  /** How many wait, by age: see AGE_WORDS. */
  ages: readonly number[];
  /** As the running daemon last told it, in words. */
  readonly health: string;
  /** Null where no forwarder runs that could tell. */
  readonly state: DestinationState | null;
  /** Why it is in that state; empty where it is up, or not known. */
  readonly reason: string;
  /** How long it has been in that state, in ms; null where not known. */
  readonly sinceMs: number | null;
  /** In how many ms it is tried again; null where that is not known, or it may be used now. */
  readonly nextAttemptMs: number | null;
  /** Failed attempts in a row. */
  readonly attempts: number;
}

/** Means over the last seconds. */
export interface Rates {
  /** What they are the mean of, in ms. */
  readonly overMs: number;
  /** A second. */
  readonly receivedInstances: number;
  readonly receivedBytes: number;
  readonly deliveredInstances: number;
  readonly deliveredBytes: number;
}

export interface Status {
  readonly running: boolean;
  readonly freeBytes: number | null;
  readonly corrupt: number;
  readonly putBack: number;
  /** What the running daemon's balance of the ledger found missing; null where it has not been told. */
  readonly missing: number | null;
  readonly destinations: readonly DestinationStatus[];
  /** Whether the running forwarder was asked, or its spool looked at. */
  readonly source: "forwarder" | "spool";
  /** How long it has been running, in ms; null where not known. */
  readonly uptimeMs: number | null;
  /** Incoming associations; null where not known. */
  readonly associations: number | null;
  readonly rates: Rates | null;
  /** Why nothing new is accepted, in words; null where it is, or where that is not known. */
  readonly refuses: string | null;
  /** What a person should know of at once, in sentences. */
  readonly alarms: readonly { readonly severity: string; readonly text: string }[];
  /** What of the configuration that was asked for last is not in force; null where all of it is, or that is not known. */
  readonly configuration: string | null;
}

/** A running forwarder that can be asked. */
export interface Askable {
  overview(): Promise<Overview>;
  throughput(): Promise<Throughput>;
}

/** Finds the forwarder that runs on a spool; undefined where none does, or it cannot be asked. */
export type FindForwarder = (
  spoolDir: string,
  signal: AbortSignal,
) => Promise<Askable | undefined>;

/** Steps of the throughput that a rate is the mean of, in ms. */
const RATE_OVER_MS = 10_000;

/** Gathers the status from a forwarder's answers. */
export function statusFrom(
  { now, ...overview }: Overview,
  throughput: Throughput,
  spool: {
    readonly putBack: number;
    /** Failed instances of destinations that the forwarder does not have, or of none. */
    readonly failedElsewhere: ReadonlyMap<string, number>;
  },
): Status {
  const elsewhere = [...spool.failedElsewhere].map(([name, failed]): DestinationStatus => ({
    ...NOBODYS,
    ages: noAges(),
    name,
    failed,
  }));
  return {
    running: true,
    freeBytes: overview.disk.free,
    corrupt: overview.corrupt,
    putBack: spool.putBack,
    missing: overview.missing,
    destinations: [...overview.destinations.map((one) => oneOf(one, now)), ...elsewhere],
    source: "forwarder",
    uptimeMs: Math.max(0, now - overview.started),
    associations: overview.associations,
    rates: ratesOf(throughput),
    refuses: overview.disk.refuses,
    alarms: overview.alarms.map(({ severity, text }) => ({ severity, text })),
    configuration: overview.configuration,
  };
}

const NOBODYS = {
  queued: 0,
  failed: 0,
  held: 0,
  oldestMs: null,
  health: "",
  state: null,
  reason: "",
  sinceMs: null,
  nextAttemptMs: null,
  attempts: 0,
} as const;

function oneOf(view: DestinationView, now: number): DestinationStatus {
  const { name, queued, failed, held, oldest, ages } = view;
  const { state, reason, since, nextAttempt, attempts } = view;
  const facts = {
    state,
    reason,
    sinceMs: since === null ? null : Math.max(0, now - since),
    nextAttemptMs: nextAttempt === null ? null : Math.max(0, nextAttempt - now),
    attempts,
  };
  return {
    name,
    queued,
    failed,
    held,
    oldestMs: oldest === null ? null : Math.max(0, now - oldest),
    ages,
    health: healthInWords(facts),
    ...facts,
  };
}

/** The mean of the last steps; null where there are none yet. */
export function ratesOf(throughput: Throughput): Rates | null {
  const { step, receivedInstances } = throughput;
  if (step <= 0 || receivedInstances.length === 0) return null;
  const steps = Math.min(
    receivedInstances.length,
    Math.max(1, Math.round(RATE_OVER_MS / step)),
  );
  const overMs = steps * step;
  const mean = (values: readonly number[]) =>
    values.slice(-steps).reduce((sum, value) => sum + value, 0) * 1000 / overMs;
  return {
    overMs,
    receivedInstances: mean(receivedInstances),
    receivedBytes: mean(throughput.receivedBytes),
    deliveredInstances: mean(throughput.deliveredInstances),
    deliveredBytes: mean(throughput.deliveredBytes),
  };
}

/** Gathers the status of a running forwarder that can be asked. */
export async function askForwarder(
  forwarder: Askable,
  config: Config,
  files: FileSystem,
): Promise<Status> {
  const [overview, throughput] = await Promise.all([forwarder.overview(), forwarder.throughput()]);
  const known = new Set(overview.destinations.map(({ name }) => name));
  const failedElsewhere = new Map<string, number>();
  for (const { destination } of listFailed(files, spoolPaths(config.spoolDir).failed)) {
    if (known.has(destination)) continue;
    failedElsewhere.set(destination, (failedElsewhere.get(destination) ?? 0) + 1);
  }
  return statusFrom(overview, throughput, {
    putBack: countRetry(files, config.spoolDir),
    failedElsewhere,
  });
}

/**
 * Gathers the status from the spool.
 *
 * @param now ms since 1970
 */
export async function readSpool(config: Config, files: FileSystem, now: number): Promise<Status> {
  const running = spoolIsLocked(config.spoolDir);
  const { told, missing, configuration } = running
    ? readHealth(config.spoolDir, now)
    : NOTHING_TOLD;
  const byName = new Map<string, DestinationStatus & { readonly ages: number[] }>();
  const destination = (name: string) => {
    let found = byName.get(name);
    if (found === undefined) {
      found = {
        ...NOBODYS,
        ages: noAges(),
        name,
        ...told.get(name) ?? { health: running ? "" : "not running" },
      };
      byName.set(name, found);
    }
    return found;
  };
  for (const { name } of config.destinations) destination(name);
  await visitItems(files, config.spoolDir, (item) => {
    const one = destination(item.destination);
    const state: string = item.state;
    if (state === "failed") one.failed++;
    else if (state === "held") one.held++;
    else {
      one.queued++;
      one.ages[ageClass(now - item.receivedMs)]!++;
      one.oldestMs = Math.max(one.oldestMs ?? 0, now - item.receivedMs);
    }
  });
  return {
    running,
    freeBytes: files.exists(config.spoolDir) ? files.freeBytes(config.spoolDir) ?? null : null,
    corrupt: countCorrupt(files, config.spoolDir),
    putBack: countRetry(files, config.spoolDir),
    missing,
    destinations: [...byName.values()],
    source: "spool",
    uptimeMs: null,
    associations: null,
    rates: null,
    refuses: null,
    alarms: [],
    configuration,
  };
}

type ToldHealth = Pick<
  DestinationStatus,
  "health" | "state" | "reason" | "sinceMs" | "nextAttemptMs" | "attempts"
>;

interface Told {
  readonly told: ReadonlyMap<string, ToldHealth>;
  readonly missing: number | null;
  readonly configuration: string | null;
}

const NOTHING_TOLD: Told = { told: new Map(), missing: null, configuration: null };

function readHealth(spoolDir: string, now: number): Told {
  let value: unknown;
  try {
    value = JSON.parse(Deno.readTextFileSync(join(spoolDir, "health.json")));
  } catch (error) {
    // Being written anew, or not yet there: the table then shows none.
    if (error instanceof SyntaxError || error instanceof Deno.errors.NotFound) return NOTHING_TOLD;
    throw error;
  }
  const { destinations, missing, configuration } = value as Record<string, unknown>;
  if (!Array.isArray(destinations)) return NOTHING_TOLD;
  const told = new Map<string, ToldHealth>();
  for (const { name, health, paused } of destinations) {
    const one = toldHealth(health, now);
    told.set(String(name), paused ? toldPaused(paused, one, now) : one);
  }
  return {
    told,
    missing: typeof missing === "number" ? missing : null,
    configuration: typeof configuration === "string" ? configuration : null,
  };
}

function toldHealth(
  health: {
    state: string;
    since?: number;
    reason?: string;
    nextAt?: number;
    attempts?: number;
  },
  now: number,
): ToldHealth {
  const { state, since, reason = "", nextAt, attempts = 0 } = health;
  const known = state === "up" || state === "down" || state === "misconfigured" ||
    state === "paused";
  const facts = {
    state: known ? state as DestinationState : null,
    reason,
    sinceMs: since === undefined ? null : Math.max(0, now - since),
    nextAttemptMs: nextAt === undefined ? null : Math.max(0, nextAt - now),
    attempts,
  };
  return { health: healthInWords(facts), ...facts };
}

function toldPaused(
  { since, by }: { since?: number; by?: string },
  told: ToldHealth,
  now: number,
): ToldHealth {
  const who = `by ${by ?? "nobody known"}`;
  const facts = {
    state: "paused" as const,
    reason: told.state === "up" ? who : `${who}; ${told.health}`,
    sinceMs: since === undefined ? null : Math.max(0, now - since),
    nextAttemptMs: null,
    attempts: told.attempts,
  };
  return { health: healthInWords(facts), ...facts };
}

const STATES = {
  up: "ok",
  down: "DOWN",
  misconfigured: "WRONGLY CONFIGURED",
  paused: "PAUSED",
} as const;

/** A state with its age: `DOWN for 3 min 2 s`. Empty where nothing is known. */
export function stateInWords({ state, sinceMs }: Pick<ToldHealth, "state" | "sinceMs">): string {
  if (state === null) return "";
  if (state === "up") return STATES.up;
  return sinceMs === null ? STATES[state] : `${STATES[state]} for ${formatDuration(sinceMs)}`;
}

function healthInWords(facts: Pick<ToldHealth, "state" | "sinceMs" | "reason">): string {
  const { state, reason } = facts;
  const words = stateInWords(facts);
  return state === "up" || state === null ? words : `${words}: ${escapeText(reason)}`;
}
