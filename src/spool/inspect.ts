/*
 * The spool as seen from outside the daemon: what waits, what failed, what is held, and what a person may do about it.
 *
 * Works on the directory alone, whether a daemon runs on it or not. Every change is one rename or one removal of a file,
 * which the daemon finds: what is put back by way of `retry/`, what was removed when it opens it.
 */

import { basename, join } from "node:path";
import { PREAMBLE_LENGTH } from "../dicom/part10.ts";
import { isOfSlot, isSlotName, readCommitRecord } from "./commit_record.ts";
import { formatBase, formatName, namesLeft, parseName } from "./entry_name.ts";
import type { Entry } from "./entry.ts";
import { type FailedInstance, type FailureReason, listFailed, UNROUTED } from "./failed.ts";
import type { FileSystem } from "./file_system.ts";
import { isHeld } from "./held.ts";
import { listQueue, visitQueue } from "./recovery.ts";
import { spoolPaths } from "./paths.ts";
import { WaitingLists } from "./waiting_lists.ts";

/** One instance waiting for one destination, or given up for it. */
export interface QueueItem {
  /** What `queue retry` and `queue remove` call it. */
  readonly id: string;
  readonly destination: string;
  readonly state: "queued" | "failed" | "held";
  /** ms since 1970 */
  readonly receivedMs: number;
  readonly tries: number;
  readonly path: string;
  /** Why it failed, or is held. */
  readonly reason?: string;
}

/** Everything in the queue, in `failed/` and in `held/`, an item for each destination. */
export function* listItems(files: FileSystem, directory: string): Generator<QueueItem> {
  const paths = spoolPaths(directory);
  // Files that are not the spool's are the daemon's to report.
  for (const entry of listQueue(files, paths.queue, () => {})) yield* fromQueued(entry);
  for (const failed of listFailed(files, paths.failed)) yield fromApart(failed, "failed");
  for (const held of listFailed(files, paths.held)) yield fromApart(held, "held");
}

/**
 * The same without holding them: `take` gets each. A forwarder at work may move some meanwhile, so that they are left out
 * or come twice.
 */
export async function visitItems(
  files: FileSystem,
  directory: string,
  take: (item: QueueItem) => void,
): Promise<void> {
  const paths = spoolPaths(directory);
  await visitQueue(files, paths.queue, new WaitingLists(), (entry) => {
    for (const item of fromQueued(entry)) take(item);
  }, () => {});
  for (const failed of listFailed(files, paths.failed)) take(fromApart(failed, "failed"));
  for (const held of listFailed(files, paths.held)) take(fromApart(held, "held"));
}

/** What was put back and no daemon has taken yet: it waits, and is still a file in `retry/`. */
export function* listPutBack(files: FileSystem, directory: string): Generator<QueueItem> {
  const { retry } = spoolPaths(directory);
  for (const name of files.list(retry)) {
    const parsed = parseName(name);
    for (const { destination, tries } of parsed?.waiting ?? []) {
      yield {
        id: parsed!.base,
        destination,
        state: "queued",
        receivedMs: parsed!.identity.receivedMs,
        tries,
        path: join(retry, name),
        reason: "put back; the forwarder takes it within a second, or when it starts",
      };
    }
  }
}

function fromQueued(entry: Entry): QueueItem[] {
  const { base: id, receivedMs, path } = entry;
  return entry.waiting.map(({ destination, tries }) => ({
    id,
    destination,
    state: "queued",
    receivedMs,
    tries,
    path,
  }));
}

/** The reason is in a file of its own, which is opened for who asks for it: to count a hundred thousand needs none. */
function fromApart(
  { base, destination, identity, path, reason }: FailedInstance,
  state: "failed" | "held",
): QueueItem {
  let known: { readonly why: FailureReason | undefined } | undefined;
  const why = () => (known ??= { why: reason() }).why;
  return {
    id: base,
    destination,
    state,
    receivedMs: identity.receivedMs,
    get tries() {
      return why()?.tries ?? 0;
    },
    path,
    get reason() {
      return why()?.reason ?? "the reason was not written down";
    },
  };
}

/** Where an instance is, for one destination, or for all it was meant for. */
export interface Whereabouts {
  readonly id: string;
  /**
   * Undefined where the file's name does not say: damaged ones, those that could not be moved into the queue, and those
   * whose way from `unrouted` to where they were routed a crash undid.
   */
  readonly destination: string | undefined;
  readonly state: "queued" | "failed" | "held" | "corrupt";
}

