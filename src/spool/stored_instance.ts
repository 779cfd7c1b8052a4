/*
 * A committed file opened for reading: its record, its file meta, its data set.
 *
 * Owns the open file until `close`. A file whose head does not agree with itself or its name is a CorruptError, never a
 * guess.
 */

import { crc32 } from "node:zlib";
import { type FileMeta, Part10Error, PREAMBLE_LENGTH, readFileMeta } from "../dicom/part10.ts";
import { type CommitRecord, readCommitRecord } from "./commit_record.ts";
import { HeaderReader } from "../dicom/header.ts";
import { formatBase } from "./entry_name.ts";
import { type FileSystem, readFully, type SpoolFile } from "./file_system.ts";

/** A stored file is not what was committed. */
export class CorruptError extends Error {
  override readonly name = "CorruptError";
}

/** Bytes read at once when identifying elements are looked for. */
export const IDENTIFY_LENGTH = 16 * 1024;

/** Enough for the preamble and the file meta that the spool writes, in bytes. */
const HEAD_LENGTH = 2048;

export class StoredInstance {
  readonly meta: FileMeta;
  readonly record: CommitRecord;
  readonly path: string;
  readonly #file: SpoolFile;
  #position = 0;
  #crc = 0;
  /** Whether the bytes are likely to be in memory: then reading does not wait for the disk. */
  readonly #hot: boolean;
  readonly #closed: (() => void) | undefined;

  private constructor(
    path: string,
    file: SpoolFile,
    meta: FileMeta,
    record: CommitRecord,
    hot: boolean,
    closed: (() => void) | undefined,
  ) {
    this.path = path;
    this.#closed = closed;
    this.#file = file;
    this.meta = meta;
    this.record = record;
    this.#hot = hot;
  }

  /**
   * Opens a committed file and checks its head and its length.
   *
   * @param hot whether its bytes are likely to be in memory
   * @param of the instance that the file must hold, and what to call when it is closed
   * @throws {CorruptError}
   * @throws {Deno.errors.NotFound}
   */
  static open(
    files: FileSystem,
    path: string,
    hot = false,
    of?: { readonly base: string; readonly closed: () => void },
  ): StoredInstance {
    const file = files.open(path, "read");
    try {
      const head = new Uint8Array(HEAD_LENGTH);
      const length = readFully(file, head);
      const record = length < PREAMBLE_LENGTH ? undefined : readCommitRecord(head);
      if (record === undefined) throw new CorruptError(`${path} has no valid commit record`);
      if (of !== undefined && formatBase(record) !== of.base) {
        throw new CorruptError(`${path} holds another instance, ${formatBase(record)}`);
      }
      const size = file.size();
      if (size !== record.dataSetOffset + record.dataSetLength) {
        throw new CorruptError(
          `${path} is ${size} bytes long, its record says ${
            record.dataSetOffset + record.dataSetLength
          }`,
        );
      }
      // Read no further than the record says: the data set itself may begin with anything.
      const end = Math.min(length, record.dataSetOffset);
      if (crc32(head.subarray(PREAMBLE_LENGTH, end)) !== record.metaCrc32) {
        throw new CorruptError(`${path}: the file meta does not match its checksum`);
      }
      const { meta, dataSetOffset } = readMeta(path, head.subarray(0, end));
      if (dataSetOffset !== record.dataSetOffset) {
        throw new CorruptError(
          `${path}: file meta ends at ${dataSetOffset}, its record says ${record.dataSetOffset}`,
        );
      }
      file.seek(record.dataSetOffset);
      return new StoredInstance(path, file, meta, record, hot, of?.closed);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Bytes of the data set. */
  get length(): number {
    return this.record.dataSetLength;
  }

  /** Fills `into` with the next bytes of the data set. */
  read(into: Uint8Array): void | Promise<void> {
    if (!this.#hot) return this.#readLater(into);
    for (let at = 0; at < into.length;) {
      const got = this.#file.read(into.subarray(at));
      if (got === 0) return this.#tooShort();
      at += got;
    }
    this.#took(into);
  }

  async #readLater(into: Uint8Array): Promise<void> {
    for (let at = 0; at < into.length;) {
      const got = await this.#file.readLater(into.subarray(at));
      if (got === 0) return this.#tooShort();
      at += got;
    }
    this.#took(into);
  }

  #took(bytes: Uint8Array): void {
    this.#crc = crc32(bytes, this.#crc);
    this.#position += bytes.length;
  }

  /** The file got shorter under us: what is vouched for can then no longer agree. */
  #tooShort(): void {
    this.#position = -1;
  }

  /**
   * Reads the identifying elements and goes back to the beginning.
   *
   * @param buffer to read into, for whoever asks this of many
   * @throws what the file system throws
   */
  async identify(buffer = new Uint8Array(IDENTIFY_LENGTH)): Promise<HeaderReader> {
    const header = new HeaderReader(this.meta.transferSyntaxUid);
    this.#file.seek(this.record.dataSetOffset);
    while (header.state === "reading") {
      const got = this.#hot ? this.#file.read(buffer) : await this.#file.readLater(buffer);
      if (got === 0) break;
      header.push(buffer.subarray(0, got));
    }
    header.end();
    this.#file.seek(this.record.dataSetOffset);
    return header;
  }

  /** Reads the whole data set, from where it begins, and compares it with its checksum. */
  async readThrough(): Promise<boolean> {
    const buffer = new Uint8Array(Math.min(this.length, 256 * 1024));
    for (let left = this.length; left > 0;) {
      const piece = buffer.subarray(0, Math.min(left, buffer.length));
      await this.read(piece);
      left -= piece.length;
    }
    return this.vouch();
  }

  /** Bytes of the whole file, the Part 10 head included. */
  get fileLength(): number {
    return this.record.dataSetOffset + this.record.dataSetLength;
  }

  /**
   * Reads what stands before the data set, and leaves the file where the data set begins.
   *
   * @throws what the file system throws, or an Error where the file is shorter than it was
   */
  readHead(): Uint8Array<ArrayBuffer> {
    const head = new Uint8Array(this.record.dataSetOffset);
    this.#file.seek(0);
    if (readFully(this.#file, head) < head.length) {
      throw new CorruptError(`${this.path} got shorter`);
    }
    return head;
  }

  /** True where every byte has been read and the checksum agrees. */
  vouch(): boolean {
    return this.#position === this.record.dataSetLength && this.#crc === this.record.crc32;
  }

  close(): void {
    this.#file.close();
    this.#closed?.();
  }
}

function readMeta(path: string, bytes: Uint8Array): { meta: FileMeta; dataSetOffset: number } {
  try {
    return readFileMeta(bytes);
  } catch (error) {
    if (error instanceof Part10Error) throw new CorruptError(`${path}: ${error.message}`);
    throw error;
  }
}
