/*
 * The floor of the disk, a program of its own: the bytes of files written into empty files made ahead of time, with one
 * fdatasync each, one after the other. Of the ways tried it is the fastest that Deno has: open files, one write of the whole,
 * the sync in the same thread. Writing in pieces, and having the kernel begin early, both took longer.
 *
 *     deno run --allow-read --allow-write bench/floor_sync.ts TARGET FILE...
 *
 * Reading is not timed, and goes into one buffer that is used again. That is no detail. On a virtual machine that gives free
 * memory back to its host, a page that was not used lately is slow to touch, and a program that takes fresh memory for each
 * file pushes the page cache onto such pages: its writes then took 1.5 ms for 526 KB instead of 0.14 ms, its syncs no
 * longer than before. A floor measured so was no floor, for the forwarder, which takes none, was faster.
 *
 * What may still be faster: several senders, whose syncs the file system commits together, and writing over files that
 * have their blocks already, whose sync has no new blocks to record. One sender that waits for each answer, sending into
 * new files, needs the time of the wire besides, as far as sending and writing do not overlap.
 *
 * Prints one JSON object; any error ends it with exit code 1.
 */

import { join } from "node:path";
import { printLine } from "../src/cli/terminal.ts";

/** What the program prints. */
export interface SyncFloor {
  readonly files: number;
  readonly bytes: number;
  /** Writing and syncing, in ms. */
  readonly wallMs: number;
}

/** Files made together: a spool cannot hold all it will ever need open, and neither does this. */
const BATCH = 32;

/** Makes empty files, puts their names on the disk, and leaves them open. */
function makeAhead(directory: string, first: number, count: number): Deno.FsFile[] {
  const files = Array.from(
    { length: count },
    (_, n) => Deno.openSync(join(directory, `${first + n}.part`), { write: true, createNew: true }),
  );
  const handle = Deno.openSync(directory);
  handle.syncSync();
  handle.close();
  return files;
}

function readWhole(path: string, into: Uint8Array): Uint8Array {
  const file = Deno.openSync(path);
  try {
    let at = 0;
    for (let got = 1; got > 0; at += got) got = file.readSync(into.subarray(at)) ?? 0;
    return into.subarray(0, at);
  } finally {
    file.close();
  }
}

function writeSynced(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
  file.syncDataSync();
}

/**
 * Writes files to `target`, a folder that is made.
 *
 * Synchronous calls, because a sync that goes through the event loop takes longer, and this is to be a floor.
 */
export function measureSyncFloor(files: readonly string[], target: string): SyncFloor {
  Deno.mkdirSync(target);
  const longest = Math.max(0, ...files.map((path) => Deno.statSync(path).size));
  const buffer = new Uint8Array(longest + 1);
  let slots: Deno.FsFile[] = [];
  let bytes = 0;
  let wallMs = 0;
  files.forEach((path, n) => {
    if (slots.length === 0) slots = makeAhead(target, n, Math.min(BATCH, files.length - n));
    const slot = slots.shift()!;
    const content = readWhole(path, buffer);
    const began = performance.now();
    writeSynced(slot, content);
    wallMs += performance.now() - began;
    slot.close();
    bytes += content.length;
  });
  return { files: files.length, bytes, wallMs };
}

if (import.meta.main) {
  const [target, ...files] = Deno.args;
  if (target === undefined || files.length === 0) {
    throw new Error("Usage: floor_sync.ts TARGET FILE...");
  }
  printLine(JSON.stringify(measureSyncFloor(files, target)));
}
