/*
 * Data sets written in Explicit VR Little Endian (PS3.5 §7.1.2, §A.2), for data this program makes itself.
 *
 * Owns the byte layout of elements: header, padding, order. What was received is never written through here; it leaves
 * as it came. Text is ISO 8859-1, so a data set with more than ASCII says ISO_IR 100 in (0008,0005). A value that does
 * not fit its VR is a RangeError: the fault lies in the calling code, not in anybody's data.
 */

import { concat } from "./bytes.ts";
import { tagText } from "./tag.ts";

/** VRs whose value is text; a list is written with backslashes between its values (PS3.5 §6.4). */
export type TextVr =
  | "AE"
  | "AS"
  | "CS"
  | "DA"
  | "DS"
  | "DT"
  | "IS"
  | "LO"
  | "LT"
  | "PN"
  | "SH"
  | "ST"
  | "TM"
  | "UC"
  | "UI"
  | "UR"
  | "UT";

/** VRs whose values are binary numbers; AT is a tag as gggg * 65536 + eeee. */
export type NumberVr = "AT" | "FD" | "FL" | "SL" | "SS" | "UL" | "US";

/** VRs whose value is bytes, in little endian order already. */
export type BytesVr = "OB" | "OD" | "OF" | "OL" | "OV" | "OW" | "UN";

/** An element: tag as gggg * 65536 + eeee, VR and value. The value of SQ is a list of items. */
export type Element =
  | readonly [
    tag: number,
    vr: TextVr,
    value: string | number | readonly string[] | readonly number[],
  ]
  | readonly [tag: number, vr: NumberVr, value: number | readonly number[]]
  | readonly [tag: number, vr: BytesVr, value: Uint8Array]
  | readonly [tag: number, vr: "SQ", value: readonly (readonly Element[])[]];

