/*
 * Compressed frames to native pixels (PS3.5 §8.2), and what these pixels then have to be called.
 *
 * Owns the decisions: whether codestream and data set agree, which colours come out, how a sample becomes a pixel cell.
 * Where data set and codestream contradict each other in a way that decides what is seen, the image is refused: a
 * picture in false colours or shifted grey values is worse than one that waits in the folder of failed instances.
 */

import { type Codestream, readCodestream } from "./codestream.ts";
import { CannotTranscode } from "./error.ts";
import { decodeRle } from "./frames.ts";
import type { LibraryDecoder } from "./library.ts";
import type { SourceSyntax } from "./syntaxes.ts";

/** The Image Pixel attributes (PS3.3 §C.7.6.3) that describe a compressed image. */
export interface ImageAttributes {
  readonly rows: number;
  readonly columns: number;
  readonly frames: number;
  readonly samples: number;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly highBit: number;
  readonly signed: boolean;
  readonly photometric: string;
  readonly planar: boolean;
}

/** Native pixels and the attributes that describe them. */
export interface NativePixels {
  /** All frames without gaps, padded to an even length with one zero byte (PS3.5 §8.1.1). */
  readonly bytes: Uint8Array;
  readonly photometric: string;
  readonly planar: boolean;
  /** True where information was lost in the compression that has been undone. */
  readonly lossy: boolean;
}

/** Bytes of the native Pixel Data of an image, without padding. */
export function nativeLength(image: ImageAttributes): number {
  return image.rows * image.columns * image.samples * image.frames *
    Math.ceil(image.bitsAllocated / 8);
}

/**
 * Decodes all frames of an image.
 *
 * @param frames one codestream a frame, as many as `image.frames`
 * @throws {CannotTranscode} where an image cannot be decoded faithfully
 */
export function decodeFrames(
  image: ImageAttributes,
  frames: readonly Uint8Array[],
  source: SourceSyntax,
  library: LibraryDecoder | null,
): NativePixels {
  checkCells(image);
  const length = nativeLength(image);
  const bytes = new Uint8Array(length + length % 2);
  if (source.coding === "rle") {
    if (/42[02]$/.test(image.photometric)) {
      throw new CannotTranscode(`its colours are ${image.photometric}, which RLE does not have`);
    }
    for (const [i, frame] of frames.entries()) {
      decodeRle(
        frame,
        {
          pixels: image.rows * image.columns,
          samples: image.samples,
          bytesPerSample: image.bitsAllocated / 8,
          planar: image.planar,
        },
        bytes,
        i * length / image.frames,
      );
    }
    return { bytes, photometric: image.photometric, planar: image.planar, lossy: false };
  }
  if (library === null) throw new CannotTranscode("no decoder for its compression is there");
  const results = frames.map((frame, i) =>
    decodeOne(image, frame, source, library, bytes, i * length / image.frames)
  );
  const [first] = results;
  if (
    first === undefined ||
    results.some((r) => r.photometric !== first.photometric || r.planar !== first.planar)
  ) {
    throw new CannotTranscode("its frames are compressed in different colour spaces");
  }
  return { ...first, bytes, lossy: source.alwaysLossy || results.some((r) => r.lossy) };
}

function checkCells(image: ImageAttributes): void {
  const { bitsAllocated, bitsStored, highBit } = image;
  if (bitsAllocated === 0 || bitsAllocated % 8 !== 0 || bitsAllocated > 64) {
    throw new CannotTranscode(`its Bits Allocated is ${bitsAllocated}`);
  }
  if (bitsStored === 0 || highBit >= bitsAllocated || highBit < bitsStored - 1) {
    throw new CannotTranscode(
      `its pixel cells make no sense (Bits Allocated ${bitsAllocated}, Bits Stored ${bitsStored}, High Bit ${highBit})`,
    );
  }
}

function decodeOne(
  image: ImageAttributes,
  frame: Uint8Array,
  source: SourceSyntax,
  library: LibraryDecoder,
  into: Uint8Array,
  offset: number,
): Omit<NativePixels, "bytes"> {
  const stream = readCodestream(source.coding, frame) ?? unreadCodestream(image);
  checkAgreement(image, stream, source);
  const colours = coloursOf(image, stream, source);
  const bytesPerSample = stream.precision <= 8 ? 1 : 2;
  const samples = library({
    decoder: source.decoder,
    rows: image.rows,
    columns: image.columns,
    samples: image.samples,
    bitsAllocated: 8 * bytesPerSample,
    bitsStored: stream.precision,
    signed: stream.signed,
    photometric: colours.convert ? "YBR_FULL" : "RGB",
    codestream: frame,
  });
  const count = image.rows * image.columns * image.samples;
  const wanted = count * bytesPerSample;
  if (samples.length !== wanted && samples.length !== wanted + wanted % 2) {
    throw new CannotTranscode(
      `a frame decoded to ${samples.length} bytes where ${wanted} make up the image`,
    );
  }
  fillCells(image, stream, samples.subarray(0, wanted), into, offset);
  return { photometric: colours.photometric, planar: stream.planar, lossy: stream.lossy };
}

/** JPEG XL: the decoder itself compares size, components and depth class, and scales anything but 8 and 16 bits. */
function unreadCodestream(image: ImageAttributes): Codestream {
  if (image.signed || (image.bitsStored !== 8 && image.bitsStored !== 16)) {
    throw new CannotTranscode(
      `the decoder would alter ${
        image.signed ? "signed" : `${image.bitsStored}-bit`
      } JPEG XL pixels`,
    );
  }
  return {
    width: image.columns,
    height: image.rows,
    components: image.samples,
    precision: image.bitsStored,
    signed: false,
    subsampled: false,
    colour: "unmarked",
    lossy: false,
    planar: false,
    componentTransform: false,
  };
}

