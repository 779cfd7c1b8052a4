/*
 * The spool's version: a program never touches a spool whose files mean something else than it thinks. And the error for
 * a spool that cannot be used.
 */

import { type FileSystem, readFully, systemErrorCode } from "./file_system.ts";

const VERSION = "1";

/** The spool cannot be used; the message says why and what to do. */
export class SpoolError extends Error {
  override readonly name = "SpoolError";
}

/** What to tell where a spool's disk does not do its part; an error that tells already stays as it is. */
export function unusable(directory: string, error: unknown): SpoolError {
  if (error instanceof SpoolError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new SpoolError(`The spool ${directory} cannot be written and synced: ${message}`, {
    cause: error,
  });
}

/**
/**
 * What a start does with the spool: an error of the system is one of the spool's then, said in a sentence.
 *
 * @throws {SpoolError} where the system does not do its part
 */
export async function orSpoolError<T>(directory: string, start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    throw systemErrorCode(error) === "" ? error : unusable(directory, error);
  }
}

/**
 * Compares the version in a spool with this program's. Changes nothing.
 *
 * @param path of the file VERSION
 * @returns false where none is written yet
 * @throws {SpoolError} where another version wrote the spool
 */
export function checkVersion(files: FileSystem, directory: string, path: string): boolean {
  const found = files.exists(path) ? readShort(files, path) : "";
  if (found === "") return false;
  if (found !== VERSION) {
    throw new SpoolError(
      `The spool ${directory} is of version ${
        JSON.stringify(found)
      }, this program reads version ${VERSION}: use the program that wrote it, or another spool_dir`,
    );
  }
  return true;
}

/** Writes the version. Under its name there is never less than all of it; the name is durable with the directory. */
export async function writeVersion(files: FileSystem, path: string): Promise<void> {
  const part = `${path}.part`;
  if (files.exists(part)) files.remove(part);
  const file = files.open(part, "create");
  try {
    file.write(new TextEncoder().encode(`${VERSION}\n`));
    await file.syncData();
  } finally {
    file.close();
  }
  files.rename(part, path);
}

function readShort(files: FileSystem, path: string): string {
  const file = files.open(path, "read");
  try {
    const bytes = new Uint8Array(64);
    // Zeros are, like an empty file, what a crash can leave of one whose text was not synced.
    return new TextDecoder().decode(bytes.subarray(0, readFully(file, bytes))).replaceAll("\0", "")
      .trim();
  } finally {
    file.close();
  }
}
