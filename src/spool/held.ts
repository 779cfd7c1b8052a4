/*
 * Files that another program holds: which errors say so, and how long such a file is waited for.
 *
 * On Windows a virus scanner or an indexer opens each new file for up to some seconds without letting anybody rename or
 * delete it meanwhile. That is nobody's fault and passes, so the step is tried again; what is still held after ten seconds
 * stays as it is, for housekeeping to try.
 */

import type { Clock } from "../clock.ts";
import { systemErrorCode } from "./file_system.ts";

/** Waits between tries, in ms: doubling from the first to the most, until the sum is reached. */
const FIRST_MS = 10;
const MOST_MS = 100;
const ALL_MS = 10_000;

/** Busy is what it says everywhere. */
const BUSY: ReadonlySet<string> = new Set(["EBUSY"]);

/**
 * ERROR_ACCESS_DENIED (5; also said of a file whose removal waits for somebody to close it), ERROR_SHARING_VIOLATION (32),
 * ERROR_LOCK_VIOLATION (33), ERROR_DELETE_PENDING (303), ERROR_USER_MAPPED_FILE (1224), by the names the runtime has for
 * some. Elsewhere a lack of rights does not pass by waiting.
 */
const BUSY_ON_WINDOWS: ReadonlySet<string> = new Set([
  "EBUSY",
  "EPERM",
  "EACCES",
  "os error 5",
  "os error 32",
  "os error 33",
  "os error 303",
  "os error 1224",
]);

/** True where an error may pass by itself within seconds: another program has the file open. */
export function isHeld(error: unknown, system: typeof Deno.build.os = Deno.build.os): boolean {
  return (system === "windows" ? BUSY_ON_WINDOWS : BUSY).has(systemErrorCode(error));
}

/**
 * How long to wait after so many failed tries, in ms; undefined where they have taken ten seconds.
 *
 * @param tries 1 after the first
 */
export function waitAfter(tries: number): number | undefined {
  let sum = 0;
  let wait = FIRST_MS;
  for (let n = 1; n <= tries; n++) {
    wait = Math.min(MOST_MS, FIRST_MS * 2 ** (n - 1));
    sum += wait;
  }
  return sum <= ALL_MS ? wait : undefined;
}

/**
 * Does a step that a held file may stop: at once, and again for up to ten seconds.
 *
 * @throws what the step throws where that is something else, or the file is held for longer
 */
export async function patiently<T>(
  step: () => T | Promise<T>,
  after: Clock["after"],
): Promise<T> {
  for (let tries = 1;; tries++) {
    try {
      return await step();
    } catch (error) {
      const wait = isHeld(error) ? waitAfter(tries) : undefined;
      if (wait === undefined) throw error;
      await new Promise<void>((resolve) => void after(wait, resolve));
    }
  }
}
