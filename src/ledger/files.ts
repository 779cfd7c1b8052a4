/*
 * The ledger's files: their names, their order, and their lines.
 *
 * Reads and never writes. Lines come in the order in which they were written, but for days that a clock was set back to.
 * The ledger of a running forwarder grows while it is read: a reading ends where the files ended when it reached them,
 * and a later one can go on from there.
 */

import { join } from "node:path";
import type { FileSystem } from "../spool/file_system.ts";
import { type AccountEvent, type LedgerEvent, parseEvent, parseForAccount } from "./event.ts";

const FILE_NAME = /^(\d{8})(?:-(\d{1,6}))?\.jsonl$/;

/** Read at once, in bytes: a few hundred lines, so that a reading in the background leaves others their turn. */
const CHUNK = 128 * 1024;

/** A line longer than this, in bytes, is not the ledger's. */
const LONGEST_LINE = 64 * 1024;

/** `YYYYMMDD.jsonl`, and `YYYYMMDD-2.jsonl` where the first one of the day could not be trusted any more. */
export function ledgerFileName(day: string, number: number): string {
  return number === 1 ? `${day}.jsonl` : `${day}-${number}.jsonl`;
}

/** The day (YYYYMMDD) and number that a file's name says; undefined where it is none of the ledger's. */
export function parseFileName(name: string): { day: string; number: number } | undefined {
  const match = FILE_NAME.exec(name);
  return match === null ? undefined : { day: match[1]!, number: Number(match[2] ?? 1) };
}

/** The ledger's files, oldest first. */
export function ledgerFiles(files: FileSystem, directory: string): string[] {
  return [...files.list(directory)]
    .flatMap((name) => {
      const parsed = parseFileName(name);
      return parsed === undefined ? [] : [{ name, ...parsed }];
    })
    .sort((a, b) => a.day < b.day ? -1 : a.day > b.day ? 1 : a.number - b.number)
    .map((one) => one.name);
}

/** How far a reading has come: the end of each file read, in bytes. */
export type Place = ReadonlyMap<string, number>;

/** What a reading found. */
export interface Reading {
  /** Where a later reading goes on. */
  readonly place: Place;
  /** Lines that are none of the ledger's: cut short by a crash, or damaged. */
  readonly unreadable: number;
}

/**
 * Reads every line there is.
 *
 * @param take gets each event
 * @param from where an earlier reading ended
 * @throws what the file system throws
 */
export function readLedger(
  files: FileSystem,
  directory: string,
  take: (event: LedgerEvent) => void,
  from: Place = new Map(),
  signal?: AbortSignal,
): Promise<Reading> {
  return readAs(parseEvent, files, directory, take, from, signal);
}

/**
 * The same for what an account needs of each.
 *
 * @throws what the file system throws
 */
export function readForAccount(
  files: FileSystem,
  directory: string,
  take: (event: AccountEvent) => void,
  from: Place = new Map(),
  signal?: AbortSignal,
): Promise<Reading> {
  return readAs(parseForAccount, files, directory, take, from, signal);
}

async function readAs<Event>(
  parse: (line: string) => Event | undefined,
  files: FileSystem,
  directory: string,
  take: (event: Event) => void,
  from: Place,
  signal: AbortSignal | undefined,
): Promise<Reading> {
  const place = new Map(from);
  let unreadable = 0;
  for (const name of ledgerFiles(files, directory)) {
    const takeLine = (line: string) => {
      const event = parse(line);
      if (event === undefined) unreadable++;
      else take(event);
    };
    try {
      const path = join(directory, name);
      place.set(name, await readLines(files, path, place.get(name) ?? 0, takeLine, signal));
    } catch (error) {
      // Too old, and removed between the listing and now; or a folder, which holds no lines.
      if (
        !(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.IsADirectory)
      ) throw error;
    }
  }
  return { place, unreadable };
}

/**
 * The last events before the ledger's end: those of its last so many bytes.
 *
 * @throws what the file system throws
 */
export async function readTail(
  files: FileSystem,
  directory: string,
  bytes: number,
): Promise<LedgerEvent[]> {
  const from = new Map<string, number>();
  let left = bytes;
  for (const name of ledgerFiles(files, directory).reverse()) {
    const file = files.open(join(directory, name), "read");
    const size = file.size();
    file.close();
    from.set(name, Math.max(0, size - left));
    left = Math.max(0, left - size);
  }
  const events: LedgerEvent[] = [];
  // The first line of each may be half a line, which is none.
  await readLedger(files, directory, (event) => events.push(event), from);
  return events;
}

/** Reads the whole lines of a file from an offset on; returns where the last of them ends. Empty lines are passed over. */
async function readLines(
  files: FileSystem,
  path: string,
  from: number,
  take: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<number> {
  const decoder = new TextDecoder();
  const file = files.open(path, "read");
  try {
    file.seek(from);
    let buffer = new Uint8Array(CHUNK);
    let used = 0;
    let end = from;
    // In a line that is too long, whose beginning has been let go.
    let tooLong = false;
    for (;;) {
      signal?.throwIfAborted();
      if (used === buffer.length) {
        const larger = new Uint8Array(buffer.length * 2);
        larger.set(buffer);
        buffer = larger;
      }
      const got = await file.readLater(buffer.subarray(used));
      if (got === 0) return end;
      used += got;
      let start = 0;
      for (;;) {
        const feed = buffer.subarray(0, used).indexOf(0x0a, start);
        if (feed < 0) break;
        const line = decoder.decode(buffer.subarray(start, feed));
        if (tooLong) take("");
        else if (line !== "") take(line);
        tooLong = false;
        start = feed + 1;
      }
      end += start;
      buffer.copyWithin(0, start, used);
      used -= start;
      if (used > LONGEST_LINE) {
        // Something that is not a line: it counts as one that cannot be read when its end comes.
        tooLong = true;
        end += used;
        used = 0;
      }
    }
  } finally {
    file.close();
  }
}
