/*
 * The spool's version: a program never touches a spool whose files mean something else than it thinks.
 */

import { type FileSystem, replaceTextFile, systemErrorCode } from "./file_system.ts";

const VERSION = "1";

/** The spool cannot be used; the message says why and what to do. */
export class SpoolError extends Error {
  override readonly name = "SpoolError";
}

/**
 * What a start does with the spool: an error of the system is one of the spool's then, said in a sentence.
 *
 * @throws {SpoolError} where the system does not do its part
 */
export async function orSpoolError<T>(directory: string, start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    if (error instanceof SpoolError || systemErrorCode(error) === "") throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new SpoolError(`The spool ${directory} cannot be read or written: ${message}`, {
      cause: error,
    });
  }
}

/**
 * Writes the version into a new spool, and compares it in an old one.
 *
 * @param path of the file VERSION
 * @throws {SpoolError} where another version wrote the spool
 */
export function checkVersion(files: FileSystem, directory: string, path: string): void {
  const found = files.exists(path) ? readShort(files, path) : "";
  // An empty file is what a crash left of one being written: no program can have used that spool yet.
  if (found === "") {
    replaceTextFile(files, path, `${VERSION}\n`);
    return;
  }
  if (found !== VERSION) {
    throw new SpoolError(
      `The spool ${directory} is of version ${
        JSON.stringify(found)
      }, this program reads version ${VERSION}: use the program that wrote it, or another spool_dir`,
    );
  }
}

function readShort(files: FileSystem, path: string): string {
  const file = files.open(path, "read");
  try {
    const bytes = new Uint8Array(64);
    return new TextDecoder().decode(bytes.subarray(0, file.read(bytes))).trim();
  } finally {
    file.close();
  }
}
