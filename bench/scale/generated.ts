/*
 * Instances of any size that nobody has to hold: a data set made while it is sent, the same bytes each time.
 *
 * An element's length is a 32 bit number (PS3.5 §7.1), so what is larger cannot be one native Pixel Data element. These
 * have encapsulated Pixel Data (PS3.5 §A.4): as many fragments as it takes, none of which is an image.
 */

import { concat, putLatin1 } from "../../src/dicom/bytes.ts";
import type { OutgoingDataSet } from "../../src/dimse/scu.ts";

/** Secondary Capture Image Storage. */
export const SOP_CLASS = "1.2.840.10008.5.1.4.1.1.7";
/** JPEG 2000 Image Compression (Lossless Only). */
export const TRANSFER_SYNTAX = "1.2.840.10008.1.2.4.90";

const UID_ROOT = "1.2.826.0.1.3680043.10.3.77";

/** Of a fragment, in bytes. */
const FRAGMENT = 16 * 1024 * 1024;

/** Of bytes that no disk compresses. */
const FILLER = pseudoRandom(1024 * 1024);

export interface Generated {
  readonly sopInstanceUid: string;
  readonly studyInstanceUid: string;
}

/** UIDs of the nth instance of a study. */
export function nthOf(study: number, n: number): Generated {
  return {
    sopInstanceUid: `${UID_ROOT}.${study}.1.${n}`,
    studyInstanceUid: `${UID_ROOT}.${study}`,
  };
}

/**
 * The data set of an instance, to be sent once.
 *
 * @param bytes of all of it; a few hundred are the least, and an odd number becomes the next
 */
export function dataSetOf(instance: Generated, bytes: number): OutgoingDataSet {
  const head = headOf(instance);
  const pieces = [...piecesOf(head, bytes)];
  const length = pieces.reduce((sum: number, one) => sum + lengthOf(one), 0);
  let piece = 0;
  let within = 0;
  let at = 0;
  return {
    length,
    read(into) {
      for (let used = 0; used < into.length;) {
        const now = pieces[piece]!;
        const take = Math.min(into.length - used, lengthOf(now) - within);
        if (typeof now === "number") fill(into.subarray(used, used + take), within);
        else into.set(now.subarray(within, within + take), used);
        used += take;
        at += take;
        within += take;
        if (within < lengthOf(now)) continue;
        piece++;
        within = 0;
      }
    },
    vouch: () => at === length,
  };
}

/** The same as bytes. */
export function smallDataSet(instance: Generated, bytes: number): Uint8Array {
  const source = dataSetOf(instance, bytes);
  const all = new Uint8Array(source.length);
  source.read(all);
  return all;
}

/** What it consists of, in order: bytes, or how many of the filler. */
function* piecesOf(head: Uint8Array, bytes: number): Generator<Uint8Array | number> {
  yield head;
  // (7FE0,0010) OB of undefined length, and a Basic Offset Table without entries (PS3.5 §A.4).
  yield Uint8Array.of(0xe0, 0x7f, 0x10, 0x00, 0x4f, 0x42, 0, 0, 0xff, 0xff, 0xff, 0xff);
  yield item(0xe000, 0);
  for (let left = Math.max(10, bytes - head.length - 28); left > 8;) {
    // Rounded when it is small: a bitwise operator takes 32 bits of what is left.
    const length = Math.min(FRAGMENT, left - 7) & ~1;
    yield item(0xe000, length);
    yield length;
    left -= 8 + length;
  }
  yield item(0xe0dd, 0);
}

function lengthOf(piece: Uint8Array | number): number {
  return typeof piece === "number" ? piece : piece.length;
}

function fill(into: Uint8Array, from: number): void {
  for (let used = 0; used < into.length;) {
    const start = (from + used) % FILLER.length;
    const piece = FILLER.subarray(start, start + into.length - used);
    into.set(piece, used);
    used += piece.length;
  }
}

/** An item or a delimiter (PS3.5 §7.5): (FFFE,xxxx) and its length. */
function item(element: number, length: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0xfffe, true);
  view.setUint16(2, element, true);
  view.setUint32(4, length, true);
  return bytes;
}

function headOf({ sopInstanceUid, studyInstanceUid }: Generated): Uint8Array {
  return concat([
    element(0x0008, 0x0016, "UI", SOP_CLASS),
    element(0x0008, 0x0018, "UI", sopInstanceUid),
    element(0x0008, 0x0060, "CS", "OT"),
    element(0x0010, 0x0020, "LO", "BENCH"),
    element(0x0020, 0x000d, "UI", studyInstanceUid),
    element(0x0020, 0x000e, "UI", `${studyInstanceUid}.1`),
  ]);
}

/** An element of explicit VR with a short length (PS3.5 §7.1.2). */
function element(group: number, number: number, vr: string, value: string): Uint8Array {
  const bytes = new Uint8Array(8 + value.length + (value.length & 1));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, group, true);
  view.setUint16(2, number, true);
  putLatin1(bytes, 4, vr);
  view.setUint16(6, bytes.length - 8, true);
  putLatin1(bytes, 8, value);
  if (value.length & 1) bytes[bytes.length - 1] = vr === "UI" ? 0 : 0x20; // PS3.5 §6.2
  return bytes;
}

function pseudoRandom(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}
