/*
 * The ledger: what became of every instance, in files that outlive the instances (`ledger/YYYYMMDD.jsonl`, UTC days).
 *
 * Owns writing. Lines are put together for a moment and synced together; nobody who answers a sender waits for them. What
 * an event allows (removing a delivered file) is done when its line is on the disk, so that whatever a crash leaves, an
 * instance is in the spool or accounted for. Images come before paper all the same: where the ledger cannot be written,
 * delivery goes on, the lines wait in memory and are tried again, and a person is told.
 *
 * A file whose sync failed is never trusted again: its last lines are written anew into another one of that day. So that
 * a full disk can be drained, a small reserve of space is given up for the lines that the draining needs.
 */

import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { type FileSystem, isOutOfRoom, type SpoolFile } from "../spool/file_system.ts";
import { isHeld } from "../spool/held.ts";
import { type EventTaker, formatEvent, type LedgerEvent, type Untimed } from "./event.ts";
import { ledgerFileName, ledgerFiles, parseFileName } from "./files.ts";

/** How long a line waits for others, in ms. */
const BATCH_MS = 50;
/** Lines that are written without waiting for more. */
const BATCH_LINES = 1000;
/** How soon a ledger that could not be written is tried again, in ms. */
const RETRY_MS = 1000;
/** Lines kept in memory while the ledger cannot be written; beyond it the oldest are given up. */
const MOST_OWED = 50_000;

const RESERVE_NAME = "RESERVE";
/** Bytes kept for a full disk: a thousand lines, and each delivery they allow frees more. */
const RESERVE_LENGTH = 256 * 1024;
/** The reserve is made where so many times its size is free. */
const ROOM_FOR_RESERVE = 16;

const DAY_MS = 86_400_000;

/** A clock that says an earlier time is wrong: one without a battery begins in 1970 at every start. */
const EARLIEST = Date.UTC(2025, 0, 1);

export interface LedgerOptions {
  readonly files: FileSystem;
  readonly directory: string;
  readonly clock: Clock;
  /** A file is removed when its day is more than so many days ago. */
  readonly retentionDays: number;
  /** Something a person should know of. */
  readonly report: (message: string, error?: unknown) => void;
}

interface Line {
  readonly text: string;
  afterwards: (() => void) | undefined;
}

interface OpenFile {
  readonly day: string;
  readonly number: number;
  readonly path: string;
  readonly file: SpoolFile;
  /** Its name is not known to be on the disk. */
  isNew: boolean;
}

export class Ledger implements EventTaker {
  readonly #options: LedgerOptions;
  readonly #files: FileSystem;
  #pending: Line[] = [];
  /** Lines at the front of `#pending` that could not be written so far. */
  #owed = 0;
  #lost = 0;
  #open: OpenFile | undefined;
  #writing: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  /** Files of a day up to this number are not to be written any more. */
  #spent = { day: "", number: 0 };
  #hasReserve = false;
  /** A file is removed when its day is more than so many days ago. */
  retentionDays: number;

  private constructor(options: LedgerOptions) {
    this.#options = options;
    this.retentionDays = options.retentionDays;
    this.#files = options.files;
  }

  /** Opens a ledger. It throws nothing: what is in the way now may be gone when there is something to write. */
  static open(options: LedgerOptions): Ledger {
    const ledger = new Ledger(options);
    ledger.maintain();
    return ledger;
  }

