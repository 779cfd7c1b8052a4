/*
 * How much room there is where a folder is, or is going to be.
 */

import { dirname } from "node:path";
import { realFileSystem } from "../spool/file_system.ts";

/**
 * Free space on the volume of a folder, in words: `12.3 GB free`. A folder that is not there yet is made on the volume of
 * the nearest one that is.
 *
 * @param folder absolute
 */
export function freeSpaceText(folder: string): string {
  let there = folder;
  while (!isThere(there)) {
    const above = dirname(there);
    if (above === there) return "there is no such drive";
    there = above;
  }
  const bytes = realFileSystem.freeBytes(there);
  return bytes === undefined ? "free space unknown" : `${(bytes / 1e9).toFixed(1)} GB free`;
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch (error) {
    // What may not be looked at is there all the same.
    if (error instanceof Deno.errors.PermissionDenied) return true;
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw error;
  }
}
