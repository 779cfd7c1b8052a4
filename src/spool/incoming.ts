/*
 * An instance on its way into the spool: from the first fragment to the commit.
 *
 * Owns one slot until it is committed or discarded. Bytes go to the file as they come; small instances are put together
 * in the buffer and written at once. Commit resolves when the data is on the disk, and only then may Success be
 * answered. After a failure the slot is thrown away and its file never synced again.
 */

import { crc32 } from "node:zlib";
import { encodeFileMeta, type FileMeta, PREAMBLE_LENGTH } from "../dicom/part10.ts";
import { putCommitRecord } from "./commit_record.ts";
import { bucketOf, formatBase } from "./entry_name.ts";
import type { SpoolFile } from "./file_system.ts";
import type { Slot } from "./slots.ts";

/** Bytes put together before they are written. */
export const WRITE_BUFFER_LENGTH = 256 * 1024;

/** A long instance is brought to the disk while it comes, each time so many bytes more have been written. */
const SYNC_AHEAD = 8 * 1024 * 1024;

/** What the spool does for an incoming instance; the spool itself in the program. */
export interface IncomingOwner {
  nextSequence(): number;
  now(): number;
  /** The slot's file is on the disk; the commit waited so long for it, in ms. */
  synced(ms: number): void;
  /** The slot's file failed to reach the disk. */
  syncFailed(error: unknown): void;
  /** The slot is free again, its file gone or on its way to the queue. */
  released(buffer: Uint8Array): void;
  discardFile(path: string): void;
  /** Another handle of a slot's file. */
  openAgain(path: string): SpoolFile;
}

/** A data set that is on the disk, not yet in the queue. */
export interface Committed {
  readonly base: string;
  readonly bucket: string;
  readonly path: string;
  readonly receivedMs: number;
  readonly length: number;
}

export class IncomingInstance {
  readonly #owner: IncomingOwner;
  readonly #slot: Slot;
  readonly #file: SpoolFile;
  readonly #buffer: Uint8Array;
  readonly #dataSetOffset: number;
  readonly #metaCrc: number;
  #used: number;
  /** Bytes already in the file. */
  #written = 0;
  #length = 0;
  #crc = 0;
  #done = false;
  /** What has been written and not been given to a sync, in bytes. */
  #unsynced = 0;
  /** The sync under way of what came so far; its error, where it failed. */
  #ahead: Promise<unknown> | undefined;

  constructor(
    owner: IncomingOwner,
    slot: Slot,
    meta: FileMeta,
    buffer: Uint8Array,
  ) {
    this.#owner = owner;
    this.#slot = slot;
    this.#file = slot.file;
    this.#buffer = buffer;
    const head = encodeFileMeta(meta);
    this.#dataSetOffset = PREAMBLE_LENGTH + head.length;
    this.#metaCrc = crc32(head);
    buffer.fill(0, 0, PREAMBLE_LENGTH);
    buffer.set(head, PREAMBLE_LENGTH);
    this.#used = this.#dataSetOffset;
  }

  /** Bytes of the data set so far. */
  get length(): number {
    return this.#length;
  }

  /** Takes the next bytes of the data set; they may be used again afterwards. Throws what the file system throws. */
  write(bytes: Uint8Array): void {
    this.#crc = crc32(bytes, this.#crc);
    this.#length += bytes.length;
    if (this.#used + bytes.length > this.#buffer.length) {
      this.#flush();
      if (bytes.length >= this.#buffer.length) {
        this.#put(bytes);
        return;
      }
    }
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  #flush(): void {
    if (this.#used === 0) return;
    this.#put(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }

  #put(bytes: Uint8Array): void {
    this.#file.write(bytes);
    this.#written += bytes.length;
    this.#unsynced += bytes.length;
    if (this.#unsynced >= SYNC_AHEAD && this.#ahead === undefined) this.#syncAhead();
  }

  /**
   * The disk works while the rest still comes: the commit then waits for the end of the instance alone. By a handle of its
   * own, for where handles are short the runtime lends the file itself to a sync, and nothing could be written meanwhile.
   */
  #syncAhead(): void {
    this.#unsynced = 0;
    let file: SpoolFile;
    try {
      file = this.#owner.openAgain(this.#slot.path);
    } catch {
      // The commit syncs all of it.
      return;
    }
    this.#ahead = file.syncData().finally(() => file.close()).then(
      () => this.#ahead = undefined,
      // Stays: a file whose sync failed once is never vouched for.
      (error) => error,
    );
  }

  /** Throws what a sync ahead failed with. */
  async #syncedAhead(): Promise<void> {
    const failure = await this.#ahead;
    if (failure !== undefined) throw failure;
  }

  /**
   * Completes the file and waits until it is on the disk: from here on the instance survives anything the disk survives.
   *
   * @param studyHash groups the instance with the others of its study
   * @throws whatever the file system throws; the slot is discarded then
   */
  async commit(studyHash: number): Promise<Committed> {
    try {
      const identity = {
        receivedMs: this.#owner.now(),
        sequence: this.#owner.nextSequence(),
        studyHash,
        crc32: this.#crc,
      };
      const record = {
        ...identity,
        dataSetOffset: this.#dataSetOffset,
        dataSetLength: this.#length,
        metaCrc32: this.#metaCrc,
        slot: this.#slot.name,
      };
      // Last, and by a write of its own: a process killed in the middle of a write leaves the first pages of it.
      this.#flush();
      if (this.#slot.used > this.#written) this.#file.truncate(this.#written);
      putCommitRecord(this.#buffer, record);
      this.#file.seek(0);
      this.#file.write(this.#buffer.subarray(0, PREAMBLE_LENGTH));
      const began = performance.now();
      try {
        await this.#syncedAhead();
        await this.#file.syncData();
        this.#owner.synced(performance.now() - began);
      } catch (error) {
        this.#owner.syncFailed(error);
        throw error;
      }
      this.#done = true;
      this.#file.close();
      this.#owner.released(this.#buffer);
      return {
        base: formatBase(identity),
        bucket: bucketOf(studyHash),
        path: this.#slot.path,
        receivedMs: identity.receivedMs,
        length: this.#length,
      };
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  /** Throws the slot and all that was written away. Does nothing after commit or a second time. */
  discard(): void {
    if (this.#done) return;
    this.#done = true;
    this.#file.close();
    this.#owner.discardFile(this.#slot.path);
    this.#owner.released(this.#buffer);
  }
}
