/*
 * What a compressed frame says of itself: size, precision, colour, read from the headers of JPEG (ISO 10918-1),
 * JPEG-LS (ISO 14495-1) and JPEG 2000 (ISO 15444-1, and -15 for high throughput) codestreams.
 *
 * The codec library sizes its buffers by the data set and believes the codestream while decoding, and it fills a frame
 * that is cut short with grey. So both are compared here first, and a disagreement is a refusal, not a picture.
 */

import { CannotTranscode } from "./error.ts";
import type { PixelCoding } from "./syntaxes.ts";

export interface Codestream {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  /** Bits a sample. */
  readonly precision: number;
  readonly signed: boolean;
  /** True where the components are not all of the size of the image. */
  readonly subsampled: boolean;
  /** The colours the codestream claims; "unmarked" where it leaves that to the data set. */
  readonly colour: "ycbcr" | "rgb" | "unmarked";
  /** JPEG: false for lossless prediction. JPEG-LS: NEAR above 0. JPEG 2000: the irreversible wavelet. */
  readonly lossy: boolean;
  /** True for JPEG-LS with each component in a scan of its own, which decodes to colour planes. */
  readonly planar: boolean;
  /** JPEG 2000: the multiple component transform, undone by decoding. */
  readonly componentTransform: boolean;
}

/**
 * Reads the headers of one frame.
 *
 * @returns undefined for codings whose headers are not read here (JPEG XL)
 * @throws {CannotTranscode} where the frame is not such a codestream, or is cut short
 */
export function readCodestream(coding: PixelCoding, frame: Uint8Array): Codestream | undefined {
  if (coding === "jpeg" || coding === "jpeg-ls") return readJpeg(frame, coding);
  if (coding === "jpeg 2000" || coding === "htj2k") return readJpeg2000(frame);
  return undefined;
}

const NOT_A_CODESTREAM = "its compressed image is damaged: it has no valid image header";

function readJpeg(frame: Uint8Array, coding: PixelCoding): Codestream {
  requireEnd(frame);
  const view = viewOf(frame);
  let colour: Codestream["colour"] = "unmarked";
  let header: Omit<Codestream, "planar"> | undefined;
  let at = 2;
  if (frame.length < 4 || view.getUint16(0) !== 0xffd8) throw new CannotTranscode(NOT_A_CODESTREAM);
  while (at + 4 <= frame.length) {
    const marker = view.getUint16(at);
    if (marker === 0xffff) {
      at++; // fill byte, ISO 10918-1 §B.1.1.2
      continue;
    }
    const length = view.getUint16(at + 2);
    const end = at + 2 + length;
    if (marker < 0xff01 || length < 2 || end > frame.length) break;
    if (marker === 0xffe0 && ascii(frame, at + 4, 5) === "JFIF\0") colour = "ycbcr";
    if (marker === 0xffee && ascii(frame, at + 4, 5) === "Adobe" && length >= 14) {
      colour = frame[at + 15] === 0 ? "rgb" : "ycbcr";
    }
    if (isFrameHeader(marker) && length >= 8) {
      if ((marker === 0xfff7) !== (coding === "jpeg-ls")) break;
      header = frameHeader(view, at, marker);
    }
    if (marker === 0xffda) {
      if (header === undefined) break;
      const components = frame[at + 4]!;
      const near = frame[at + 5 + 2 * components]!;
      const interleave = frame[at + 6 + 2 * components]!;
      return {
        ...header,
        colour: colour === "unmarked" ? header.colour : colour,
        lossy: coding === "jpeg-ls" ? near > 0 : header.lossy,
        planar: coding === "jpeg-ls" && header.components > 1 && interleave === 0,
      };
    }
    at = end;
  }
  throw new CannotTranscode(NOT_A_CODESTREAM);
}

/** SOF0 to SOF15 without DHT, JPG and DAC (ISO 10918-1 Table B.1), and SOF55 of JPEG-LS. */
function isFrameHeader(marker: number): boolean {
  return marker === 0xfff7 ||
    (marker >= 0xffc0 && marker <= 0xffcf && marker !== 0xffc4 && marker !== 0xffc8 &&
      marker !== 0xffcc);
}

