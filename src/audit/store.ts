/*
 * Messages on the disk until the audit server has them: segments that are only ever appended to, read in order.
 *
 * Owns the folder `audit/` of the spool: the segments (a message a line), the place up to which they are sent, and the bound
 * on how much is kept, beyond which the oldest are dropped and counted. Writing is gathered and never waited for. A message
 * is sent at least once: the place is written after the fact, so that a crash means a repetition.
 */

import { join } from "node:path";
import type { Clock } from "../clock.ts";
import {
  type FileSystem,
  readFully,
  replaceTextFile,
  type SpoolFile,
} from "../spool/file_system.ts";
import { timeOfMessage } from "./syslog.ts";

/** How long messages are gathered until they are written, in ms. */
const GATHER_MS = 100;
/** After a failure, in ms. */
const AGAIN_MS = 2_000;
/** Messages in memory that could not be written yet, at most. */
const MOST_UNWRITTEN = 20_000;
/** A segment is closed when it is so long, in bytes. */
const LONGEST_SEGMENT = 1024 * 1024;
/** Read at a time, in bytes: more than the longest message. */
const PIECE = 512 * 1024;

const LINE_FEED = 0x0a;

export interface AuditStoreOptions {
  readonly files: FileSystem;
  readonly directory: string;
  readonly clock: Clock;
  /** Bytes */
  readonly keepBytes: number;
  /** Told when there is something to send. */
  readonly changed: () => void;
  readonly report: (message: string, error?: unknown) => void;
  /** Told that messages were dropped because too many waited. */
  readonly dropped: (count: number) => void;
}

/** Messages to be sent, and what to call when they are. */
export interface Batch {
  readonly messages: readonly string[];
  /** The place behind them. */
  readonly end: Place;
}

interface Place {
  readonly segment: number;
  readonly offset: number;
}

export class AuditStore {
  readonly #options: AuditStoreOptions;
  #keepBytes: number;
  /** Numbers of segments on the disk, and their lengths in bytes, oldest first. */
  readonly #segments = new Map<number, number>();
  #next = 1;
  #place: Place = { segment: 0, offset: 0 };
  #unwritten: string[] = [];
  #file: SpoolFile | undefined;
  #writing: Promise<void> = Promise.resolve();
  #cancel: (() => void) | undefined;
  #told = false;
  #closed = false;
  #dropped = 0;
  /** When the oldest message that waits was made. */
  #oldest: number | null = null;

  private constructor(options: AuditStoreOptions) {
    this.#options = options;
    this.#keepBytes = options.keepBytes;
  }

  /** Opens the folder, and makes it where there is none. */
  static open(options: AuditStoreOptions): AuditStore {
    const store = new AuditStore(options);
    store.#find();
    return store;
  }

  /** Messages dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** When the oldest message that waits was made, in ms since 1970; null where none waits. */
  get oldest(): number | null {
    return this.#oldest;
  }

  /** Bytes that wait on the disk. */
  get waitingBytes(): number {
    let sum = 0;
    for (const [segment, length] of this.#segments) {
      sum += segment === this.#place.segment ? length - this.#place.offset : length;
    }
    return sum;
  }

  /** How much may wait from now on, in bytes. */
  set keepBytes(bytes: number) {
    this.#keepBytes = bytes;
  }

  /** Takes a message: one line. */
  append(message: string): void {
    this.#unwritten.push(message);
    this.#oldest ??= this.#options.clock.now();
    if (this.#unwritten.length > MOST_UNWRITTEN) {
      const count = this.#unwritten.length - MOST_UNWRITTEN;
      this.#unwritten.splice(0, count);
      this.#drop(count);
    }
    this.#writeSoon(GATHER_MS);
  }

