/*
 * Whether this machine's clock can be right, as far as that is seen without asking another machine: against the day this
 * program was made, the time stamp of a file just written, and the times of what waits in the spool.
 */

import type { Config } from "../config/load.ts";
import { realFileSystem } from "../spool/file_system.ts";
import { listItems } from "../spool/inspect.ts";
import { nearestFolder } from "./disk.ts";
import { type Finding, ok, problem, Rank, type Tell, warning } from "./finding.ts";

/** Nobody ran this program before, in ms since 1970. */
export const MADE_AT = Date.UTC(2025, 9, 1);

/** Clocks differ by more than this where one of them is wrong, in ms. */
const TOLERATED_MS = 60_000;
/** A file's time may be cut to 2 s (FAT); ms. */
const FILE_TOLERATED_MS = 5000;

/** Entries of the spool that are looked at. */
const MOST_ENTRIES = 10_000;

export interface ClockFacts {
  /** ms since 1970 */
  readonly now: number;
  /** How far the time of a new file is from the clock, in ms; undefined where none could be made. */
  readonly fileDifferenceMs: number | undefined;
  /** When the youngest in the spool was received, in ms since 1970; undefined where nothing waits. */
  readonly youngest: number | undefined;
}

/** Looks at the clock. */
export async function probeClock(config: Config, tell: Tell, now: () => number): Promise<void> {
  tell(judgeClock({
    now: now(),
    fileDifferenceMs: await fileDifference(config.spoolDir, now),
    youngest: youngest(config.spoolDir),
  }));
}

async function fileDifference(folder: string, now: () => number): Promise<number | undefined> {
  const there = nearestFolder(folder);
  if (there === undefined) return undefined;
  try {
    const path = await Deno.makeTempFile({
      dir: there,
      prefix: "dicomforwarder-",
      suffix: ".part",
    });
    try {
      const written = (await Deno.stat(path)).mtime?.getTime();
      return written === undefined ? undefined : Math.abs(written - now());
    } finally {
      await Deno.remove(path);
    }
  } catch {
    // That the folder takes no file is another probe's finding.
    return undefined;
  }
}

function youngest(spoolDir: string): number | undefined {
  let latest: number | undefined;
  let seen = 0;
  try {
    for (const { receivedMs } of listItems(realFileSystem, spoolDir)) {
      latest = Math.max(latest ?? 0, receivedMs);
      if (++seen === MOST_ENTRIES) break;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
  }
  return latest;
}

/** What the clock's facts mean. */
export function judgeClock({ now, fileDifferenceMs, youngest }: ClockFacts): Finding {
  const shown = new Date(now).toISOString().replace(/\.\d+Z$/, "Z");
  const change = {
    text: "Set this machine's clock, and have it kept by NTP: times in log and ledger follow it.",
    rank: Rank.Comfort,
  };
  if (now < MADE_AT) {
    return problem("clock", `it says ${shown}, before this program was made`, change);
  }
  if (youngest !== undefined && youngest > now + TOLERATED_MS) {
    const then = new Date(youngest).toISOString().replace(/\.\d+Z$/, "Z");
    return warning(
      "clock",
      `it says ${shown}, and the spool holds what was received at ${then}: it is wrong now, or was then`,
      change,
    );
  }
  if (fileDifferenceMs !== undefined && fileDifferenceMs > FILE_TOLERATED_MS) {
    return warning(
      "clock",
      `it says ${shown}, and a file written now is stamped ${
        Math.round(fileDifferenceMs / 1000)
      } s away from that: the spool's disk goes by another clock`,
      change,
    );
  }
  return ok("clock", `it says ${shown}, and nothing here contradicts it`);
}