/** VRs with two reserved bytes and a 32-bit length (PS3.5 Table 7.1-1). */
const LONG_VRS: ReadonlySet<string> = new Set(
  ["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "UC", "UN", "UR", "UT"],
);

/** The most bytes one value of a VR may take (PS3.5 Table 6.2-1); VRs without an entry have no limit of their own. */
const MAX_LENGTH: ReadonlyMap<string, number> = new Map([
  ...["AE", "CS", "DS", "SH", "TM"].map((vr) => [vr, 16] as const),
  ["AS", 4],
  ["DA", 8],
  ["DT", 26],
  ["IS", 12],
  ["LO", 64],
  ["LT", 10240],
  ["PN", 194],
  ["ST", 1024],
  ["UI", 64],
]);

const NUMBER_SIZES = { AT: 4, FD: 8, FL: 4, SL: 4, SS: 2, UL: 4, US: 2 } as const;

const RANGES: ReadonlyMap<NumberVr, readonly [number, number]> = new Map([
  ["AT", [0, 0xffffffff]],
  ["SL", [-0x80000000, 0x7fffffff]],
  ["SS", [-0x8000, 0x7fff]],
  ["UL", [0, 0xffffffff]],
  ["US", [0, 0xffff]],
]);

/**
 * Encodes elements in ascending order of their tags, as PS3.5 §7.1 wants them.
 *
 * @throws {RangeError} where tags are out of order or a value does not fit its VR
 */
export function encodeDataSet(elements: readonly Element[]): Uint8Array<ArrayBuffer> {
  let last = -1;
  for (const [tag] of elements) {
    if (tag <= last) {
      throw new RangeError(`Cannot encode ${tagText(tag)} after ${tagText(last)}: not ascending`);
    }
    last = tag;
  }
  return concat(elements.map(encodeElement));
}

/**
 * Encodes one element: header, value, and padding to an even length (PS3.5 §6.2): NUL behind a UID and bytes, a space
 * behind other text. Sequences and their items have defined lengths.
 *
 * @throws {RangeError} where the value does not fit the VR
 */
export function encodeElement(element: Element): Uint8Array<ArrayBuffer> {
  const [tag, vr] = element;
  const value = encodeValue(element);
  return concat([encodeHeader(tag, vr, value.length), value]);
}

/**
 * Encodes the header of an element whose value of `length` bytes, an even number, the caller appends.
 *
 * @throws {RangeError} where the length does not fit the VR
 */
export function encodeHeader(tag: number, vr: string, length: number): Uint8Array<ArrayBuffer> {
  const long = LONG_VRS.has(vr);
  if (length > (long ? 0xfffffffe : 0xfffe) || length % 2 !== 0) {
    throw new RangeError(`Cannot encode ${tagText(tag)} ${vr}: ${length} bytes is no valid length`);
  }
  const header = new Uint8Array(long ? 12 : 8);
  const view = new DataView(header.buffer);
  view.setUint16(0, tag >>> 16, true);
  view.setUint16(2, tag & 0xffff, true);
  header[4] = vr.charCodeAt(0);
  header[5] = vr.charCodeAt(1);
  if (long) view.setUint32(8, length, true);
  else view.setUint16(6, length, true);
  return header;
}

function encodeValue(element: Element): Uint8Array {
  const [tag, vr, value] = element;
  if (vr === "SQ") return concat((value as readonly (readonly Element[])[]).map(encodeItem));
  if (value instanceof Uint8Array) return padded(value, 0);
  if (vr in NUMBER_SIZES) {
    return encodeNumbers(
      tag,
      vr as NumberVr,
      typeof value === "number" ? [value] : value as number[],
    );
  }
  const texts = (Array.isArray(value) ? value : [value]).map(String);
  const longest = MAX_LENGTH.get(vr) ?? Infinity;
  const tooLong = texts.find((text) => text.length > longest);
  if (tooLong !== undefined) {
    throw new RangeError(
      `Cannot encode ${tagText(tag)} ${vr}: ${
        JSON.stringify(tooLong)
      } is over ${longest} characters`,
    );
  }
  return padded(latin1Bytes(tag, texts.join("\\")), vr === "UI" ? 0 : 0x20);
}

/** An item of defined length (PS3.5 §7.5.1). */
function encodeItem(elements: readonly Element[]): Uint8Array {
  const content = encodeDataSet(elements);
  const item = new Uint8Array(8 + content.length);
  const view = new DataView(item.buffer);
  view.setUint16(0, 0xfffe, true);
  view.setUint16(2, 0xe000, true);
  view.setUint32(4, content.length, true);
  item.set(content, 8);
  return item;
}

function encodeNumbers(tag: number, vr: NumberVr, values: readonly number[]): Uint8Array {
  const size = NUMBER_SIZES[vr];
  const range = RANGES.get(vr);
  const bytes = new Uint8Array(size * values.length);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) {
    const at = size * i;
    if (
      range !== undefined && !(Number.isInteger(value) && value >= range[0] && value <= range[1])
    ) {
      throw new RangeError(`Cannot encode ${tagText(tag)} ${vr}: ${value} is out of its range`);
    }
    if (vr === "FD") view.setFloat64(at, value, true);
    else if (vr === "FL") view.setFloat32(at, value, true);
    else if (vr === "SL") view.setInt32(at, value, true);
    else if (vr === "SS") view.setInt16(at, value, true);
    else if (vr === "UL") view.setUint32(at, value, true);
    else if (vr === "US") view.setUint16(at, value, true);
    else {
      // AT: group, then element (PS3.5 §6.2).
      view.setUint16(at, value >>> 16, true);
      view.setUint16(at + 2, value & 0xffff, true);
    }
  }
  return bytes;
}

function latin1Bytes(tag: number, text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0xff) {
      throw new RangeError(`Cannot encode ${tagText(tag)}: ${JSON.stringify(text)} is not Latin-1`);
    }
    bytes[i] = code;
  }
  return bytes;
}

function padded(bytes: Uint8Array, padding: number): Uint8Array {
  if (bytes.length % 2 === 0) return bytes;
  const even = new Uint8Array(bytes.length + 1);
  even.set(bytes);
  even[bytes.length] = padding;
  return even;
}
