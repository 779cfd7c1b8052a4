/*
 * One data set from its stored transfer syntax to an uncompressed one: the whole conversion as a function from bytes to
 * bytes, without files or threads.
 *
 * Everything but compressed Pixel Data and the few elements that describe it leaves as it came; see write.ts.
 */

import { inflateRawSync } from "node:zlib";
import { encodingOf, EXPLICIT_VR_LE, IMPLICIT_VR_LE } from "../dicom/uid.ts";
import { tagText } from "../dicom/tag.ts";
import { CannotTranscode } from "./error.ts";
import { splitFrames } from "./frames.ts";
import { type LibraryDecoder, loadLibraryDecoder } from "./library.ts";
import { type ElementSpan, parseDataSet, PIXEL_DATA } from "./parse.ts";
import { decodeFrames, type ImageAttributes, nativeLength } from "./pixels.ts";
import { type SourceSyntax, sourceSyntax } from "./syntaxes.ts";
import { loadVrLookup, type VrLookup } from "./vr.ts";
import { type Edits, writeDataSet } from "./write.ts";

const SAMPLES_PER_PIXEL = 0x00280002;
const PHOTOMETRIC_INTERPRETATION = 0x00280004;
const PLANAR_CONFIGURATION = 0x00280006;
const NUMBER_OF_FRAMES = 0x00280008;
const ROWS = 0x00280010;
const COLUMNS = 0x00280011;
const BITS_ALLOCATED = 0x00280100;
const BITS_STORED = 0x00280101;
const HIGH_BIT = 0x00280102;
const PIXEL_REPRESENTATION = 0x00280103;
const LOSSY_IMAGE_COMPRESSION = 0x00282110;
const EXTENDED_OFFSET_TABLE = 0x7fe00001;
const EXTENDED_OFFSET_TABLE_LENGTHS = 0x7fe00002;

/**
 * Converts data sets, loading the dictionary and the decoders once, when a data set first needs them.
 */
export class DataSetTranscoder {
  readonly #maxBytes: number;
  #vrOf: VrLookup | null = null;
  #library: LibraryDecoder | null = null;

  /** @param maxBytes the most a converted data set may take */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Converts one data set.
   *
   * @param stored the data set as stored, without file meta
   * @param from its transfer syntax UID
   * @param to Explicit or Implicit VR Little Endian
   * @throws {CannotTranscode} with a reason fit for a log line
   */
  async convert(stored: Uint8Array, from: string, to: string): Promise<Uint8Array<ArrayBuffer>> {
    const source = sourceSyntax(from);
    if (source === undefined || (to !== EXPLICIT_VR_LE && to !== IMPLICIT_VR_LE)) {
      throw new CannotTranscode("no decoder for it is there");
    }
    const { explicitVr, littleEndian, deflated } = encodingOf(from);
    if (!explicitVr && this.#vrOf === null) this.#vrOf = await loadVrLookup();
    const vrOf = this.#vrOf;
    const bytes = deflated ? this.#inflated(stored) : stored;
    const elements = parseDataSet(bytes, {
      explicitVr,
      littleEndian,
      ...(vrOf === null ? {} : { vrOf: (tag: number) => vrOf(tag, false) }),
    });
    if (source.decoder !== "" && elements.some((e) => e.encapsulated)) {
      this.#library ??= await loadLibraryDecoder();
    }
    return writeDataSet(bytes, elements, {
      fromExplicitVr: explicitVr,
      fromLittleEndian: littleEndian,
      toExplicitVr: to === EXPLICIT_VR_LE,
      vrOf: explicitVr ? null : vrOf,
      decode: (inner) => this.#decode(bytes, inner, source),
    });
  }

  /** PS3.5 §A.5: the data set is a raw deflate stream (RFC 1951), padded to an even length. */
  #inflated(stored: Uint8Array): Uint8Array {
    try {
      return inflateRawSync(stored, { maxOutputLength: this.#maxBytes });
    } catch (error) {
      if (error instanceof RangeError) throw this.#tooLarge("more than the limit of");
      throw new CannotTranscode(`it cannot be inflated (${(error as Error).message})`);
    }
  }

  #decode(bytes: Uint8Array, elements: readonly ElementSpan[], source: SourceSyntax): Edits {
    const compressed = elements.filter((element) => element.fragments !== null);
    const odd = compressed.find((element) => element.tag !== PIXEL_DATA);
    if (odd !== undefined) {
      throw new CannotTranscode(
        `${tagText(odd.tag)} is encapsulated, which only Pixel Data may be`,
      );
    }
    if (source.coding === "native") {
      throw new CannotTranscode("its Pixel Data is compressed, against its transfer syntax");
    }
    const image = readAttributes(bytes, elements);
    if (nativeLength(image) + bytes.length > this.#maxBytes) {
      throw this.#tooLarge(
        `${mebibytes(nativeLength(image))} once uncompressed, over the limit of`,
      );
    }
    const fragments = compressed[0]!.fragments!.map(({ start, end }) => bytes.subarray(start, end));
    const frames = splitFrames(fragments, image.frames);
    const pixels = decodeFrames(image, frames, source, this.#library);

    const edits = new Map<number, { vr: string; value: Uint8Array } | null>();
    edits.set(EXTENDED_OFFSET_TABLE, null);
    edits.set(EXTENDED_OFFSET_TABLE_LENGTHS, null);
    // PS3.5 §A.2: OB or OW up to 8 bits allocated, OW above.
    edits.set(PIXEL_DATA, { vr: image.bitsAllocated > 8 ? "OW" : "OB", value: pixels.bytes });
    if (pixels.photometric !== image.photometric) {
      edits.set(PHOTOMETRIC_INTERPRETATION, { vr: "CS", value: codeString(pixels.photometric) });
    }
    const planar = elements.some((element) => element.tag === PLANAR_CONFIGURATION);
    if (image.samples > 1 && (pixels.planar !== image.planar || !planar)) {
      edits.set(PLANAR_CONFIGURATION, {
        vr: "US",
        value: Uint8Array.of(pixels.planar ? 1 : 0, 0),
      });
    }
    // PS3.3 §C.7.6.1.1.5: once lossy, always marked so; the transfer syntax that said it is about to go.
    if (pixels.lossy && text(bytes, elements, LOSSY_IMAGE_COMPRESSION) !== "01") {
      edits.set(LOSSY_IMAGE_COMPRESSION, { vr: "CS", value: codeString("01") });
    }
    return edits;
  }

  #tooLarge(how: string): CannotTranscode {
    return new CannotTranscode(`it is ${how} ${mebibytes(this.#maxBytes)} for conversion`);
  }
}

