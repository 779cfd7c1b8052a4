/*
 * The structure of an encoded data set (PS3.5 §7): where each element, item and fragment begins and ends.
 *
 * Owns positions, never values: nothing is decoded here, so nothing can be altered. A data set that does not agree
 * with its own encoding is refused with the byte and the tag, rather than guessed at. The number of elements and the
 * depth of sequences are bounded, because the structure of a hostile data set could otherwise fill the memory.
 */

import { tagText } from "../dicom/tag.ts";
import { CannotTranscode } from "./error.ts";

export interface ElementSpan {
  readonly tag: number;
  /** Two letters; "" where the encoding carries none and the dictionary was not asked. */
  readonly vr: string;
  readonly start: number;
  readonly valueStart: number;
  /** End of the value, before a Sequence Delimitation Item. */
  readonly valueEnd: number;
  readonly end: number;
  readonly undefinedLength: boolean;
  readonly items: readonly ItemSpan[] | null;
  /** Fragments of encapsulated pixel data, the Basic Offset Table first (PS3.5 §A.4). */
  readonly fragments: readonly Span[] | null;
  /** True where this element or one inside it has fragments. */
  readonly encapsulated: boolean;
}

export interface ItemSpan {
  readonly undefinedLength: boolean;
  readonly elements: readonly ElementSpan[];
}

export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface ParseOptions {
  readonly explicitVr: boolean;
  readonly littleEndian: boolean;
  /** The VR of a tag where the encoding has none; needed for Implicit VR only. */
  readonly vrOf?: (tag: number) => string;
}

export const PIXEL_DATA = 0x7fe00010;

const ITEM = 0xfffee000;
const ITEM_END = 0xfffee00d;
const SEQUENCE_END = 0xfffee0dd;
const UNDEFINED = 0xffffffff;

const MAX_ELEMENTS = 500_000;
const MAX_DEPTH = 32;

/** VRs with a 32-bit length behind two reserved bytes (PS3.5 Table 7.1-1). */
const LONG_VRS: ReadonlySet<string> = new Set(
  ["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"],
);

/** VRs with a 16-bit length (PS3.5 Table 7.1-2). */
const SHORT_VRS: ReadonlySet<string> = new Set(
  [
    ..."AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split(" "),
  ],
);

/** True for a VR whose explicit header is 12 bytes long. */
export function hasLongHeader(vr: string): boolean {
  return LONG_VRS.has(vr);
}

/** True for a VR of PS3.5 Table 6.2-1. */
export function isKnownVr(vr: string): boolean {
  return LONG_VRS.has(vr) || SHORT_VRS.has(vr);
}

/**
 * Finds the elements of a data set that begins at byte 0 and fills `bytes`.
 *
 * @throws {CannotTranscode} where the bytes are not such a data set
 */
export function parseDataSet(bytes: Uint8Array, options: ParseOptions): ElementSpan[] {
  return new Parser(bytes, options).dataSet(0, bytes.length, false, 0).elements;
}

class Parser {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #explicitVr: boolean;
  readonly #littleEndian: boolean;
  readonly #vrOf: (tag: number) => string;
  #count = 0;