  /**
   * What is to be sent next, in order; undefined where nothing waits.
   *
   * @param most messages
   */
  async next(most: number): Promise<Batch | undefined> {
    for (;;) {
      const segment = this.#place.segment;
      const length = this.#segments.get(segment);
      if (length !== undefined && this.#place.offset < length) {
        const batch = await this.#read(segment, this.#place.offset, length, most);
        // Dropped meanwhile because too much waits.
        if (!this.#segments.has(segment)) continue;
        if (batch.messages.length > 0) {
          this.#oldest = timeOfMessage(batch.messages[0]!) ?? this.#oldest;
          return batch;
        }
        // Nothing but what a crash cut short.
        this.#place = batch.end;
        continue;
      }
      const later = [...this.#segments.keys()].find((one) => one > segment);
      if (later === undefined) {
        this.#oldest = this.#unwritten.length === 0 ? null : this.#oldest;
        return undefined;
      }
      this.#place = { segment: later, offset: 0 };
      this.#tidy();
    }
  }

  /** They have been sent. */
  sent({ end }: Batch): void {
    // What waited too long may have been dropped while it was sent.
    if (end.segment < this.#place.segment) return;
    this.#place = end;
    this.#tidy();
    this.#keepPlace();
  }

  /** Writes what is in memory. */
  async flush(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#write();
    await this.#writing;
  }

  async close(): Promise<void> {
    await this.flush();
    this.#closed = true;
    this.#cancel?.();
    this.#file?.close();
    this.#file = undefined;
  }

  #find(): void {
    const { files, directory } = this.#options;
    files.makeDirectory(directory);
    const found: number[] = [];
    for (const name of files.list(directory)) {
      const number = /^(\d{10})\.log$/.exec(name)?.[1];
      if (number !== undefined) found.push(Number(number));
    }
    for (const number of found.sort((a, b) => a - b)) {
      this.#segments.set(number, files.measure(this.#path(number)).size);
    }
    // What an earlier run appended to may end in half a message.
    this.#next = (found.at(-1) ?? 0) + 1;
    this.#place = this.#readPlace();
    this.#tidy();
    if (this.waitingBytes > 0) this.#oldest = this.#options.clock.now();
  }

  #readPlace(): Place {
    const { files } = this.#options;
    const path = this.#placePath;
    if (!files.exists(path)) return { segment: 0, offset: 0 };
    const file = files.open(path, "read");
    try {
      const bytes = new Uint8Array(64);
      const text = new TextDecoder().decode(bytes.subarray(0, readFully(file, bytes)));
      const [, segment, offset] = /^(\d{1,15}) (\d{1,15})\n$/.exec(text) ?? [];
      if (segment === undefined || offset === undefined) return { segment: 0, offset: 0 };
      // Where the numbers were begun anew (the segments were all sent and removed), none may come before the place.
      this.#next = Math.max(this.#next, Number(segment) + 1);
      return { segment: Number(segment), offset: Number(offset) };
    } finally {
      file.close();
    }
  }

  #keepPlace(): void {
    const { files, report } = this.#options;
    const path = this.#placePath;
    try {
      replaceTextFile(files, `${path}.part`, `${this.#place.segment} ${this.#place.offset}\n`);
      files.rename(`${path}.part`, path);
    } catch (error) {
      report("Cannot note what of the audit trail is sent; a restart sends it again", error);
    }
  }

  get #placePath(): string {
    return join(this.#options.directory, "sent");
  }

  #path(segment: number): string {
    return join(this.#options.directory, `${String(segment).padStart(10, "0")}.log`);
  }

  /** Removes what is sent and not appended to any more. */
  #tidy(): void {
    for (const [segment, length] of this.#segments) {
      const isSent = segment < this.#place.segment ||
        segment === this.#place.segment && this.#place.offset >= length;
      if (!isSent || segment === this.#next - 1 && this.#file !== undefined) return;
      this.#remove(segment);
    }
  }

