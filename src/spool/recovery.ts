/*
 * What a start makes of the spool's files: slots with a valid commit record become entries, other slots go, and names
 * alone rebuild the queue.
 *
 * Opens the few files in `incoming/` and none of the queue. It never deletes a committed instance; a file it does not
 * know is left where it is and reported.
 */

import { crc32 } from "node:zlib";
import { join } from "node:path";
import { type CommitRecord, readCommitRecord } from "./commit_record.ts";
import { Entry } from "./entry.ts";
import { parseName } from "./entry_name.ts";
import type { FileSystem } from "./file_system.ts";

/** The names of all buckets of the queue, `00` to `ff`. */
export function bucketNames(): string[] {
  return Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, "0"));
}

/** Reads the queue's names. `strange` gets the path of each file that is not the spool's. */
export function* listQueue(
  files: FileSystem,
  queueDirectory: string,
  strange: (path: string) => void,
): Generator<Entry> {
  for (const bucket of bucketNames()) {
    const directory = join(queueDirectory, bucket);
    for (const name of files.list(directory)) {
      const parsed = parseName(name);
      if (parsed === undefined || parsed.waiting.length === 0) {
        strange(join(directory, name));
        continue;
      }
      const { base, identity, waiting } = parsed;
      yield new Entry(base, identity.receivedMs, waiting, join(directory, name), true);
    }
  }
}

/**
 * The record of a slot that holds a committed instance: a valid record, the length it says, and a data set with its CRC.
 * Undefined where it does not.
 */
export function committedRecord(files: FileSystem, path: string): CommitRecord | undefined {
  const file = files.open(path, "read");
  try {
    const buffer = new Uint8Array(256 * 1024);
    const head = buffer.subarray(0, 128);
    const record = file.read(head) === 128 ? readCommitRecord(head) : undefined;
    if (record === undefined) return undefined;
    if (file.size() !== record.dataSetOffset + record.dataSetLength) return undefined;
    file.seek(record.dataSetOffset);
    let crc = 0;
    for (let got = file.read(buffer); got > 0; got = file.read(buffer)) {
      crc = crc32(buffer.subarray(0, got), crc);
    }
    return crc === record.crc32 ? record : undefined;
  } finally {
    file.close();
  }
}
