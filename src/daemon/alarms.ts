/*
 * Alarms in the running forwarder: where they look, where their state is kept, and what they hear of each instance.
 *
 * Owns what is asked of the spool for alarms alone. Folders of what failed are looked through now and then, never for each
 * look: they may hold a lot.
 */

import { join } from "node:path";
import { Alarms, type AlarmStore } from "../alarms/alarms.ts";
import type { AlarmSnapshot, Failure } from "../alarms/snapshot.ts";
import type { WriteEvent } from "../alarms/event_log.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/load.ts";
import type { DestinationSnapshot } from "../delivery/delivery_setting.ts";
import type { EventTaker } from "../ledger/event.ts";
import { runTool } from "../service/tool.ts";
import { writeEvent } from "../service/event_log.ts";
import { listFailed } from "../spool/failed.ts";
import { type FileSystem, readFully, replaceTextFile } from "../spool/file_system.ts";
import { FreeSpace } from "../spool/free_space.ts";
import { spoolPaths } from "../spool/paths.ts";

/** How often the folders of what failed are looked through, in ms. */
const FOLDERS_MS = 15_000;
/** Reasons that are read for each destination, at most. */
const MOST_REASONS = 20;
/** The longest state that is read, in bytes. */
const LONGEST_STATE = 8 * 1024 * 1024;

export interface AlarmParts {
  readonly config: () => Config;
  readonly version: string;
  readonly clock: Clock;
  readonly files: FileSystem;
  readonly random: () => number;
  readonly destinations: () => readonly DestinationSnapshot[];
  /** Why the spool takes nothing now; undefined where it does. */
  readonly refuses: () => string | undefined;
  /** What the balance found missing; null until it is struck. */
  readonly missing: () => number | null;
  /** Why the configuration file was refused; null where it was not. */
  readonly configuration: () => string | null;
}

/** The alarms of a forwarder; not started yet. */
export function alarmsOf(parts: AlarmParts): Alarms {
  const { config, clock, files, random, version } = parts;
  const folders = new SpoolFolders(files, config().spoolDir, clock);
  const space = new FreeSpace(files, config().spoolDir, () => clock.now());
  const write: WriteEvent = (level, id, text) => writeEvent(runTool, level, id, text);
  return new Alarms({
    config: config().alarms,
    version,
    clock,
    random,
    store: storeIn(files, config().spoolDir),
    ...(Deno.build.os === "windows" ? { writeEvent: write } : {}),
    snapshot: () => {
      const { failed, corrupt, failures } = folders.look();
      return {
        now: clock.now(),
        failed: [...failed.values()].reduce((sum, count) => sum + count, 0),
        corrupt,
        missing: parts.missing(),
        disk: {
          free: space.bytes() ?? null,
          reserve: config().minimumFreeSpace,
          refuses: parts.refuses() ?? null,
        },
        configuration: parts.configuration(),
        destinations: parts.destinations().map((one) => destinationView(one, failed)),
        certificates: [],
        failures,
      };
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

function destinationView(
  { name, description, health, paused, since, waiting, lastAnswerAt }: DestinationSnapshot,
  failed: ReadonlyMap<string, number>,
): AlarmSnapshot["destinations"][number] {
  // What got no answer proves nothing yet.
  const isProven = health.state !== "up" || health.interruptions === 0;
  return {
    name,
    description,
    state: paused === null ? health.state : "paused",
    since,
    reason: health.state === "up" ? "" : health.reason,
    queued: waiting,
    failed: failed.get(name) ?? 0,
    oldest: null,
    lastAnswerAt: isProven ? lastAnswerAt : null,
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

interface Folders {
  /** By destination. */
  readonly failed: ReadonlyMap<string, number>;
  readonly corrupt: number;
  readonly failures: readonly Failure[];
}

/** What lies in `failed/` and `corrupt/`. */
class SpoolFolders {
  readonly #files: FileSystem;
  readonly #paths: ReturnType<typeof spoolPaths>;
  readonly #clock: Clock;
  #lookedAt = -Infinity;
  #found: Folders = { failed: new Map(), corrupt: 0, failures: [] };

  constructor(files: FileSystem, spoolDir: string, clock: Clock) {
    this.#files = files;
    this.#paths = spoolPaths(spoolDir);
    this.#clock = clock;
  }

  look(): Folders {
    const now = this.#clock.now();
    // By the distance: the clock may have been set back.
    if (Math.abs(now - this.#lookedAt) < FOLDERS_MS) return this.#found;
    this.#lookedAt = now;
    const failed = new Map<string, number>();
    const failures: Failure[] = [];
    for (const one of listFailed(this.#files, this.#paths.failed)) {
      const count = (failed.get(one.destination) ?? 0) + 1;
      failed.set(one.destination, count);
      if (count > MOST_REASONS) continue;
      const { destination } = one;
      const reason = one.reason()?.reason;
      if (reason !== undefined) failures.push({ destination, reason, count: 1 });
    }
    let corrupt = 0;
    for (const name of this.#files.list(this.#paths.corrupt)) if (name.endsWith(".dcm")) corrupt++;
    return this.#found = { failed, corrupt, failures };
  }
}
