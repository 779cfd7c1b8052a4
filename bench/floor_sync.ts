/*
 * The floor of the disk, a program of its own: the bytes of files written into files made ahead of time, with one fdatasync
 * each. Nothing that answers for each image before the next one comes can be much faster on that disk: it may be a little,
 * for it can write the first part of an image with one processor while the rest still comes with another.
 *
 *     deno run --allow-read --allow-write bench/floor_sync.ts TARGET FILE...
 *
 * Reading is not timed, and goes into one buffer, as received bytes do. Prints one JSON object; any error ends it with exit
 * code 1.
 */

import { join } from "node:path";
import { printLine } from "../src/cli/terminal.ts";

/** What the program prints. */
export interface SyncFloor {
  readonly files: number;
  readonly bytes: number;
  /** Opening, writing, syncing and closing, in ms. */
  readonly wallMs: number;
}

/** Makes empty files and puts their names on the disk. */
function makeAhead(directory: string, count: number): string[] {
  Deno.mkdirSync(directory);
  const paths: string[] = [];
  for (let n = 0; n < count; n++) {
    const path = join(directory, `${n}.part`);
    Deno.openSync(path, { write: true, createNew: true }).close();
    paths.push(path);
  }
  const handle = Deno.openSync(directory);
  handle.syncSync();
  handle.close();
  return paths;
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

function writeSynced(path: string, bytes: Uint8Array): void {
  const file = Deno.openSync(path, { write: true });
  try {
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    file.syncDataSync();
  } finally {
    file.close();
  }
}

/**
 * Writes files to `target`, a folder that is made.
 *
 * Synchronous calls, because a sync that goes through the event loop takes longer, and this is to be a floor.
 */
export function measureSyncFloor(files: readonly string[], target: string): SyncFloor {
  const slots = makeAhead(target, files.length);
  const longest = Math.max(...files.map((path) => Deno.statSync(path).size));
  const buffer = new Uint8Array(longest + 1);
  let bytes = 0;
  let wallMs = 0;
  files.forEach((path, n) => {
    const content = readWhole(path, buffer);
    const began = performance.now();
    writeSynced(slots[n]!, content);
    wallMs += performance.now() - began;
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
