/*
 * The spool's version: a program never touches a spool whose files mean something else than it thinks. And the error for
 * a spool that cannot be used.
 */

import { type FileSystem, replaceTextFile } from "./file_system.ts";

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