function frameHeader(view: DataView, at: number, marker: number): Omit<Codestream, "planar"> {
  // ISO 10918-1 §B.2.2: Lf (2), P (1), Y (2), X (2), Nf (1), then for each component C (1), H and V (1), Tq (1).
  const components = view.getUint8(at + 9);
  if (view.getUint16(at + 2) < 8 + 3 * components) throw new CannotTranscode(NOT_A_CODESTREAM);
  const ids: number[] = [];
  const factors = new Set<number>();
  for (let i = 0; i < components; i++) {
    ids.push(view.getUint8(at + 10 + 3 * i));
    factors.add(view.getUint8(at + 11 + 3 * i));
  }
  return {
    width: view.getUint16(at + 7),
    height: view.getUint16(at + 5),
    components,
    precision: view.getUint8(at + 4),
    signed: false,
    subsampled: factors.size > 1,
    colour: String.fromCharCode(...ids) === "RGB" ? "rgb" : "unmarked",
    lossy: marker !== 0xffc3 && marker !== 0xfff7,
    componentTransform: false,
  };
}

function readJpeg2000(frame: Uint8Array): Codestream {
  requireEnd(frame);
  const view = viewOf(frame);
  const start = codestreamStart(frame, view);
  // ISO 15444-1 §A.5.1: SOC, then SIZ at once: Lsiz, Rsiz, Xsiz, Ysiz, XOsiz, YOsiz, tile sizes and offsets, Csiz.
  if (start + 42 > frame.length || view.getUint32(start) !== 0xff4fff51) {
    throw new CannotTranscode(NOT_A_CODESTREAM);
  }
  const components = view.getUint16(start + 40);
  if (components === 0 || start + 42 + 3 * components > frame.length) {
    throw new CannotTranscode(NOT_A_CODESTREAM);
  }
  const depths = new Set<number>();
  let subsampled = false;
  for (let i = 0; i < components; i++) {
    depths.add(frame[start + 42 + 3 * i]!);
    if (frame[start + 43 + 3 * i] !== 1 || frame[start + 44 + 3 * i] !== 1) subsampled = true;
  }
  if (depths.size > 1) {
    throw new CannotTranscode("the components of its compressed image differ in depth");
  }
  const depth = frame[start + 42]!;
  const { componentTransform, lossy } = codingStyle(frame, view, start + 2);
  return {
    width: view.getUint32(start + 8) - view.getUint32(start + 16),
    height: view.getUint32(start + 12) - view.getUint32(start + 20),
    components,
    precision: (depth & 0x7f) + 1,
    signed: (depth & 0x80) !== 0,
    subsampled,
    colour: "unmarked",
    lossy,
    planar: false,
    componentTransform,
  };
}

/** COD of the main header (ISO 15444-1 §A.6.1): Scod, progression, layers, component transform, ... wavelet. */
function codingStyle(frame: Uint8Array, view: DataView, from: number) {
  let at = from;
  while (at + 14 <= frame.length) {
    const marker = view.getUint16(at);
    if (marker === 0xff52) {
      return { componentTransform: frame[at + 8] === 1, lossy: frame[at + 13] === 0 };
    }
    if (marker === 0xff90) break;
    at += 2 + view.getUint16(at + 2);
  }
  throw new CannotTranscode(NOT_A_CODESTREAM);
}

/** Where the codestream begins: at 0, or in the jp2c box of a JP2 file, which PS3.5 §A.4.4 forbids and some write. */
function codestreamStart(frame: Uint8Array, view: DataView): number {
  if (frame.length < 12 || ascii(frame, 4, 4) !== "jP  ") return 0;
  let at = 0;
  while (at + 8 <= frame.length) {
    const length = view.getUint32(at);
    const type = ascii(frame, at + 4, 4);
    if (type === "jp2c") return at + (length === 1 ? 16 : 8);
    if (type === "jp2h" && indexOfText(frame, "pclr", at, at + length) >= 0) {
      throw new CannotTranscode("its compressed image carries a palette of its own");
    }
    if (length < 8) break;
    at += length;
  }
  throw new CannotTranscode(NOT_A_CODESTREAM);
}

/** Both families end in FF D9 (EOI, EOC), which cannot occur inside; a few bytes of padding may follow. */
function requireEnd(frame: Uint8Array): void {
  for (let at = frame.length - 2; at >= 0 && at >= frame.length - 64; at--) {
    if (frame[at] === 0xff && frame[at + 1] === 0xd9) return;
  }
  throw new CannotTranscode("its compressed image is cut short: the end marker is missing");
}

function indexOfText(bytes: Uint8Array, text: string, from: number, to: number): number {
  for (let at = from; at + text.length <= Math.min(to, bytes.length); at++) {
    if (ascii(bytes, at, text.length) === text) return at;
  }
  return -1;
}

function ascii(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
