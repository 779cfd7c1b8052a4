/*
 * DICOM files on a disk as something to send: which they are, what is in them, and their data sets as streams.
 *
 * For `send`. It reads the head of each file and never a whole one. A file that is none is told, not guessed at.
 */

import { join } from "node:path";
import { HeaderReader } from "../dicom/header.ts";
import { HEAD_READ_LENGTH, Part10Error, readFileMeta } from "../dicom/part10.ts";
import type { OutgoingDataSet } from "../dimse/scu.ts";
import type { StoragePair } from "../ul/negotiation.ts";

/** A file that can be sent. */
export interface DicomFile extends StoragePair {
  readonly path: string;
  readonly sopInstanceUid: string;
  readonly dataSetOffset: number;
  /** Of the data set, in bytes. */
  readonly length: number;
}

/** Bytes of a data set looked at for its SOP instance. */
const IDENTIFY_LENGTH = 64 * 1024;

/** All files at a path: itself, or everything below it, in the order of their names. */
export async function* walk(path: string): AsyncGenerator<string> {
  const info = await Deno.stat(path);
  if (!info.isDirectory) {
    yield path;
    return;
  }
  const names: string[] = [];
  for await (const entry of Deno.readDir(path)) names.push(entry.name);
  for (const name of names.sort()) yield* walk(join(path, name));
}

/**
 * Reads the head of a file.
 *
 * @throws {Part10Error} where it is no DICOM file that can be sent
 */
export async function inspect(path: string): Promise<DicomFile> {
  using file = await Deno.open(path);
  const head = new Uint8Array(HEAD_READ_LENGTH + IDENTIFY_LENGTH);
  let length = 0;
  while (length < head.length) {
    const got = await file.read(head.subarray(length));
    if (got === null) break;
    length += got;
  }
  const { meta, dataSetOffset } = readFileMeta(head.subarray(0, length));
  const header = new HeaderReader(meta.transferSyntaxUid);
  header.push(head.subarray(dataSetOffset, length));
  // What the data set says of itself counts; the file meta only where it says nothing.
  const { sopClassUid, sopInstanceUid } = header.identification;
  const found = {
    path,
    sopClassUid: sopClassUid || meta.sopClassUid,
    sopInstanceUid: sopInstanceUid || meta.sopInstanceUid,
    transferSyntaxUid: meta.transferSyntaxUid,
    dataSetOffset,
    length: (await file.stat()).size - dataSetOffset,
  };
  if (found.sopClassUid === "" || found.sopInstanceUid === "") {
    throw new Part10Error("No SOP Class UID or SOP Instance UID is in it");
  }
  if (found.length <= 0) throw new Part10Error("No data set is in it");
  return found;
}

/** A file's data set, open for sending. */
export class FileDataSet implements OutgoingDataSet {
  readonly length: number;
  readonly #file: Deno.FsFile;
  #left: number;

  private constructor(file: Deno.FsFile, length: number) {
    this.#file = file;
    this.length = length;
    this.#left = length;
  }

  static async open(source: DicomFile): Promise<FileDataSet> {
    const file = await Deno.open(source.path);
    await file.seek(source.dataSetOffset, Deno.SeekMode.Start);
    return new FileDataSet(file, source.length);
  }

  async read(into: Uint8Array): Promise<void> {
    for (let at = 0; at < into.length;) {
      const got = await this.#file.read(into.subarray(at));
      if (got === null) return;
      at += got;
      this.#left -= got;
    }
  }

  /** False where the file became shorter while it was read. */
  vouch(): boolean {
    return this.#left === 0;
  }

  close(): void {
    this.#file.close();
  }
}
