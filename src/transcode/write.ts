/*
 * A data set written again under another uncompressed transfer syntax, every value as it was received.
 *
 * What changes is what PS3.5 says must: headers between explicit and implicit VR, byte order out of big endian, lengths
 * of sequences around something that changed, and the elements an image conversion replaces. Private elements, text in
 * whatever character set, odd lengths and out-of-date values pass as bytes. Group lengths (retired, PS3.5 §7.2) are left
 * out where they would no longer be true.
 */

import { tagText } from "../dicom/tag.ts";
import { CannotTranscode } from "./error.ts";
import { type ElementSpan, hasLongHeader, PIXEL_DATA } from "./parse.ts";
import type { VrLookup } from "./vr.ts";

/** What the conversion of a compressed image changes in the data set that holds it; null removes an element. */
export type Edits = ReadonlyMap<number, { vr: string; value: Uint8Array } | null>;

export interface WriteOptions {
  readonly fromExplicitVr: boolean;
  readonly fromLittleEndian: boolean;
  readonly toExplicitVr: boolean;
  /** Needed from Implicit to Explicit VR. */
  readonly vrOf: VrLookup | null;
  /** Called for every data set that itself holds compressed Pixel Data. */
  readonly decode: (elements: readonly ElementSpan[]) => Edits;
}

const PIXEL_REPRESENTATION = 0x00280103;
const BITS_ALLOCATED = 0x00280100;
const NO_EDITS: Edits = new Map();

/** Bytes that change places in a value of big endian origin (PS3.5 §7.3); 1 where none do. */
const UNIT: ReadonlyMap<string, number> = new Map([
  ...["US", "SS", "OW", "AT"].map((vr) => [vr, 2] as const),
  ...["UL", "SL", "FL", "OL", "OF"].map((vr) => [vr, 4] as const),
  ...["FD", "OD", "SV", "UV", "OV"].map((vr) => [vr, 8] as const),
]);

/**
 * Writes the data set in `bytes`, whose structure is `elements`, as little endian.
 *
 * @throws {CannotTranscode} where a value cannot be expressed in the target
 */
export function writeDataSet(
  bytes: Uint8Array,
  elements: readonly ElementSpan[],
  options: WriteOptions,
): Uint8Array<ArrayBuffer> {
  const writer = new Writer(bytes, options);
  const pieces = new Pieces(bytes);
  writer.dataSet(elements, pieces, false);
  return pieces.joined();
}

class Writer {
  readonly #bytes: Uint8Array;
  readonly #options: WriteOptions;
  readonly #sameEncoding: boolean;

  constructor(bytes: Uint8Array, options: WriteOptions) {
    this.#bytes = bytes;
    this.#options = options;
    this.#sameEncoding = options.fromLittleEndian &&
      options.fromExplicitVr === options.toExplicitVr;
  }

  dataSet(elements: readonly ElementSpan[], into: Pieces, outerSigned: boolean): void {
    const edits = elements.some((element) => element.fragments !== null)
      ? this.#options.decode(elements)
      : NO_EDITS;
    const lengthsChange = !this.#sameEncoding || elements.some((element) => element.encapsulated);
    const signed = this.#number(elements, PIXEL_REPRESENTATION) === 1 ||
      (outerSigned && !elements.some((element) => element.tag === PIXEL_REPRESENTATION));
    const inserted = [...edits].filter(([, edit]) => edit !== null).sort(([a], [b]) => a - b);
    let next = 0;
    const insertBefore = (tag: number) => {
      for (; next < inserted.length && inserted[next]![0] < tag; next++) {
        this.#replacement(inserted[next]![0], inserted[next]![1]!, into);
      }
    };
    for (const element of elements) {
      insertBefore(element.tag);
      if (lengthsChange && (element.tag & 0xffff) === 0) continue;
      const edit = edits.get(element.tag);
      if (edit === null) continue;
      if (edit !== undefined) insertBefore(element.tag + 1);
      else this.#element(element, elements, into, signed);
    }
    insertBefore(Infinity);
  }

