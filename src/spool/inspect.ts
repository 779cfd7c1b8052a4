/*
 * The spool as seen from outside the daemon: what waits, what failed, and the two things a person may do about it.
 *
 * Works on the directory alone, whether a daemon runs on it or not. Every change is one rename or one removal of a file,
 * which the daemon finds: what is put back by way of `retry/`, what was removed when it opens it.
 */

import { join } from "node:path";
import { formatName, parseName } from "./entry_name.ts";
import { type FailedInstance, listFailed } from "./failed.ts";
import type { FileSystem } from "./file_system.ts";
import { listQueue } from "./recovery.ts";
import { spoolPaths } from "./paths.ts";

/** One instance waiting for one destination, or given up for it. */
export interface QueueItem {
  /** What `queue retry` and `queue remove` call it. */
  readonly id: string;
  readonly destination: string;
  readonly state: "queued" | "failed";
  /** ms since 1970 */
  readonly receivedMs: number;
  readonly tries: number;
  readonly path: string;
  /** Why it failed. */
  readonly reason?: string;
}

/** Everything in the queue and in `failed/`, an item for each destination. */
export function* listItems(files: FileSystem, directory: string): Generator<QueueItem> {
  const paths = spoolPaths(directory);
  // Files that are not the spool's are the daemon's to report.
  for (const entry of listQueue(files, paths.queue, () => {})) {
    for (const { destination, tries } of entry.waiting) {
      const { base: id, receivedMs, path } = entry;
      yield { id, destination, state: "queued", receivedMs, tries, path };
    }
  }
  for (const failed of listFailed(files, paths.failed)) yield fromFailed(failed);
}

function fromFailed({ base, destination, identity, path, reason }: FailedInstance): QueueItem {
  const why = reason();
  return {
    id: base,
    destination,
    state: "failed",
    receivedMs: identity.receivedMs,
    tries: why?.tries ?? 0,
    path,
    reason: why?.reason ?? "the reason was not written down",
  };
}

/** Damaged files set aside. */
export function countCorrupt(files: FileSystem, directory: string): number {
  let count = 0;
  for (const name of files.list(spoolPaths(directory).corrupt)) {
    if (parseName(name) !== undefined) count++;
  }
  return count;
}

/** Instances put back that no daemon has taken yet. */
export function countRetry(files: FileSystem, directory: string): number {
  return [...files.list(spoolPaths(directory).retry)].length;
}

/** Puts a failed item back: the daemon takes it within a second, or when it starts. */
export function retryItem(files: FileSystem, directory: string, item: QueueItem): void {
  const { retry } = spoolPaths(directory);
  files.makeDirectory(retry);
  const name = formatName(item.id, [{ destination: item.destination, tries: 0 }]);
  files.rename(item.path, join(retry, name));
  removeIfThere(files, item.path.replace(/\.dcm$/, ".json"));
}

/**
 * Removes an item for good. Of an instance that waits for other destinations, too, only this destination is taken out.
 */
export function removeItem(files: FileSystem, item: QueueItem): void {
  if (item.state === "failed") {
    files.remove(item.path);
    removeIfThere(files, item.path.replace(/\.dcm$/, ".json"));
    return;
  }
  const slash = Math.max(item.path.lastIndexOf("/"), item.path.lastIndexOf("\\"));
  const bucket = item.path.slice(0, slash);
  // Another item of the same file may have been removed since the listing: look again.
  for (const name of files.list(bucket)) {
    const parsed = parseName(name);
    if (parsed?.base !== item.id) continue;
    const left = parsed.waiting.filter((one) => one.destination !== item.destination);
    if (left.length === parsed.waiting.length) continue;
    if (left.length === 0) files.remove(join(bucket, name));
    else files.rename(join(bucket, name), join(bucket, formatName(item.id, left)));
    return;
  }
}

function removeIfThere(files: FileSystem, path: string): void {
  if (files.exists(path)) files.remove(path);
}