  append(event: Untimed, afterwards?: () => void): void {
    const at = new Date(this.#options.clock.now()).toISOString();
    // `event` and `id` first, whatever order the caller had them in: that is how people look through the files.
    const { event: name, id, ...rest } = event;
    const timed = { event: name, id, at, ...rest } as LedgerEvent;
    this.#pending.push({ text: formatEvent(timed), afterwards });
    if (this.#writing !== undefined || this.#owed > 0) return;
    if (this.#pending.length >= BATCH_LINES) this.#begin();
    else this.#cancelTimer ??= this.#options.clock.after(BATCH_MS, () => this.#begin());
  }

  /** Resolves when everything appended so far is on the disk, or could not be put there now. */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#pending.length > 0) await this.#begin();
  }

  /** Housekeeping: makes the reserve again where there is room, and removes files that are too old. */
  maintain(): void {
    try {
      this.#files.makeDirectory(this.#options.directory);
      this.#keepReserve();
      this.#removeOld();
    } catch (error) {
      this.#options.report("Cannot tidy the ledger's folder; it will be tried again", error);
    }
  }

  /** Writes what waits and closes the file. Nothing may be appended afterwards. */
  async close(): Promise<void> {
    await this.flush();
    this.#cancelTimer?.();
    if (this.#owed > 0) {
      this.#options.report(`${this.#owed} lines of the ledger could not be written and are lost`);
    }
    this.#open?.file.close();
    this.#open = undefined;
  }

  #begin(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
      if (this.#pending.length === 0) return;
      const delay = this.#owed > 0 ? RETRY_MS : BATCH_MS;
      this.#cancelTimer ??= this.#options.clock.after(delay, () => this.#begin());
    });
    return this.#writing;
  }

