/*
 * `corrupt/`: files that do not match their own checksum, each beside a file that says why. Never sent, never deleted.
 */

import { join } from "node:path";
import { type FileSystem, replaceTextFile } from "./file_system.ts";

/**
 * Moves a damaged file there.
 *
 * @returns its path from then on
 * @throws what the file system throws; the file is where it was then
 */
export function moveToCorrupt(
  files: FileSystem,
  corrupt: string,
  path: string,
  base: string,
): string {
  let target = join(corrupt, `${base}.dcm`);
  // One of that name may lie there from another destination's folder: neither takes the other's place.
  for (let n = 2; files.exists(target); n++) target = join(corrupt, `${base}.${n}.dcm`);
  files.rename(path, target);
  return target;
}

/**
 * Writes why beside a file that was moved there.
 *
 * @param now ms since 1970
 * @throws what the file system throws
 */
export function noteReason(files: FileSystem, target: string, reason: string, now: number): void {
  const note = JSON.stringify({ reason, when: new Date(now).toISOString() }, null, 2);
  replaceTextFile(files, target.replace(/\.dcm$/, ".json"), `${note}\n`);
}
