/*
 * Alarms in the running forwarder: where they look, where their state is kept, and what they hear of each instance.
 *
 * Owns what is asked of the spool for alarms alone: their state, and why instances failed, of which a few are read, now and
 * then.
 */

import { join } from "node:path";
import { Alarms, type AlarmStore } from "../alarms/alarms.ts";
import type { AlarmSnapshot, Certificate, Failure } from "../alarms/snapshot.ts";
import type { WriteEvent } from "../alarms/event_log.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/load.ts";
import type { Overview } from "../control/views.ts";
import type { DestinationSnapshot } from "../delivery/delivery_setting.ts";
import type { EventTaker } from "../ledger/event.ts";
import { runTool } from "../service/tool.ts";
import { writeEvent } from "../service/event_log.ts";
import { listFailed } from "../spool/failed.ts";
import { type FileSystem, readFully, replaceTextFile } from "../spool/file_system.ts";
import { spoolPaths } from "../spool/paths.ts";

/** How often reasons are read, at most, in ms. */
const READ_MS = 15_000;
/** Reasons that are read for each destination, at most. */
const MOST_REASONS = 20;
/** The longest state that is read, in bytes. */
const LONGEST_STATE = 8 * 1024 * 1024;

/** How the forwarder is, as the status pages have it. */
export type AlarmFigures = Omit<AlarmSnapshot, "seen" | "certificates" | "failures">;

/** What alarms ask, of what is shown. */
export function alarmFigures(
  overview: Overview,
  snapshots: readonly DestinationSnapshot[],
): AlarmFigures {
  // What got no answer proves nothing yet: the destination is not back by it.
  const unanswered = new Set(
    snapshots.filter(({ health }) => health.state === "up" && health.interruptions > 0)
      .map(({ name }) => name),
  );
  const destinations = overview.destinations.map((one) =>
    unanswered.has(one.name) ? { ...one, lastAnswerAt: null } : one
  );
  return { ...overview, destinations };
}

export interface AlarmParts {
  readonly config: Config;
  readonly version: string;
  readonly clock: Clock;
  readonly files: FileSystem;
  /** 0 to 1 */
  readonly random: () => number;
  readonly figures: () => AlarmFigures;
  /** Those in use. */
  readonly certificates: () => readonly Certificate[];
}

/** The alarms of a forwarder; not started yet. */
export function alarmsOf(
  { config, version, clock, files, random, figures, certificates }: AlarmParts,
): Alarms {
  const reasons = new FailureReasons(files, config.spoolDir, clock);
  const write: WriteEvent = (level, id, text) => writeEvent(runTool, level, id, text);
  return new Alarms({
    config: config.alarms,
    aeTitle: config.localAeTitle,
    version,
    clock,
    random,
    store: storeIn(files, config.spoolDir),
    ...(Deno.build.os === "windows" ? { writeEvent: write } : {}),
    snapshot: () => {
      const now = figures();
      return { ...now, certificates: certificates(), failures: reasons.look(now.destinations) };
    },
  });
}

/** A ledger that lets alarms hear of what it is told. */
export function heardBy(ledger: EventTaker, alarms: () => Alarms | undefined): EventTaker {
  return {
    append(event, afterwards) {
      ledger.append(event, afterwards);
      if (event.event === "accepted") alarms()?.lastSeen.heard(event.from);
    },
  };
}

/** `alarms.json` in the spool, replaced in one step. */
export function storeIn(files: FileSystem, spoolDir: string): AlarmStore {
  const path = join(spoolDir, "alarms.json");
  return {
    load() {
      if (!files.exists(path)) return undefined;
      const bytes = new Uint8Array(Math.min(LONGEST_STATE, files.measure(path).size));
      const file = files.open(path, "read");
      try {
        return new TextDecoder().decode(bytes.subarray(0, readFully(file, bytes)));
      } finally {
        file.close();
      }
    },
    save(text) {
      replaceTextFile(files, `${path}.part`, text);
      files.rename(`${path}.part`, path);
    },
  };
}

/** Why instances lie in `failed/`: of a few of each destination, read again when their number is another. */
class FailureReasons {
  readonly #files: FileSystem;
  readonly #failed: string;
  readonly #clock: Clock;
  #readAt = -Infinity;
  #readFor = "";
  #found: Failure[] = [];

  constructor(files: FileSystem, spoolDir: string, clock: Clock) {
    this.#files = files;
    this.#failed = spoolPaths(spoolDir).failed;
    this.#clock = clock;
  }

  look(destinations: AlarmFigures["destinations"]): readonly Failure[] {
    const wanted = destinations.filter((one) => one.failed > 0);
    const wantedFor = wanted.map(({ name, failed }) => `${name} ${failed}`).join();
    const now = this.#clock.now();
    // By the distance: the clock may have been set back.
    if (wantedFor === this.#readFor || Math.abs(now - this.#readAt) < READ_MS) return this.#found;
    this.#readFor = wantedFor;
    this.#readAt = now;
    return this.#found = wanted.flatMap(({ name }) => this.#of(name));
  }

  #of(destination: string): Failure[] {
    const found: Failure[] = [];
    for (const one of listFailed(this.#files, this.#failed, destination)) {
      const reason = one.reason()?.reason;
      if (reason !== undefined) found.push({ destination, reason, count: 1 });
      if (found.length >= MOST_REASONS) break;
    }
    return found;
  }
}
