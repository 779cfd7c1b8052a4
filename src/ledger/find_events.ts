/*
 * What the ledger says of one instance, for who looks at it: found without reading lines that are not about it.
 *
 * Looks from the day it was received on, and no further than so many bytes: of a longer ledger the beginning, where it was
 * accepted, and the end. Reads and never writes.
 */

import { Buffer } from "node:buffer";
import { join } from "node:path";
import type { FileSystem } from "../spool/file_system.ts";
import { receivedMsOf } from "../spool/entry_name.ts";
import { type LedgerEvent, parseEvent } from "./event.ts";
import { ledgerFiles, parseFileName } from "./files.ts";

/** Read at once, in bytes; looking through it takes a fraction of a millisecond. */
const CHUNK = 1024 * 1024;

/** A line longer than this, in bytes, is not the ledger's. */
const LONGEST_LINE = 64 * 1024;

const FEED = 0x0a;

export interface Found {
  /** In the order written. */
  readonly events: readonly LedgerEvent[];
  /** False where the ledger was too long to be looked through. */
  readonly complete: boolean;
}

/**
 * The events of an instance.
 *
 * @param id its name in the spool
 * @param most bytes looked through
 * @throws what the file system throws
 */
export async function findEvents(
  files: FileSystem,
  directory: string,
  id: string,
  most: number,
): Promise<Found> {
  const day = new Date(receivedMsOf(id)).toISOString().slice(0, 10).replaceAll("-", "");
  const names = ledgerFiles(files, directory).filter((name) => parseFileName(name)!.day >= day);
  const sizes = new Map<string, number>();
  for (const name of names) {
    const size = sizeOf(files, join(directory, name));
    if (size !== undefined) sizes.set(name, size);
  }
  const parts = partsOf(sizes, most);
  const seen = new Set<string>();
  const events: LedgerEvent[] = [];
  for (const { name, from, until } of parts.parts) {
    await linesWith(files, join(directory, name), id, from, until, (line) => {
      // A batch that was written anew comes twice, to the letter.
      if (seen.has(line)) return;
      seen.add(line);
      const event = parseEvent(line);
      if (event?.id === id) events.push(event);
    });
  }
  return { events, complete: parts.complete };
}

interface Part {
  readonly name: string;
  readonly from: number;
  readonly until: number;
}

/** What is looked through: all of it, or half from the beginning and half from the end. */
function partsOf(
  sizes: ReadonlyMap<string, number>,
  most: number,
): { parts: Part[]; complete: boolean } {
  let all = 0;
  for (const size of sizes.values()) all += size;
  const parts: Part[] = [];
  const firstUntil = all <= most ? all : most / 2;
  const lastFrom = all <= most ? all : all - most / 2;
  let at = 0;
  for (const [name, size] of sizes) {
    const until = Math.min(size, Math.floor(firstUntil - at));
    if (until > 0) parts.push({ name, from: 0, until });
    const from = Math.max(0, Math.ceil(lastFrom - at));
    if (from < size) parts.push({ name, from, until: size });
    at += size;
  }
  return { parts, complete: all <= most };
}

function sizeOf(files: FileSystem, path: string): number | undefined {
  try {
    return files.measure(path).size;
  } catch (error) {
    // Too old, and removed meanwhile.
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Gives each whole line between two places that has the text in it. */
async function linesWith(
  files: FileSystem,
  path: string,
  text: string,
  from: number,
  until: number,
  take: (line: string) => void,
): Promise<void> {
  const file = files.open(path, "read");
  try {
    file.seek(from);
    const buffer = new Uint8Array(CHUNK + LONGEST_LINE);
    let used = 0;
    for (let left = until - from; left > 0;) {
      const room = buffer.subarray(used, Math.min(buffer.length, used + left));
      const got = await file.readLater(room);
      if (got === 0) return;
      left -= got;
      used += got;
      const bytes = Buffer.from(buffer.buffer, 0, used);
      const end = bytes.lastIndexOf(FEED) + 1;
      // A character for each byte: the engine looks through a text many times as fast as the library through bytes.
      const letters = bytes.toString("latin1");
      for (let at = letters.indexOf(text); at >= 0 && at < end;) {
        const begin = at === 0 ? 0 : letters.lastIndexOf("\n", at) + 1;
        const feed = letters.indexOf("\n", at);
        take(bytes.toString("utf8", begin, feed));
        at = letters.indexOf(text, feed);
      }
      // What is left is the beginning of a line; one that is too long is none.
      const rest = used - end > LONGEST_LINE ? 0 : used - end;
      buffer.copyWithin(0, end, end + rest);
      used = rest;
    }
  } finally {
    file.close();
  }
}
