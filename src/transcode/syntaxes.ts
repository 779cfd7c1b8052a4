/*
 * Which stored transfer syntaxes can be turned into an uncompressed one, and how their pixels are coded.
 *
 * Owns the table only. It never loads the codec library: the scheduler asks before every association, in the main
 * thread, where a decoder has no business. A test holds the table against the library's own list.
 */

import {
  DEFLATED_EXPLICIT_VR_LE,
  EXPLICIT_VR_BE,
  EXPLICIT_VR_LE,
  IMPLICIT_VR_LE,
} from "../dicom/uid.ts";

/** How the frames of a transfer syntax are coded; the last five are decoded by the codec library. */
export type PixelCoding =
  | "native"
  | "rle"
  | "jpeg"
  | "jpeg-ls"
  | "jpeg 2000"
  | "htj2k"
  | "jpeg xl";

export interface SourceSyntax {
  readonly coding: PixelCoding;
  /** The transfer syntax UID under which the codec library is asked to decode a frame; "" where it is not needed. */
  readonly decoder: string;
  /** True where every image of this transfer syntax has lost information (PS3.5 §8.2). */
  readonly alwaysLossy: boolean;
}

const NATIVE: SourceSyntax = { coding: "native", decoder: "", alwaysLossy: false };

/*
 * The library has one JPEG decoder behind two names. Under JPEG Baseline it always converts to RGB by libjpeg's guess,
 * which turned RGB-coded images purple; under JPEG Lossless it converts only where it is told to. The process is read
 * from the codestream either way, so every JPEG goes by the second name, and JPEG Extended (12 bit) and the other
 * predictors of JPEG Lossless, missing in the library's list, come with it.
 */
const JPEG_DECODER = "1.2.840.10008.1.2.4.70";

const SOURCES: ReadonlyMap<string, SourceSyntax> = new Map([
  [IMPLICIT_VR_LE, NATIVE],
  [EXPLICIT_VR_LE, NATIVE],
  [EXPLICIT_VR_BE, NATIVE],
  [DEFLATED_EXPLICIT_VR_LE, NATIVE],
  ["1.2.840.10008.1.2.5", { coding: "rle", decoder: "", alwaysLossy: false }],
  ["1.2.840.10008.1.2.4.50", { coding: "jpeg", decoder: JPEG_DECODER, alwaysLossy: true }],
  ["1.2.840.10008.1.2.4.51", { coding: "jpeg", decoder: JPEG_DECODER, alwaysLossy: true }],
  ["1.2.840.10008.1.2.4.57", { coding: "jpeg", decoder: JPEG_DECODER, alwaysLossy: false }],
  ["1.2.840.10008.1.2.4.70", { coding: "jpeg", decoder: JPEG_DECODER, alwaysLossy: false }],
  ["1.2.840.10008.1.2.4.80", library("jpeg-ls", "1.2.840.10008.1.2.4.80")],
  ["1.2.840.10008.1.2.4.81", library("jpeg-ls", "1.2.840.10008.1.2.4.81")],
  ["1.2.840.10008.1.2.4.90", library("jpeg 2000", "1.2.840.10008.1.2.4.90")],
  ["1.2.840.10008.1.2.4.91", library("jpeg 2000", "1.2.840.10008.1.2.4.91")],
  ["1.2.840.10008.1.2.4.110", library("jpeg xl", "1.2.840.10008.1.2.4.110")],
  ["1.2.840.10008.1.2.4.112", library("jpeg xl", "1.2.840.10008.1.2.4.112")],
  ["1.2.840.10008.1.2.4.201", library("htj2k", "1.2.840.10008.1.2.4.201")],
  ["1.2.840.10008.1.2.4.202", library("htj2k", "1.2.840.10008.1.2.4.202")],
  ["1.2.840.10008.1.2.4.203", library("htj2k", "1.2.840.10008.1.2.4.203")],
]);

function library(coding: PixelCoding, decoder: string): SourceSyntax {
  return { coding, decoder, alwaysLossy: false };
}

/** How the pixels of a stored transfer syntax are coded, or undefined where it cannot be converted. */
export function sourceSyntax(transferSyntaxUid: string): SourceSyntax | undefined {
  return SOURCES.get(transferSyntaxUid);
}

/**
 * True where instances stored under `from` can, as far as the transfer syntax goes, be converted to `to`: Explicit or
 * Implicit VR Little Endian, the two that PS3.5 §10.1 lets every peer fall back to. An image may still be impossible.
 */
export function canTranscode(from: string, to: string): boolean {
  return from !== to && (to === EXPLICIT_VR_LE || to === IMPLICIT_VR_LE) && SOURCES.has(from);
}