  #replacement(tag: number, edit: { vr: string; value: Uint8Array }, into: Pieces): void {
    this.#header(tag, edit.vr, edit.value.length, into);
    into.add(edit.value);
  }

  #element(
    element: ElementSpan,
    siblings: readonly ElementSpan[],
    into: Pieces,
    signed: boolean,
  ): void {
    if (this.#sameEncoding && !element.encapsulated) {
      into.copy(element.start, element.end);
    } else if (element.items !== null) {
      this.#sequence(element, into, signed);
    } else if (element.undefinedLength) {
      // UN of undefined length: its content is Implicit VR Little Endian already, delimiter included (PS3.5 §6.2.2).
      this.#header(element.tag, element.vr, 0xffffffff, into);
      into.copy(element.valueStart, element.end);
    } else {
      this.#value(element, siblings, into, signed);
    }
  }

  #value(
    element: ElementSpan,
    siblings: readonly ElementSpan[],
    into: Pieces,
    signed: boolean,
  ): void {
    const length = element.valueEnd - element.valueStart;
    let vr = element.vr;
    if (!this.#options.fromExplicitVr && this.#options.vrOf !== null && vr !== "UN") {
      vr = this.#options.vrOf(element.tag, signed);
    }
    // PS3.5 §6.2.2, note: a value too long for a 16-bit length travels as UN.
    if (this.#options.toExplicitVr && length > 0xffff && !hasLongHeader(vr)) vr = "UN";
    this.#header(element.tag, vr, length, into);
    const unit = this.#options.fromLittleEndian ? 1 : UNIT.get(vr) ?? 1;
    if (unit === 1) {
      into.copy(element.valueStart, element.valueEnd);
      return;
    }
    const bitsAllocated = this.#number(siblings, BITS_ALLOCATED) ?? 0;
    if (element.tag === PIXEL_DATA && bitsAllocated > 16) {
      throw new CannotTranscode(
        `its ${bitsAllocated}-bit pixels are big endian, and devices disagree about their byte order`,
      );
    }
    if (length % unit !== 0) {
      throw new CannotTranscode(
        `${tagText(element.tag)} is ${length} bytes long, which is no multiple of ${unit}`,
      );
    }
    into.add(swapped(this.#bytes.subarray(element.valueStart, element.valueEnd), unit));
  }

  #sequence(element: ElementSpan, into: Pieces, signed: boolean): void {
    const content = into.nested();
    for (const item of element.items!) {
      const inner = into.nested();
      this.dataSet(item.elements, inner, signed);
      content.add(itemHeader(0xe000, item.undefinedLength ? 0xffffffff : inner.length));
      content.append(inner);
      if (item.undefinedLength) content.add(itemHeader(0xe00d, 0));
    }
    this.#header(element.tag, "SQ", element.undefinedLength ? 0xffffffff : content.length, into);
    into.append(content);
    if (element.undefinedLength) into.add(itemHeader(0xe0dd, 0));
  }

  #header(tag: number, vr: string, length: number, into: Pieces): void {
    const explicit = this.#options.toExplicitVr;
    const long = explicit && hasLongHeader(vr);
    const header = new DataView(new ArrayBuffer(long ? 12 : 8));
    header.setUint16(0, tag >>> 16, true);
    header.setUint16(2, tag & 0xffff, true);
    if (explicit) {
      header.setUint8(4, vr.charCodeAt(0));
      header.setUint8(5, vr.charCodeAt(1));
    }
    if (long) header.setUint32(8, length, true);
    else if (explicit) header.setUint16(6, length, true);
    else header.setUint32(4, length, true);
    into.add(new Uint8Array(header.buffer));
  }

  /** The US value of an element, for the two that decide how others are read. */
  #number(elements: readonly ElementSpan[], tag: number): number | undefined {
    const element = elements.find((candidate) => candidate.tag === tag);
    if (element === undefined || element.valueEnd - element.valueStart < 2) return undefined;
    const low = this.#bytes[element.valueStart + (this.#options.fromLittleEndian ? 0 : 1)]!;
    const high = this.#bytes[element.valueStart + (this.#options.fromLittleEndian ? 1 : 0)]!;
    return high * 256 + low;
  }
}

/** Output as a list of pieces, so that only the last step copies; neighbouring ranges of the input become one. */
class Pieces {
  readonly #source: Uint8Array;
  readonly #pieces: Uint8Array[] = [];
  #rangeStart = 0;
  #rangeEnd = 0;
  length = 0;

  constructor(source: Uint8Array) {
    this.#source = source;
  }

  nested(): Pieces {
    return new Pieces(this.#source);
  }

  add(piece: Uint8Array): void {
    this.#flush();
    this.#pieces.push(piece);
    this.length += piece.length;
  }

  copy(start: number, end: number): void {
    if (start !== this.#rangeEnd) {
      this.#flush();
      this.#rangeStart = start;
    }
    this.#rangeEnd = end;
    this.length += end - start;
  }

  append(other: Pieces): void {
    this.#flush();
    other.#flush();
    for (const piece of other.#pieces) this.#pieces.push(piece);
    this.length += other.length;
  }

  joined(): Uint8Array<ArrayBuffer> {
    this.#flush();
    const joined = new Uint8Array(this.length);
    let at = 0;
    for (const piece of this.#pieces) {
      joined.set(piece, at);
      at += piece.length;
    }
    return joined;
  }

  #flush(): void {
    if (this.#rangeEnd > this.#rangeStart) {
      this.#pieces.push(this.#source.subarray(this.#rangeStart, this.#rangeEnd));
    }
    this.#rangeStart = this.#rangeEnd = 0;
  }
}

function itemHeader(element: number, length: number): Uint8Array {
  const header = new DataView(new ArrayBuffer(8));
  header.setUint16(0, 0xfffe, true);
  header.setUint16(2, element, true);
  header.setUint32(4, length, true);
  return new Uint8Array(header.buffer);
}

function swapped(value: Uint8Array, unit: number): Uint8Array {
  const out = new Uint8Array(value.length);
  for (let at = 0; at < value.length; at += unit) {
    for (let i = 0; i < unit; i++) out[at + i] = value[at + unit - 1 - i]!;
  }
  return out;
}