function readAttributes(bytes: Uint8Array, elements: readonly ElementSpan[]): ImageAttributes {
  const bitsAllocated = required(bytes, elements, BITS_ALLOCATED, "Bits Allocated");
  const bitsStored = number(bytes, elements, BITS_STORED) ?? bitsAllocated;
  const framesText = text(bytes, elements, NUMBER_OF_FRAMES);
  const frames = framesText === "" ? 1 : Number(framesText);
  if (!Number.isInteger(frames) || frames < 1) {
    throw new CannotTranscode(`its Number of Frames is ${JSON.stringify(framesText)}`);
  }
  return {
    rows: required(bytes, elements, ROWS, "Rows"),
    columns: required(bytes, elements, COLUMNS, "Columns"),
    frames,
    samples: number(bytes, elements, SAMPLES_PER_PIXEL) ?? 1,
    bitsAllocated,
    bitsStored,
    highBit: number(bytes, elements, HIGH_BIT) ?? bitsStored - 1,
    signed: number(bytes, elements, PIXEL_REPRESENTATION) === 1,
    photometric: text(bytes, elements, PHOTOMETRIC_INTERPRETATION),
    planar: number(bytes, elements, PLANAR_CONFIGURATION) === 1,
  };
}

function required(
  bytes: Uint8Array,
  elements: readonly ElementSpan[],
  tag: number,
  name: string,
): number {
  const value = number(bytes, elements, tag);
  if (value === undefined || value === 0) {
    throw new CannotTranscode(`it has no ${name} ${tagText(tag)}`);
  }
  return value;
}

/** A US value; the encodings with compressed pixels are all little endian. */
function number(
  bytes: Uint8Array,
  elements: readonly ElementSpan[],
  tag: number,
): number | undefined {
  const value = valueOf(bytes, elements, tag);
  return value.length < 2 ? undefined : value[0]! | (value[1]! << 8);
}

function text(bytes: Uint8Array, elements: readonly ElementSpan[], tag: number): string {
  return String.fromCharCode(...valueOf(bytes, elements, tag).subarray(0, 64))
    .replace(/[\0 ]+$/, "").trimStart();
}

function valueOf(bytes: Uint8Array, elements: readonly ElementSpan[], tag: number): Uint8Array {
  const element = elements.find((candidate) => candidate.tag === tag);
  return element === undefined
    ? new Uint8Array()
    : bytes.subarray(element.valueStart, element.valueEnd);
}

/** A CS value, padded to an even length with a space (PS3.5 §6.2). */
function codeString(value: string): Uint8Array {
  return new TextEncoder().encode(value.length % 2 === 0 ? value : value + " ");
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1048576)} MiB`;
}
