/*
 * Frames out of encapsulated Pixel Data (PS3.5 §A.4), and the one coding simple enough to undo here: RLE (PS3.5 Annex G).
 *
 * The codec library takes several fragments a frame for an error, refuses RLE of 32 bits and leaves black what an RLE
 * segment lacks. Here fragments are joined, all depths are decoded, and what is missing is an error.
 */

import { concat } from "../dicom/bytes.ts";
import { CannotTranscode } from "./error.ts";

/**
 * Joins fragments into frames.
 *
 * @param fragments the items of the Pixel Data, the Basic Offset Table first
 * @param frames Number of Frames (0028,0008)
 * @throws {CannotTranscode} where fragments and frames cannot be matched
 */
export function splitFrames(fragments: readonly Uint8Array[], frames: number): Uint8Array[] {
  const [table, ...data] = fragments;
  if (table === undefined || data.length === 0) {
    throw new CannotTranscode("its compressed Pixel Data is empty");
  }
  if (frames === 1) return [joined(data)];
  if (data.length === frames) return data;
  const starts = frameStarts(table, data, frames);
  return starts.map((start, i) => joined(data.slice(start, starts[i + 1] ?? data.length)));
}

/** The index of the fragment with which each frame begins: by the offset table, else by where a codestream begins. */
function frameStarts(table: Uint8Array, data: readonly Uint8Array[], frames: number): number[] {
  if (table.length === 4 * frames) {
    const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
    const byOffset = new Map<number, number>();
    let offset = 0;
    for (const [i, fragment] of data.entries()) {
      byOffset.set(offset, i);
      offset += 8 + fragment.length;
    }
    const starts = Array.from(
      { length: frames },
      (_, i) => byOffset.get(view.getUint32(4 * i, true)),
    );
    if (
      starts.every((start, i) =>
        start !== undefined && (i === 0 ? start === 0 : start > starts[i - 1]!)
      )
    ) {
      return starts as number[];
    }
  }
  const starts = [...data.keys()].filter((i) => beginsCodestream(data[i]!));
  if (starts.length === frames && starts[0] === 0) return starts;
  throw new CannotTranscode(
    `its ${frames} frames lie in ${data.length} fragments, and nothing tells which belong together`,
  );
}

/** SOI of JPEG and JPEG-LS with the marker that follows it; SOC and SIZ of JPEG 2000. */
function beginsCodestream(fragment: Uint8Array): boolean {
  return (fragment[0] === 0xff && fragment[1] === 0xd8 && fragment[2] === 0xff) ||
    (fragment[0] === 0xff && fragment[1] === 0x4f && fragment[2] === 0xff && fragment[3] === 0x51);
}

/** Without a copy where there is one fragment only. */
function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return pieces.length === 1 ? pieces[0]! : concat(pieces);
}

/** The shape of a frame to be decoded. */
export interface RleShape {
  readonly pixels: number;
  readonly samples: number;
  readonly bytesPerSample: number;
  readonly planar: boolean;
}

/**
 * Decodes one RLE frame into `into` at `offset`: one segment a byte of a sample, the most significant first (PS3.5 §G.2).
 *
 * @throws {CannotTranscode} where the segments do not make up the frame
 */
export function decodeRle(frame: Uint8Array, shape: RleShape, into: Uint8Array, offset: number) {
  const segments = shape.samples * shape.bytesPerSample;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  // PS3.5 §G.5: number of segments, then 15 offsets, 64 bytes in all.
  if (frame.length < 64 || segments > 15 || view.getUint32(0, true) !== segments) {
    throw new CannotTranscode(
      `its RLE frame does not have the ${segments} segments that the image needs`,
    );
  }
  for (let segment = 0; segment < segments; segment++) {
    const start = view.getUint32(4 + 4 * segment, true);
    const end = segment + 1 < segments ? view.getUint32(8 + 4 * segment, true) : frame.length;
    if (start < 64 || start > end || end > frame.length) {
      throw new CannotTranscode("the segment offsets of its RLE frame are damaged");
    }
    const sample = Math.floor(segment / shape.bytesPerSample);
    const byte = shape.bytesPerSample - 1 - (segment % shape.bytesPerSample);
    const first = shape.planar
      ? sample * shape.pixels * shape.bytesPerSample + byte
      : sample * shape.bytesPerSample + byte;
    const step = shape.planar ? shape.bytesPerSample : shape.samples * shape.bytesPerSample;
    unpack(frame.subarray(start, end), shape.pixels, into, offset + first, step);
  }
}

/** PackBits, PS3.5 §G.3.2: n below 128, n + 1 literal bytes; above 128, one byte 257 - n times; 128, nothing. */
function unpack(packed: Uint8Array, count: number, into: Uint8Array, first: number, step: number) {
  let done = 0;
  let at = 0;
  let target = first;
  while (done < count && at < packed.length) {
    const n = packed[at++]!;
    if (n === 128) continue;
    const run = Math.min(n < 128 ? n + 1 : 257 - n, count - done);
    if (at + (n < 128 ? run : 1) > packed.length) break;
    for (let i = 0; i < run; i++, target += step) into[target] = packed[n < 128 ? at + i : at]!;
    done += run;
    at += n < 128 ? n + 1 : 1;
  }
  if (done < count) {
    throw new CannotTranscode(`an RLE segment of its image ends after ${done} of ${count} pixels`);
  }
}
