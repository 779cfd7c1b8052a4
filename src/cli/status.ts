/*
 * `status`: how the forwarder is, in one look: running or not, what waits where and since when, what needs a person.
 *
 * Reads the spool, daemon running or not. Only a running daemon knows how its destinations are; it leaves that in
 * `health.json`.
 */

import { join } from "node:path";
import type { Config } from "../config/load.ts";
import { escapeText } from "../log.ts";
import { type FileSystem, realFileSystem } from "../spool/file_system.ts";
import { countCorrupt, countRetry, visitItems } from "../spool/inspect.ts";
import { spoolIsLocked } from "../spool/lock.ts";
import { ExitCode } from "./exit_code.ts";
import { formatBytes, formatDuration, printJson, printLine, table } from "./terminal.ts";

interface DestinationStatus {
  readonly name: string;
  queued: number;
  failed: number;
  /** Held back by a person. */
  held: number;
  /** Age of the oldest that waits, in ms; null where nothing does. */
  oldestMs: number | null;
  /** As the running daemon last told it. */
  health: string;
}

interface Status {
  readonly running: boolean;
  readonly freeBytes: number | null;
  readonly corrupt: number;
  readonly putBack: number;
  /** What the running daemon's balance of the ledger found missing; null where it has not been told. */
  readonly missing: number | null;
  /** What of the configuration that was asked for last is not in force; null where all of it is. */
  readonly configuration: string | null;
  readonly destinations: readonly DestinationStatus[];
}

/** Gathers the status. */
async function gatherStatus(config: Config, files: FileSystem, now: number): Promise<Status> {
  const running = spoolIsLocked(config.spoolDir);
  const { told, missing, configuration } = running
    ? readHealth(config.spoolDir, now)
    : NOTHING_TOLD;
  const byName = new Map<string, DestinationStatus>();
  const destination = (name: string) => {
    let found = byName.get(name);
    if (found === undefined) {
      const health = told.get(name) ?? (running ? "" : "not running");
      found = { name, queued: 0, failed: 0, held: 0, oldestMs: null, health };
      byName.set(name, found);
    }
    return found;
  };
  for (const { name } of config.destinations) destination(name);
  await visitItems(files, config.spoolDir, (item) => {
    const one = destination(item.destination);
    if (item.state !== "queued") one[item.state]++;
    else {
      one.queued++;
      one.oldestMs = Math.max(one.oldestMs ?? 0, now - item.receivedMs);
    }
  });
  return {
    running,
    freeBytes: files.exists(config.spoolDir) ? files.freeBytes(config.spoolDir) ?? null : null,
    corrupt: countCorrupt(files, config.spoolDir),
    putBack: countRetry(files, config.spoolDir),
    missing,
    configuration,
    destinations: [...byName.values()],
  };
}

interface Told {
  /** What of the configuration that was asked for last is not in force; null where all of it is. */
  readonly configuration: string | null;
  /** Health of each destination, in words. */
  readonly told: ReadonlyMap<string, string>;
  readonly missing: number | null;
}

const NOTHING_TOLD: Told = { configuration: null, told: new Map(), missing: null };

function readHealth(spoolDir: string, now: number): Told {
  const told = new Map<string, string>();
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
  for (const { name, health, paused } of destinations) {
    const words = healthInWords(health, now);
    told.set(String(name), paused ? pausedInWords(paused, words, now) : words);
  }
  return {
    told,
    missing: typeof missing === "number" ? missing : null,
    configuration: typeof configuration === "string" ? configuration : null,
  };
}

function healthInWords(
  health: { state: string; since?: number; reason?: string },
  now: number,
): string {
  if (health.state === "up") return "ok";
  const since = formatDuration(now - (health.since ?? now));
  const state = health.state === "down" ? "DOWN" : "WRONGLY CONFIGURED";
  return `${state} for ${since}: ${escapeText(health.reason ?? "")}`;
}

function pausedInWords(
  { since, by }: { since?: number; by?: string },
  health: string,
  now: number,
): string {
  const paused = `PAUSED for ${formatDuration(now - (since ?? now))} by ${
    escapeText(String(by ?? "nobody known"))
  }`;
  return health === "ok" ? paused : `${paused}; ${health}`;
}

/** Runs `status`. The exit code is 1 where the forwarder does not run. */
export async function statusCommand(config: Config, json: boolean): Promise<ExitCode> {
  const status = await gatherStatus(config, realFileSystem, Date.now());
  if (json) printJson(status);
  else print(status, config);
  return status.running ? ExitCode.Ok : ExitCode.Failed;
}

const HEADINGS = ["destination", "queued", "oldest", "failed", "held", "state"];

function print(status: Status, config: Config): void {
  printLine(`Forwarder   ${status.running ? "running" : "NOT RUNNING"}`);
  printLine(`Spool       ${config.spoolDir}`);
  if (status.freeBytes !== null) {
    const low = status.freeBytes < config.minimumFreeSpace
      ? "  TOO LITTLE: nothing new is accepted (minimum_free_space)"
      : "";
    printLine(`Free space  ${formatBytes(status.freeBytes)}${low}`);
  }
  if (status.corrupt > 0) {
    printLine(`CORRUPT     ${status.corrupt} damaged files in ${join(config.spoolDir, "corrupt")}`);
  }
  if (status.missing !== null && status.missing > 0) {
    printLine(
      `MISSING     ${status.missing}: accepted, and not accounted for; \`verify\` names them`,
    );
  }
  if (status.running && status.missing === null) {
    printLine("MISSING     not known: the forwarder has not read its ledger yet; `verify` does");
  }
  if (status.configuration !== null) {
    printLine(`CONFIG      ${escapeText(status.configuration, 2048)}`);
  }
  if (status.putBack > 0) printLine(`Put back    ${status.putBack}, not yet in the queue`);
  printLine();
  const rows = status.destinations.map((one) => [
    one.name,
    String(one.queued),
    one.oldestMs === null ? "-" : formatDuration(one.oldestMs),
    String(one.failed),
    String(one.held),
    one.health,
  ]);
  for (const line of table([HEADINGS, ...rows])) {
    printLine(line);
  }
}