  constructor(bytes: Uint8Array, options: ParseOptions) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#explicitVr = options.explicitVr;
    this.#littleEndian = options.littleEndian;
    this.#vrOf = options.vrOf ?? (() => "");
  }

  dataSet(
    start: number,
    limit: number,
    delimited: boolean,
    depth: number,
  ): { elements: ElementSpan[]; end: number } {
    if (depth > MAX_DEPTH) {
      throw new CannotTranscode(`its sequences are nested more than ${MAX_DEPTH} levels deep`);
    }
    const elements: ElementSpan[] = [];
    let at = start;
    while (at < limit) {
      this.#need(at, 8, limit, "an element header");
      if (delimited && this.#tag(at) === ITEM_END) return { elements, end: at + 8 };
      if (++this.#count > MAX_ELEMENTS) {
        throw new CannotTranscode(`it has more than ${MAX_ELEMENTS} elements`);
      }
      const element = this.#element(at, limit, depth);
      elements.push(element);
      at = element.end;
    }
    if (delimited) throw new CannotTranscode(`an item has no end (byte ${start})`);
    return { elements, end: at };
  }

  #element(start: number, limit: number, depth: number): ElementSpan {
    const tag = this.#tag(start);
    const [vr, length, valueStart] = this.#header(start, limit, tag);
    if (length !== UNDEFINED) {
      this.#need(valueStart, length, limit, `the value of ${tagText(tag)}`);
      const end = valueStart + length;
      const parsed = vr === "SQ" ? this.#definedSequence(valueStart, end, depth) : null;
      return {
        tag,
        // PS3.5 §6.2.2: what cannot be taken apart travels as unknown bytes. An explicit VR is never second-guessed.
        vr: vr === "SQ" && parsed === null ? "UN" : vr,
        start,
        valueStart,
        valueEnd: end,
        end,
        undefinedLength: false,
        items: parsed,
        fragments: null,
        encapsulated: parsed !== null && anyEncapsulated(parsed),
      };
    }
    const common = { tag, start, valueStart, undefinedLength: true };
    if (this.#explicitVr && vr === "UN") {
      // PS3.5 §6.2.2: the content is Implicit VR Little Endian whatever surrounds it.
      const inner = new Parser(this.#bytes, { explicitVr: false, littleEndian: true });
      inner.#count = this.#count;
      const { end } = inner.#sequence(valueStart, limit, true, depth);
      this.#count = inner.#count;
      return {
        ...common,
        vr,
        valueEnd: end - 8,
        end,
        items: null,
        fragments: null,
        encapsulated: false,
      };
    }
    if (this.#explicitVr && vr !== "SQ") {
      const { fragments, end } = this.#fragments(tag, valueStart, limit);
      return { ...common, vr, valueEnd: end - 8, end, items: null, fragments, encapsulated: true };
    }
    const { items, end } = this.#sequence(valueStart, limit, true, depth);
    const encapsulated = anyEncapsulated(items);
    return { ...common, vr: "SQ", valueEnd: end - 8, end, items, fragments: null, encapsulated };
  }

  /** VR, length and the place where the value begins. */
  #header(start: number, limit: number, tag: number): [string, number, number] {
    if (!this.#explicitVr) {
      return [this.#vrOf(tag), this.#view.getUint32(start + 4, this.#littleEndian), start + 8];
    }
    const vr = String.fromCharCode(this.#bytes[start + 4]!, this.#bytes[start + 5]!);
    if (SHORT_VRS.has(vr)) {
      return [vr, this.#view.getUint16(start + 6, this.#littleEndian), start + 8];
    }
    if (!LONG_VRS.has(vr)) {
      throw new CannotTranscode(
        `element ${tagText(tag)} at byte ${start} has the unknown VR ${JSON.stringify(vr)}`,
      );
    }
    this.#need(start, 12, limit, `the header of ${tagText(tag)}`);
    return [vr, this.#view.getUint32(start + 8, this.#littleEndian), start + 12];
  }

  #definedSequence(start: number, end: number, depth: number): ItemSpan[] | null {
    if (this.#explicitVr) return this.#sequence(start, end, false, depth).items;
    try {
      return this.#sequence(start, end, false, depth).items;
    } catch (error) {
      if (error instanceof CannotTranscode) return null;
      throw error;
    }
  }

  #sequence(
    start: number,
    limit: number,
    delimited: boolean,
    depth: number,
  ): { items: ItemSpan[]; end: number } {
    const items: ItemSpan[] = [];
    let at = start;
    while (at < limit) {
      this.#need(at, 8, limit, "an item header");
      const tag = this.#tag(at);
      const length = this.#view.getUint32(at + 4, this.#littleEndian);
      if (delimited && tag === SEQUENCE_END) return { items, end: at + 8 };
      if (tag !== ITEM) {
        throw new CannotTranscode(
          `a sequence has ${tagText(tag)} where an item belongs (byte ${at})`,
        );
      }
      if (++this.#count > MAX_ELEMENTS) {
        throw new CannotTranscode(`it has more than ${MAX_ELEMENTS} elements`);
      }
      const undefinedLength = length === UNDEFINED;
      if (!undefinedLength) this.#need(at + 8, length, limit, "an item");
      const itemLimit = undefinedLength ? limit : at + 8 + length;
      const { elements, end } = this.dataSet(at + 8, itemLimit, undefinedLength, depth + 1);
      items.push({ undefinedLength, elements });
      at = end;
    }
    if (delimited) throw new CannotTranscode(`a sequence has no end (byte ${start})`);
    return { items, end: at };
  }

  #fragments(tag: number, start: number, limit: number): { fragments: Span[]; end: number } {
    const fragments: Span[] = [];
    let at = start;
    for (;;) {
      this.#need(at, 8, limit, `a fragment of ${tagText(tag)}`);
      const item = this.#tag(at);
      const length = this.#view.getUint32(at + 4, this.#littleEndian);
      if (item === SEQUENCE_END) return { fragments, end: at + 8 };
      if (item !== ITEM || length === UNDEFINED) {
        throw new CannotTranscode(
          `${tagText(tag)} has ${tagText(item)} where a fragment belongs (byte ${at})`,
        );
      }
      this.#need(at + 8, length, limit, `a fragment of ${tagText(tag)}`);
      if (++this.#count > MAX_ELEMENTS) {
        throw new CannotTranscode(`it has more than ${MAX_ELEMENTS} fragments`);
      }
      fragments.push({ start: at + 8, end: at + 8 + length });
      at += 8 + length;
    }
  }

  #tag(at: number): number {
    const group = this.#view.getUint16(at, this.#littleEndian);
    return group * 0x10000 + this.#view.getUint16(at + 2, this.#littleEndian);
  }

  #need(at: number, length: number, limit: number, what: string): void {
    if (length <= limit - at) return;
    throw new CannotTranscode(
      `the data set ends within ${what} (byte ${at}: ${length} bytes wanted, ${limit - at} there)`,
    );
  }
}

function anyEncapsulated(items: readonly ItemSpan[]): boolean {
  return items.some((item) => item.elements.some((element) => element.encapsulated));
}
