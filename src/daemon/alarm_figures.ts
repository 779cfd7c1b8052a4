/*
 * How the forwarder is, as far as alarms ask, from the spool's folders.
 *
 * Owns the counts of what lies in `failed/` and `corrupt/`, which are looked through now and then, never for each look: they
 * may hold a lot.
 */

import type { Clock } from "../clock.ts";
import type { DestinationSnapshot } from "../delivery/delivery_setting.ts";
import { listFailed } from "../spool/failed.ts";
import type { FileSystem } from "../spool/file_system.ts";
import { FreeSpace } from "../spool/free_space.ts";
import { spoolPaths } from "../spool/paths.ts";
import type { AlarmFigures } from "./alarms.ts";

/** How often the folders are looked through, in ms. */
const FOLDERS_MS = 15_000;

export interface FigureParts {
  readonly spoolDir: string;
  readonly clock: Clock;
  readonly files: FileSystem;
  /** Bytes that must stay free for new instances to be taken. */
  readonly reserve: () => number;
  readonly destinations: () => readonly DestinationSnapshot[];
  /** Why the spool takes nothing now; undefined where it does. */
  readonly refuses: () => string | undefined;
  /** What the balance found missing; null until it is struck. */
  readonly missing: () => number | null;
  /** Why the configuration file is not in force; null where it is. */
  readonly configuration: () => string | null;
}

export class FiguresOfFolders {
  readonly #parts: FigureParts;
  readonly #space: FreeSpace;
  #lookedAt = -Infinity;
  /** By destination. */
  #failed = new Map<string, number>();
  #corrupt = 0;

  constructor(parts: FigureParts) {
    this.#parts = parts;
    this.#space = new FreeSpace(parts.files, parts.spoolDir, () => parts.clock.now());
  }

  now(): AlarmFigures {
    const { clock, destinations, refuses, missing, configuration, reserve } = this.#parts;
    this.#look();
    return {
      now: clock.now(),
      failed: [...this.#failed.values()].reduce((sum, count) => sum + count, 0),
      corrupt: this.#corrupt,
      missing: missing(),
      disk: {
        free: this.#space.bytes() ?? null,
        reserve: reserve(),
        refuses: refuses() ?? null,
      },
      configuration: configuration(),
      destinations: destinations().map((one) => viewOf(one, this.#failed.get(one.name) ?? 0)),
    };
  }

  #look(): void {
    const { clock, files, spoolDir } = this.#parts;
    const now = clock.now();
    // By the distance: the clock may have been set back.
    if (Math.abs(now - this.#lookedAt) < FOLDERS_MS) return;
    this.#lookedAt = now;
    const paths = spoolPaths(spoolDir);
    this.#failed = new Map();
    for (const { destination } of listFailed(files, paths.failed)) {
      this.#failed.set(destination, (this.#failed.get(destination) ?? 0) + 1);
    }
    this.#corrupt = 0;
    for (const name of files.list(paths.corrupt)) if (name.endsWith(".dcm")) this.#corrupt++;
  }
}

function viewOf(
  { name, description, health, paused, since, waiting, lastAnswerAt }: DestinationSnapshot,
  failed: number,
): AlarmFigures["destinations"][number] {
  return {
    name,
    description,
    state: paused === null ? health.state : "paused",
    since,
    reason: health.state === "up" ? "" : health.reason,
    queued: waiting,
    failed,
    oldest: null,
    // What got no answer proves nothing yet.
    lastAnswerAt: health.state === "up" && health.interruptions > 0 ? null : lastAnswerAt,
  };
}