  async #write(): Promise<void> {
    const batch = this.#pending;
    this.#pending = [];
    const wasOwed = this.#owed;
    let written = 0;
    try {
      // A piece at a time: what a full disk takes of one before it fails is taken in vain.
      while (written < batch.length) {
        const piece = batch.slice(written, written + BATCH_LINES);
        await this.#put(new TextEncoder().encode(piece.map((line) => line.text).join("")));
        written += piece.length;
        this.#follow(piece);
      }
      this.#owed = 0;
      if (wasOwed > 0) this.#options.report(recovered(this.#lost));
      this.#lost = 0;
    } catch (error) {
      if (wasOwed === 0) {
        this.#options.report(
          "The ledger cannot be written; delivery goes on, and its lines are kept in memory until it can",
          error,
        );
      }
      const left = batch.slice(written);
      this.#owe(left);
      this.#follow(left);
    }
  }

  /** Has done what waited for these lines. */
  #follow(lines: readonly Line[]): void {
    for (const line of lines) {
      const { afterwards } = line;
      line.afterwards = undefined;
      try {
        afterwards?.();
      } catch (error) {
        this.#options.report("What follows a line of the ledger could not be done", error);
      }
    }
  }

  #owe(left: Line[]): void {
    const most = left.slice(Math.max(0, left.length - MOST_OWED));
    this.#lost += left.length - most.length;
    this.#owed = most.length;
    this.#pending = [...most, ...this.#pending];
  }

  /** Brings bytes to the disk: a second time into another file where the first one failed. */
  async #put(bytes: Uint8Array): Promise<void> {
    if (this.#owed > 0 && !this.#hasReserve) this.#expectRoomFor(bytes);
    try {
      await this.#putOnce(bytes);
    } catch (error) {
      if (!isOutOfRoom(error)) this.#abandonFile();
      else if (this.#hasReserve) this.#giveReserveUp();
      else throw error;
      await this.#putOnce(bytes);
    }
  }

  /** Of what is tried again and again, no try may fill a disk with half of it. */
  #expectRoomFor(bytes: Uint8Array): void {
    const free = this.#files.freeBytes(this.#options.directory);
    if (free !== undefined && free < bytes.length) throw new Error("There is no room for it");
  }

  async #putOnce(bytes: Uint8Array): Promise<void> {
    const open = this.#fileOfToday();
    // A crash or a full disk may have left half a line, of ours or of another process that writes here.
    if (endsMidway(open.file)) open.file.write(Uint8Array.of(0x0a));
    open.file.write(bytes);
    try {
      await open.file.syncData();
      if (open.isNew) await this.#files.syncDirectory(this.#options.directory);
      open.isNew = false;
    } catch (error) {
      this.#abandonFile();
      throw error;
    }
  }

  #fileOfToday(): OpenFile {
    const day = this.#day();
    const { files, directory } = this.#options;
    // One that was removed by a person takes lines and keeps none.
    if (this.#open?.day === day && files.exists(this.#open.path)) return this.#open;
    files.makeDirectory(directory);
    let number = this.#spent.day === day ? this.#spent.number + 1 : 1;
    for (const name of ledgerFiles(files, directory)) {
      const parsed = parseFileName(name);
      if (parsed?.day === day) number = Math.max(number, parsed.number);
    }
    for (;; number++) {
      const path = join(directory, ledgerFileName(day, number));
      const isNew = !files.exists(path);
      try {
        const file = files.open(path, "append");
        this.#open?.file.close();
        return this.#open = { day, number, path, file, isNew };
      } catch (error) {
        // Something in the way: a folder, a file of another user's. The next is not.
        if (isNew) throw error;
      }
    }
  }

  /** The day (YYYYMMDD) that lines written now belong to: the last one there was, where the clock has none to tell. */
  #day(): string {
    const { files, directory, clock } = this.#options;
    const now = clock.now();
    if (now < EARLIEST) {
      const last = this.#open?.day ?? ledgerFiles(files, directory).map(dayOf).at(-1);
      if (last !== undefined) return last;
    }
    return new Date(Math.max(now, EARLIEST)).toISOString().slice(0, 10).replaceAll("-", "");
  }

  #abandonFile(): void {
    if (this.#open === undefined) return;
    const { day, number, path, file, isNew } = this.#open;
    this.#spent = { day, number };
    this.#open = undefined;
    file.close();
    // Nothing in it was vouched for: a disk that fails for a day must not leave a file for each attempt.
    if (isNew) this.#files.remove(path);
  }

  #keepReserve(): void {
    if (this.#hasReserve) return;
    const { files, directory } = this.#options;
    const path = join(directory, RESERVE_NAME);
    if (files.exists(path)) {
      this.#hasReserve = true;
      return;
    }
    const free = files.freeBytes(directory);
    if (free !== undefined && free < RESERVE_LENGTH * ROOM_FOR_RESERVE) return;
    const file = files.open(path, "create");
    try {
      file.write(incompressible(RESERVE_LENGTH));
      this.#hasReserve = true;
    } finally {
      file.close();
      if (!this.#hasReserve) files.remove(path);
    }
  }

  #giveReserveUp(): void {
    this.#hasReserve = false;
    this.#files.remove(join(this.#options.directory, RESERVE_NAME));
  }

  #removeOld(): void {
    const { files, directory, clock, report } = this.#options;
    const retentionDays = this.retentionDays;
    const today = this.#day();
    const isOld = (name: string) => {
      const day = dayOf(name);
      const ended = Date.UTC(+day.slice(0, 4), +day.slice(4, 6) - 1, +day.slice(6) + 1);
      return clock.now() - ended > retentionDays * DAY_MS;
    };
    const earlier = ledgerFiles(files, directory).filter((name) => dayOf(name) !== today);
    // All at once: more likely a clock that jumped ahead than years of rest. Another day will tell.
    if (earlier.every(isOld)) return;
    for (const name of earlier.filter(isOld)) {
      try {
        files.remove(join(directory, name));
      } catch (error) {
        // What another program holds will be gone the next time, or the time after.
        if (!isHeld(error)) report(`Cannot remove the ledger's old file ${name}`, error);
      }
    }
  }
}

function dayOf(name: string): string {
  return parseFileName(name)!.day;
}

function recovered(lost: number): string {
  const loss = lost === 0 ? "nothing of it is lost" : `${lost} lines of it are lost`;
  return `The ledger can be written again; ${loss}`;
}

/** Whether a file's last byte is not the end of a line. */
function endsMidway(file: SpoolFile): boolean {
  const size = file.size();
  if (size === 0) return false;
  const last = new Uint8Array(1);
  file.seek(size - 1);
  return file.read(last) !== 1 || last[0] !== 0x0a;
}

/** Bytes that take their space on compressing file systems, too. */
function incompressible(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 0x9e3779b9;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}
