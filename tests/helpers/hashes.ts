/*
 * What is in a DICOM file, reduced to what tests compare: transfer syntax, SOP instance, SHA-256 of the data set.
 *
 * Reads the head of a Part 10 file by itself rather than by the program's own code, which is what is being tested.
 */

import { createHash } from "node:crypto";
import { filesIn } from "./scratch.ts";

export interface FileFacts {
  readonly path: string;
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
  /** Hexadecimal, of the bytes behind the file meta information. */
  readonly hash: string;
  /** Of the data set, in bytes. */
  readonly length: number;
}

/** SHA-256 in hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/**
 * Splits a Part 10 file (PS3.10 §7.1).
 *
 * @throws where "DICM" is missing; file meta information may be
 */
export function splitFile(file: Uint8Array): { meta: Map<number, string>; dataSet: Uint8Array } {
  const text = (from: number, to: number) => String.fromCharCode(...file.subarray(from, to));
  if (text(128, 132) !== "DICM") throw new Error("no DICM at byte 128");
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const meta = new Map<number, string>();
  let at = 132;
  while (at + 8 <= file.length && view.getUint16(at, true) === 2) {
    const element = view.getUint16(at + 2, true);
    const long = ["OB", "UN", "OW", "SQ", "UT"].includes(text(at + 4, at + 6));
    const length = long ? view.getUint32(at + 8, true) : view.getUint16(at + 6, true);
    const start = at + (long ? 12 : 8);
    meta.set(element, text(start, start + length).replace(/[\0 ]+$/, ""));
    at = start + length;
  }
  return { meta, dataSet: file.subarray(at) };
}

export function factsOf(path: string): FileFacts {
  const { meta, dataSet } = splitFile(Deno.readFileSync(path));
  return {
    path,
    sopClassUid: meta.get(0x0002) ?? "",
    sopInstanceUid: meta.get(0x0003) ?? "",
    transferSyntaxUid: meta.get(0x0010) ?? "",
    hash: sha256(dataSet),
    length: dataSet.length,
  };
}

/** Facts of every file below a folder. */
export function factsIn(folder: string): FileFacts[] {
  return filesIn(folder).map(factsOf);
}

/** A line for each file, sorted, to compare one collection with another whatever the files are called. */
export function fingerprints(facts: Iterable<FileFacts>): string[] {
  return [...facts].map((one) =>
    `${one.sopClassUid} ${one.sopInstanceUid} ${one.transferSyntaxUid} ${one.hash}`
  ).sort();
}