function checkAgreement(image: ImageAttributes, stream: Codestream, source: SourceSyntax): void {
  if (
    stream.width !== image.columns || stream.height !== image.rows ||
    stream.components !== image.samples
  ) {
    throw new CannotTranscode(
      `its compressed image is ${stream.width} x ${stream.height} with ${stream.components} components, ` +
        `but the data set says ${image.columns} x ${image.rows} with ${image.samples}`,
    );
  }
  if (image.samples !== 1 && image.samples !== 3) {
    throw new CannotTranscode(`images of ${image.samples} samples a pixel cannot be decoded`);
  }
  if (image.bitsAllocated > 16 || stream.precision > image.bitsAllocated) {
    throw new CannotTranscode(
      `its compressed samples have ${stream.precision} bits, its pixels ${image.bitsAllocated}`,
    );
  }
  if (image.highBit !== image.bitsStored - 1 && stream.precision !== image.bitsAllocated) {
    throw new CannotTranscode(
      `its pixels are not right-aligned (Bits Stored ${image.bitsStored}, High Bit ${image.highBit})`,
    );
  }
  if (stream.signed && !image.signed) {
    throw new CannotTranscode("its compressed samples are signed, its pixels unsigned");
  }
  if (source.coding === "jpeg 2000" && stream.components > 1 && stream.precision > 8) {
    throw new CannotTranscode(`the decoder cannot do ${stream.precision}-bit colour in JPEG 2000`);
  }
  if (source.coding === "htj2k" && stream.signed && stream.precision <= 8) {
    throw new CannotTranscode("the decoder cannot do signed 8-bit pixels in HTJ2K");
  }
  if (source.coding !== "jpeg" && stream.subsampled) {
    throw new CannotTranscode("its colour components are subsampled");
  }
}

/** What the decoded samples are to be called, and whether the decoder is to convert them to RGB. */
function coloursOf(
  image: ImageAttributes,
  stream: Codestream,
  source: SourceSyntax,
): { photometric: string; convert: boolean } {
  const { photometric } = image;
  if (image.samples === 1) return { photometric, convert: false };
  if (source.coding === "jpeg") return jpegColours(image, stream);
  if (source.coding === "jpeg 2000" || source.coding === "htj2k") {
    return { photometric: jpeg2000Colours(photometric, stream), convert: false };
  }
  if (photometric !== "RGB" && !(source.coding === "jpeg-ls" && photometric === "YBR_FULL")) {
    throw new CannotTranscode(
      `its colours are ${photometric}, which its compression does not have`,
    );
  }
  return { photometric, convert: false };
}

/*
 * Lossy colour JPEG goes to RGB, as PACS and workstations expect it. Which colours the codestream holds: its own markers
 * say so (JFIF, Adobe, component ids); chroma that is subsampled cannot be RGB; only then Photometric Interpretation is
 * asked, for it is wrong more often than the codestream. Lossless JPEG stays in the colours it was compressed in, for a
 * conversion would round.
 */
function jpegColours(
  image: ImageAttributes,
  stream: Codestream,
): { photometric: string; convert: boolean } {
  const isYbr = image.photometric.startsWith("YBR_FULL");
  if (!isYbr && image.photometric !== "RGB") {
    throw new CannotTranscode(
      `its colours are ${image.photometric}, which cannot be decoded from JPEG`,
    );
  }
  if (!stream.lossy) {
    return { photometric: isYbr ? "YBR_FULL" : "RGB", convert: false };
  }
  const convert = stream.colour === "ycbcr" ||
    (stream.colour === "unmarked" && (isYbr || stream.subsampled));
  return { photometric: "RGB", convert };
}

/** PS3.5 §8.2.4: the component transform, undone by decoding, belongs to YBR_RCT and YBR_ICT; nothing else is converted. */
function jpeg2000Colours(photometric: string, stream: Codestream): string {
  const transformed = photometric === "YBR_RCT" || photometric === "YBR_ICT";
  if (transformed && stream.componentTransform) return "RGB";
  if (photometric === "RGB") return "RGB";
  if (photometric === "YBR_FULL" && !stream.componentTransform) return "YBR_FULL";
  throw new CannotTranscode(
    `its colours are ${photometric}, but it is compressed ${
      stream.componentTransform ? "with" : "without"
    } a component transform, so that its true colours are uncertain`,
  );
}

/** Puts decoded samples into pixel cells, wider than the samples where Bits Allocated says so. */
function fillCells(
  image: ImageAttributes,
  stream: Codestream,
  samples: Uint8Array,
  into: Uint8Array,
  offset: number,
): void {
  const from = stream.precision <= 8 ? 1 : 2;
  const to = image.bitsAllocated / 8;
  // JPEG and JPEG-LS know unsigned samples only; the sign of a signed pixel is then the top bit of those stored. Readers
  // that do not mask by Bits Stored need it carried on to the top of the cell, where the sender had it.
  const signBit = image.signed && (stream.signed || stream.precision === image.bitsStored) &&
      stream.precision < image.bitsAllocated
    ? stream.precision
    : 0;
  if (from === to && signBit === 0) {
    into.set(samples, offset);
    return;
  }
  const shift = 32 - signBit;
  const count = samples.length / from;
  for (let i = 0; i < count; i++) {
    let value = from === 1 ? samples[i]! : samples[2 * i]! | (samples[2 * i + 1]! << 8);
    if (signBit !== 0) value = (value << shift) >> shift;
    into[offset + to * i] = value;
    if (to === 2) into[offset + 2 * i + 1] = value >> 8;
  }
}
