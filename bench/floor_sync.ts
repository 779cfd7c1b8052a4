/*
 * The floor of the disk, a program of its own: the bytes of a folder's files written into files made ahead of time, with
 * one fdatasync each. Nothing that answers for each image one after the other can be faster on that disk.
 *
 *     deno run --allow-read --allow-write bench/floor_sync.ts SOURCE TARGET
 *
 * Reading the source is not timed. Prints one JSON object; any error ends it with exit code 1.
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
 * Writes the files of `source` to `target`, a folder that is made.
 *
 * Synchronous calls, because a sync that goes through the event loop takes longer, and this is to be a floor.
 */
export function measureSyncFloor(source: string, target: string): SyncFloor {
  const names = [...Deno.readDirSync(source)].map((entry) => entry.name).sort();
  const slots = makeAhead(target, names.length);
  let bytes = 0;
  let wallMs = 0;
  names.forEach((name, n) => {
    const content = Deno.readFileSync(join(source, name));
    const began = performance.now();
    writeSynced(slots[n]!, content);
    wallMs += performance.now() - began;
    bytes += content.length;
  });
  return { files: names.length, bytes, wallMs };
}

if (import.meta.main) {
  const [source, target] = Deno.args;
  if (source === undefined || target === undefined) {
    throw new Error("Usage: floor_sync.ts SOURCE TARGET");
  }
  printLine(JSON.stringify(measureSyncFloor(source, target)));
}
