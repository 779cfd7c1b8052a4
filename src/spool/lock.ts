/*
 * The lock on a spool: two daemons on one directory would each deliver, rename and recover under the other's hands.
 *
 * Owns the open LOCK file. The system releases the lock when the process ends, however it ends, so a crash leaves none.
 */

import { systemClock } from "../clock.ts";
import { patiently } from "./held.ts";
import { spoolPaths } from "./paths.ts";
import { SpoolError } from "./version.ts";

/** A held lock; dispose it to let go. */
export interface SpoolLock {
  release(): void;
}

/**
 * Locks a spool for this process.
 *
 * @throws {SpoolError} where another process holds it, or the folder cannot be made or written
 */
export async function lockSpool(directory: string): Promise<SpoolLock> {
  const { lock } = spoolPaths(directory);
  let file: Deno.FsFile;
  try {
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
    file = await patiently(
      () => Deno.openSync(lock, { create: true, read: true, write: true, mode: 0o600 }),
      systemClock.after,
    );
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new SpoolError(`The spool ${directory} cannot be made or written: ${message}`, {
      cause: error,
    });
  }
  // `spoolIsLocked` in another process holds the lock for an instant: that alone must not refuse a start.
  for (let attempt = 0; attempt < 5; attempt++) {
    if (file.tryLockSync(true)) return { release: () => file.close() };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  file.close();
  throw new SpoolError(
    `The spool ${directory} is in use by another running forwarder: stop that one, or set another spool_dir`,
  );
}

/** True where some process holds the lock of this spool, which is to say that a daemon is running on it. */
export function spoolIsLocked(directory: string): boolean {
  const { lock } = spoolPaths(directory);
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(lock, { read: true, write: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
  const free = file.tryLockSync(false);
  file.close();
  return !free;
}
