/*
 * What a start makes of the spool's files: slots with a valid commit record become entries, other slots go, and names
 * alone rebuild the queue.
 *
 * Opens the few files in `incoming/` and none of the queue. It never deletes a committed instance; a file it does not
 * know is left where it is and reported.
 */

import { crc32 } from "node:zlib";
import { basename, join } from "node:path";
import { beginsRecord, type CommitRecord, isOfSlot, readCommitRecord } from "./commit_record.ts";
import { Entry } from "./entry.ts";
import {
  baseLength,
  type EntryIdentity,
  isBase,
  parseName,
  receivedMsOf,
  sequenceOf,
} from "./entry_name.ts";
import { type FileSystem, readFully, type SpoolFile } from "./file_system.ts";
import type { spoolPaths } from "./paths.ts";
import { WaitingLists } from "./waiting_lists.ts";

/** The names of all buckets of the queue, `00` to `ff`. */
export function bucketNames(): string[] {
  return Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, "0"));
}

/**
 * The queue as its names say.
 *
 * @param strange gets the path of each file that is not the spool's
 */
export function* listQueue(
  files: FileSystem,
  queueDirectory: string,
  strange: (path: string) => void,
): Generator<Entry> {
  const lists = new WaitingLists();
  for (const bucket of bucketNames()) {
    const folder = join(queueDirectory, bucket);
    for (const name of files.list(folder)) {
      const entry = entryOf(folder, name, lists);
      if (entry === undefined) strange(join(folder, name));
      else yield entry;
    }
  }
}

/** The same for a start, when nothing moves in it: no folder's names are all in memory at once. */
export async function readQueue(
  files: FileSystem,
  queueDirectory: string,
  strange: (path: string) => void,
  lists: WaitingLists,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  await visitQueue(files, queueDirectory, lists, (entry) => entries.push(entry), strange);
  return entries;
}

/** The same, one entry after the other: of what moves meanwhile, one may be left out or come twice. */
export async function visitQueue(
  files: FileSystem,
  queueDirectory: string,
  lists: WaitingLists,
  take: (entry: Entry) => void,
  strange: (path: string) => void,
): Promise<void> {
  for (const bucket of bucketNames()) {
    const folder = join(queueDirectory, bucket);
    await files.listLater(folder, (name) => {
      const entry = entryOf(folder, name, lists);
      if (entry === undefined) strange(join(folder, name));
      else take(entry);
    });
  }
}

/** The entry whose file it is; undefined where the name is not one of the queue's. */
function entryOf(folder: string, name: string, lists: WaitingLists): Entry | undefined {
  const base = name.slice(0, baseLength(name));
  const list = isBase(base) ? lists.read(name.slice(base.length)) : undefined;
  if (list === undefined || list.waiting.length === 0) return undefined;
  return new Entry(base, list.waiting, folder, list.ending);
}

/** Entries in the order in which they were received. */
export function inOrderReceived(entries: readonly Entry[]): Entry[] {
  // Read from the names once each: a sort of a million compares twenty million times.
  const received = new Float64Array(entries.length);
  const sequence = new Float64Array(entries.length);
  const order = new Uint32Array(entries.length);
  for (const [n, { base }] of entries.entries()) {
    received[n] = receivedMsOf(base);
    sequence[n] = sequenceOf(base);
    order[n] = n;
  }
  order.sort((a, b) => received[a]! - received[b]! || sequence[a]! - sequence[b]!);
  const sorted = new Array<Entry>(entries.length);
  for (let n = 0; n < sorted.length; n++) sorted[n] = entries[order[n]!]!;
  return sorted;
}

/** The highest sequence in use in `retry/` and `corrupt/`; 0 where nothing lies there. */
export function highestAside(
  files: FileSystem,
  { retry, corrupt }: ReturnType<typeof spoolPaths>,
): number {
  let highest = 0;
  for (const directory of [retry, corrupt]) {
    for (const name of files.list(directory)) {
      highest = Math.max(highest, parseName(name)?.identity.sequence ?? 0);
    }
  }
  return highest;
}

/** What a slot is found to hold. */
export type SlotState =
  | { readonly state: "committed"; readonly record: CommitRecord }
  /** No record, or one of what the file held before it became a slot: it was never answered. */
  | { readonly state: "uncommitted" }
  /** A record, but not the data it speaks of, or one that does not check. */
  | { readonly state: "damaged"; readonly record: EntryIdentity; readonly problem: string };

/** What stands for a record that cannot be read. */
const UNKNOWN: EntryIdentity = { receivedMs: 0, sequence: 0, studyHash: 0, crc32: 0 };

/**
 * Reads a slot through: the record, the length it says, and the CRC of the data set. What is found committed is on the
 * disk afterwards: a program that was killed in its sync leaves bytes which are so far only in memory.
 */
export async function examineSlot(files: FileSystem, path: string): Promise<SlotState> {
  const file = files.open(path, "read");
  try {
    const buffer = new Uint8Array(256 * 1024);
    const head = buffer.subarray(0, 128);
    if (readFully(file, head) < 128 || !beginsRecord(head)) return { state: "uncommitted" };
    const record = readCommitRecord(head);
    if (record === undefined) {
      // A crash hardly leaves a part of a record: this may have been answered, and the disk did not keep it.
      return { state: "damaged", record: UNKNOWN, problem: `${path} has no valid commit record` };
    }
    if (!isOfSlot(record, basename(path))) return { state: "uncommitted" };
    const wanted = record.dataSetOffset + record.dataSetLength;
    const size = file.size();
    if (size < wanted) {
      const problem = `${path} is ${size} bytes long, its record says ${wanted}`;
      return { state: "damaged", record, problem };
    }
    file.seek(record.dataSetOffset);
    if (crcOfNext(file, record.dataSetLength, buffer) !== record.crc32) {
      return { state: "damaged", record, problem: `${path} does not match its checksum` };
    }
    if (size > wanted) {
      // The slot was longer before, and a crash came between the record and the disk's word that the rest is gone.
      await cut(files, path, wanted);
      return { state: "committed", record };
    }
    try {
      await file.syncData();
    } catch {
      // Not every system syncs a file opened for reading, and what was answered has been synced before.
    }
    return { state: "committed", record };
  } finally {
    file.close();
  }
}

/** CRC-32 of the next `length` bytes, or of fewer where the file ends before. */
function crcOfNext(file: SpoolFile, length: number, buffer: Uint8Array): number {
  let crc = 0;
  for (let left = length; left > 0;) {
    const got = file.read(buffer.subarray(0, Math.min(left, buffer.length)));
    if (got === 0) break;
    crc = crc32(buffer.subarray(0, got), crc);
    left -= got;
  }
  return crc;
}

async function cut(files: FileSystem, path: string, length: number): Promise<void> {
  const file = files.open(path, "update");
  try {
    file.truncate(length);
    await file.syncData();
  } finally {
    file.close();
  }
}
