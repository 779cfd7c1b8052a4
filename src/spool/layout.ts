/*
 * What a spool has before anything is in it: its folders and its version, on the disk with every name on the way there.
 *
 * Makes what is missing and removes nothing. An instance in a folder whose own name can be lost is not kept at all.
 */

import { join } from "node:path";
import { type FileSystem, syncAbove } from "./file_system.ts";
import { spoolPaths } from "./paths.ts";
import { bucketNames } from "./recovery.ts";
import { writeVersion } from "./version.ts";

/**
 * Makes what is missing in a spool whose version has been checked.
 *
 * Everything is synced whether it was missing or not: who made it may have been killed before the sync.
 */
export async function makeSpool(
  files: FileSystem,
  directory: string,
  hasVersion: boolean,
): Promise<void> {
  const { version, incoming, queue, failed, held, retry, corrupt, ledger } = spoolPaths(directory);
  for (const path of [incoming, queue, failed, held, retry, corrupt, ledger]) {
    files.makeDirectory(path);
  }
  for (const bucket of bucketNames()) files.makeDirectory(join(queue, bucket));
  if (!hasVersion) await writeVersion(files, version);
  await files.syncDirectory(queue);
  await files.syncDirectory(directory);
  await syncAbove(files, directory);
}
