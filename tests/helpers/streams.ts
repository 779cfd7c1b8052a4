/*
 * Data sets of any size that are made as they are sent, so that the sender is not the memory that is measured.
 */

import { createHash } from "node:crypto";
import { encodeDataSet, encodeHeader } from "../../src/dicom/encode.ts";
import { EXPLICIT_VR_LE } from "../../src/dicom/uid.ts";
import type { OutgoingDataSet } from "../../src/dimse/scu.ts";
import type { StoragePair } from "../../src/ul/negotiation.ts";

/** Multi-frame Grayscale Word Secondary Capture Image Storage. */
export const MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.7.3";

/** Where one value would be too long for its 32-bit length the pixels are an encapsulated item after another (PS3.5 §A.4). */
const RLE = "1.2.840.10008.1.2.5";
const LONGEST_VALUE = 0xfffffffe;
const ITEM_BYTES = 1 << 30;
const FRAME_BYTES = 512 * 512 * 2;

export interface GeneratedInstance extends StoragePair {
  readonly sopInstanceUid: string;
  readonly dataSet: OutgoingDataSet;
  /** SHA-256 of what has been read so far, hexadecimal; asked for once, at the end. */
  hash(): string;
}

/** An instance with so many bytes of pixels, an even number; another seed makes other bytes. */
export function generatedInstance(
  sopInstanceUid: string,
  pixelBytes: number,
  seed: number,
): GeneratedInstance {
  const encapsulated = pixelBytes > LONGEST_VALUE;
  const stretches: (Uint8Array | number)[] = [head(sopInstanceUid, pixelBytes)];
  if (encapsulated) {
    stretches.push(encodeHeader(0x7fe00010, "OB", 0).fill(0xff, 8), item(0xe000, 0));
    for (let left = pixelBytes; left > 0; left -= ITEM_BYTES) {
      const length = Math.min(left, ITEM_BYTES);
      stretches.push(item(0xe000, length), length);
    }
    stretches.push(item(0xe0dd, 0));
  } else stretches.push(encodeHeader(0x7fe00010, "OW", pixelBytes), pixelBytes);
  const lengthOf = (stretch: Uint8Array | number) =>
    typeof stretch === "number" ? stretch : stretch.length;
  const length = stretches.reduce<number>((sum, stretch) => sum + lengthOf(stretch), 0);
  const digest = createHash("sha256");
  let [at, stretch, inStretch] = [0, 0, 0];
  return {
    sopClassUid: MULTI_FRAME,
    sopInstanceUid,
    transferSyntaxUid: encapsulated ? RLE : EXPLICIT_VR_LE,
    dataSet: {
      length,
      read(into) {
        for (let done = 0; done < into.length;) {
          const from = stretches[stretch]!;
          const some = Math.min(into.length - done, lengthOf(from) - inStretch);
          const room = into.subarray(done, done + some);
          if (typeof from !== "number") room.set(from.subarray(inStretch, inStretch + some));
          else paint(room, at + done, seed);
          done += some;
          inStretch += some;
          if (inStretch === lengthOf(from)) [stretch, inStretch] = [stretch + 1, 0];
        }
        at += into.length;
        digest.update(into);
      },
      vouch: () => at === length,
    },
    hash: () => digest.digest("hex"),
  };
}

/** Every stretch differs from every other, so that a mix-up cannot stay unnoticed. */
function paint(into: Uint8Array, offset: number, seed: number): void {
  into.fill((offset >>> 16) + seed & 0xff);
  for (let n = 0; n < into.length; n += 251) into[n] = (offset + n) * 31 + seed & 0xff;
}

function head(sopInstanceUid: string, pixelBytes: number): Uint8Array {
  return encodeDataSet([
    [0x00080016, "UI", MULTI_FRAME],
    [0x00080018, "UI", sopInstanceUid],
    [0x00080060, "CS", "OT"],
    [0x00100020, "LO", "LARGE"],
    [0x0020000d, "UI", "1.2.826.0.1.3680043.10.1.1"],
    [0x0020000e, "UI", "1.2.826.0.1.3680043.10.1.2"],
    [0x00280002, "US", 1],
    [0x00280004, "CS", "MONOCHROME2"],
    [0x00280008, "IS", Math.max(1, Math.floor(pixelBytes / FRAME_BYTES))],
    [0x00280010, "US", 512],
    [0x00280011, "US", 512],
    [0x00280100, "US", 16],
    [0x00280101, "US", 16],
    [0x00280102, "US", 15],
    [0x00280103, "US", 0],
  ]);
}

/** Header of an item or delimiter (PS3.5 Table 7.5-1, §A.4). */
function item(element: number, length: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0xfffe, true);
  view.setUint16(2, element, true);
  view.setUint32(4, length, true);
  return bytes;
}