/** Every instance in the spool, by names alone but for the few that wait in `incoming/`. */
export function* whereabouts(files: FileSystem, directory: string): Generator<Whereabouts> {
  const paths = spoolPaths(directory);
  for (const name of files.list(paths.incoming)) {
    const id = idOfSlot(files, join(paths.incoming, name));
    if (id !== undefined) yield { id, destination: undefined, state: "queued" };
  }
  for (const name of files.list(paths.retry)) {
    const parsed = parseName(name);
    for (const { destination } of parsed?.waiting ?? []) {
      yield { id: parsed!.base, destination: routed(destination), state: "queued" };
    }
  }
  for (const { base: id, waiting } of listQueue(files, paths.queue, () => {})) {
    for (const { destination } of waiting) {
      yield { id, destination: routed(destination), state: "queued" };
    }
  }
  for (const { base: id, destination } of listFailed(files, paths.failed)) {
    yield { id, destination: routed(destination), state: "failed" };
  }
  for (const { base: id, destination } of listFailed(files, paths.held)) {
    yield { id, destination, state: "held" };
  }
  for (const name of files.list(paths.corrupt)) {
    const parsed = parseName(name);
    if (parsed !== undefined) yield { id: parsed.base, destination: undefined, state: "corrupt" };
  }
}

function routed(destination: string): string | undefined {
  return destination === UNROUTED ? undefined : destination;
}

/** The committed instance that a slot holds, if it does. */
function idOfSlot(files: FileSystem, path: string): string | undefined {
  const name = basename(path);
  if (!isSlotName(name)) return undefined;
  try {
    const file = files.open(path, "read");
    try {
      const head = new Uint8Array(PREAMBLE_LENGTH);
      const record = file.read(head) === head.length ? readCommitRecord(head) : undefined;
      return record === undefined || !isOfSlot(record, name) ? undefined : formatBase(record);
    } finally {
      file.close();
    }
  } catch (error) {
    // Moved into the queue, or given back, between the listing and now.
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
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
  let count = 0;
  for (const name of files.list(spoolPaths(directory).retry)) {
    if (parseName(name) !== undefined) count++;
  }
  return count;
}

/** Puts an item back that failed or is held: the daemon takes it within a second, or when it starts. */
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
  if (item.state !== "queued") {
    files.remove(item.path);
    removeIfThere(files, item.path.replace(/\.dcm$/, ".json"));
    return;
  }
  const now = nameNow(files, item);
  if (now === undefined) return;
  if (now.less === undefined) files.remove(now.path);
  else files.rename(now.path, now.less);
}

/** The file of a queued item by the name that it has now. */
export interface NameNow {
  readonly path: string;
  /** Its name without the item's destination; undefined where it waits for no other. */
  readonly less: string | undefined;
  /** The folder it is in. */
  readonly folder: string;
}

/** Looks a queued item's file up; undefined where it does not wait for that destination any more. */
export function nameNow(files: FileSystem, item: QueueItem): NameNow | undefined {
  const slash = Math.max(item.path.lastIndexOf("/"), item.path.lastIndexOf("\\"));
  const folder = item.path.slice(0, slash);
  // Another item of the same file may have been removed since the listing: look again, in all of the bucket only where
  // there is no telling what it is called then. There may be a million names in it, and as many items to remove.
  for (const name of namesLeft(item.path.slice(slash + 1)) ?? files.list(folder)) {
    const parsed = parseName(name);
    if (parsed?.base !== item.id || !files.exists(join(folder, name))) continue;
    const left = parsed.waiting.filter((one) => one.destination !== item.destination);
    if (left.length === parsed.waiting.length) continue;
    const less = left.length === 0 ? undefined : join(folder, formatName(item.id, left));
    return { path: join(folder, name), less, folder };
  }
  return undefined;
}

/** Removes the reason beside an instance that is not there any more. */
export function removeIfThere(files: FileSystem, path: string): void {
  try {
    if (files.exists(path)) files.remove(path);
  } catch (error) {
    // A reason without its instance says nothing any more; a start removes it.
    if (!isHeld(error)) throw error;
  }
}