  #remove(segment: number): void {
    this.#segments.delete(segment);
    try {
      this.#options.files.remove(this.#path(segment));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      this.#options.report("Cannot remove a sent part of the audit trail", error);
    }
  }

  #writeSoon(ms: number): void {
    if (this.#closed) return;
    this.#cancel ??= this.#options.clock.after(ms, () => {
      this.#cancel = undefined;
      this.#write();
    });
  }

  #write(): void {
    this.#writing = this.#writing.then(() => this.#writeAll());
  }

  async #writeAll(): Promise<void> {
    if (this.#unwritten.length === 0 || this.#closed) return;
    const messages = this.#unwritten;
    this.#unwritten = [];
    const { report } = this.#options;
    try {
      const file = this.#file ?? this.#begin();
      const bytes = new TextEncoder().encode(messages.map((one) => `${one}\n`).join(""));
      file.write(bytes);
      await file.syncData();
      const segment = this.#next - 1;
      const length = (this.#segments.get(segment) ?? 0) + bytes.length;
      this.#segments.set(segment, length);
      if (length >= LONGEST_SEGMENT || length * 4 >= this.#keepBytes) this.#endSegment();
      if (this.#told) report("The audit trail can be written again");
      this.#told = false;
    } catch (error) {
      if (!this.#told) report("Cannot write the audit trail to the spool, trying again", error);
      this.#told = true;
      // How much of it is in the file is not known: they go into another one.
      this.#endSegment();
      this.#unwritten = [...messages, ...this.#unwritten];
      this.#writeSoon(AGAIN_MS);
      return;
    }
    await this.#bound();
    this.#options.changed();
  }

  #begin(): SpoolFile {
    const segment = this.#next++;
    const file = this.#options.files.open(this.#path(segment), "create");
    this.#segments.set(segment, 0);
    this.#file = file;
    return file;
  }

  #endSegment(): void {
    try {
      this.#file?.close();
    } finally {
      this.#file = undefined;
    }
  }

  /** Drops the oldest while more is kept than may be. */
  async #bound(): Promise<void> {
    while (this.waitingBytes > this.#keepBytes && this.#segments.size > 1) {
      const [segment, length] = [...this.#segments][0]!;
      const from = segment === this.#place.segment ? this.#place.offset : 0;
      const count = await this.#count(segment, from, length);
      if (this.#place.segment <= segment) this.#place = { segment: segment + 1, offset: 0 };
      this.#remove(segment);
      this.#drop(count);
      this.#keepPlace();
    }
  }

  #drop(count: number): void {
    if (count === 0) return;
    this.#dropped += count;
    this.#options.dropped(count);
  }

  async #count(segment: number, from: number, length: number): Promise<number> {
    let count = 0;
    for (let offset = from; offset < length;) {
      const { messages, end } = await this.#read(segment, offset, length, Infinity);
      count += messages.length;
      offset = end.offset;
    }
    return count;
  }

  /** Messages of a segment from a place on; a last one that a crash cut short is passed over. */
  async #read(segment: number, offset: number, length: number, most: number): Promise<Batch> {
    const bytes = new Uint8Array(Math.min(PIECE, length - offset));
    let file: SpoolFile;
    try {
      file = this.#options.files.open(this.#path(segment), "read");
    } catch (error) {
      this.#options.report("A part of the audit trail cannot be read", error);
      return { messages: [], end: { segment, offset: length } };
    }
    let got = 0;
    try {
      file.seek(offset);
      for (let n = -1; n !== 0 && got < bytes.length; got += n) {
        n = await file.readLater(bytes.subarray(got));
      }
    } finally {
      file.close();
    }
    const messages: string[] = [];
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    let at = 0;
    while (messages.length < most) {
      const end = bytes.subarray(0, got).indexOf(LINE_FEED, at);
      if (end < 0) break;
      const line = decoder.decode(bytes.subarray(at, end));
      if (timeOfMessage(line) !== undefined) messages.push(line);
      at = end + 1;
    }
    const isCutShort = at === 0;
    return { messages, end: { segment, offset: isCutShort ? length : offset + at } };
  }
}
