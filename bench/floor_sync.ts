/*
 * The floor of the disk, a program of its own: the bytes of files written into empty files made ahead of time, with one
 * fdatasync each, one after the other. Of the ways tried it is the fastest: open files, large writes, the sync in the same
 * thread. Smaller pieces, and having the kernel begin to write early, took as long or longer.
 *
 *     deno run --allow-read --allow-write bench/floor_sync.ts TARGET FILE...
 *
 * Reading is not timed, and goes into one buffer that is used again. That is no detail. On a virtual machine that gives free
 * memory back to its host, a page that was not used lately is slow to touch, and a program that takes fresh memory for each
 * file pushes the page cache onto such pages. Its writes then took 1.5 ms for 526 KB instead of 0.14 ms, its syncs no longer
 * than before; a buffer as long as the whole, for 200 MB, made the floor up to five times as high. The forwarder, which
 * receives into one buffer, too, was faster than such a floor.
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

/** Written at once, in bytes: most images whole. A buffer as long as the longest would need memory that is slow, see above. */
const PIECE = 1 << 20;

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

/** Copies a file in pieces and syncs the copy. Returns bytes, and the ms that writing and syncing took. */
function copySynced(path: string, slot: Deno.FsFile, buffer: Uint8Array): [number, number] {
  let bytes = 0;
  let wallMs = 0;
  const source = Deno.openSync(path);
  try {
    for (let got = 1; got > 0; bytes += got) {
      got = source.readSync(buffer) ?? 0;
      const began = performance.now();
      for (let at = 0; at < got;) at += slot.writeSync(buffer.subarray(at, got));
      wallMs += performance.now() - began;
    }
  } finally {
    source.close();
  }
  const began = performance.now();
  slot.syncDataSync();
  return [bytes, wallMs + performance.now() - began];
}

/**
 * Writes files to `target`, a folder that is made.
 *
 * Synchronous calls, because a sync that goes through the event loop takes longer, and this is to be a floor.
 */
export function measureSyncFloor(files: readonly string[], target: string): SyncFloor {
  Deno.mkdirSync(target);
  const buffer = new Uint8Array(PIECE);
  let slots: Deno.FsFile[] = [];
  let bytes = 0;
  let wallMs = 0;
  for (const [n, path] of files.entries()) {
    if (slots.length === 0) slots = makeAhead(target, n, Math.min(BATCH, files.length - n));
    const slot = slots.shift()!;
    const [length, ms] = copySynced(path, slot, buffer);
    slot.close();
    bytes += length;
    wallMs += ms;
  }
  return { files: files.length, bytes, wallMs };
}

if (import.meta.main) {
  const [target, ...files] = Deno.args;
  if (target === undefined || files.length === 0) {
    throw new Error("Usage: floor_sync.ts TARGET FILE...");
  }
  printLine(JSON.stringify(measureSyncFloor(files, target)));
}
