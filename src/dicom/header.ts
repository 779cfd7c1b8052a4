/*
 * The identifying elements of a data set, read while it streams by (PS3.5 §7).
 *
 * Owns one pass over the head of a data set of any transfer syntax: it keeps the few short elements that identify
 * patient, study and instance, skips everything else by its length, and stops behind the last one it wants. It holds
 * at most one header or one wanted value at a time, whatever the data set claims; it never changes a byte, and a data
 * set it cannot read is a result, never an exception. What is done about such a data set is the receiver's business.
 */

import { constants, inflateRawSync } from "node:zlib";
import { concat, latin1 } from "./bytes.ts";
import { tagText } from "./tag.ts";
import { encodingOf, trimUid } from "./uid.ts";

/** Text is as found: bytes as ISO 8859-1 characters, without padding; `specificCharacterSet` says what they stand for. */
export interface Identification {
  /** (0008,0005), values separated by backslashes. */
  specificCharacterSet: string;
  sopClassUid: string;
  sopInstanceUid: string;
  accessionNumber: string;
  modality: string;
  patientName: string;
  patientId: string;
  studyInstanceUid: string;
  seriesInstanceUid: string;
}

/**
 * - `reading`: more bytes are wanted.
 * - `complete`: past the last wanted element, or the data set ended between two elements.
 * - `truncated`: the data set ended inside an element.
 * - `unreadable`: what was found cannot be an element of this transfer syntax.
 */
export type HeaderState = "reading" | "complete" | "truncated" | "unreadable";

const WANTED: ReadonlyMap<number, keyof Identification> = new Map([
  [0x00080005, "specificCharacterSet"],
  [0x00080016, "sopClassUid"],
  [0x00080018, "sopInstanceUid"],
  [0x00080050, "accessionNumber"],
  [0x00080060, "modality"],
  [0x00100010, "patientName"],
  [0x00100020, "patientId"],
  [0x0020000d, "studyInstanceUid"],
  [0x0020000e, "seriesInstanceUid"],
]);
const LAST_WANTED = 0x0020000e;

/** Longest value kept, in bytes; the wanted elements are VRs of at most 64 characters (PN: 5 x 64, PS3.5 §6.2). */
const LONGEST_VALUE = 1024;

/** Deflated bytes looked at, and inflated bytes made of them: a head, never a bomb. */
const DEFLATED_HEAD = 64 * 1024;
const INFLATED_HEAD = 256 * 1024;

const UNDEFINED_LENGTH = 0xffffffff;
const ITEM_DELIMITATION = 0xfffee00d;
const SEQUENCE_DELIMITATION = 0xfffee0dd;

/** VRs with a 32-bit length behind two reserved bytes (PS3.5 Table 7.1-1), as their two characters in one number. */
const LONG_VRS: ReadonlySet<number> = new Set(
  ["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"].map((vr) =>
    vr.charCodeAt(0) << 8 | vr.charCodeAt(1)
  ),
);
const VR_UN = 0x554e;
const VR_SQ = 0x5351;
const VR_OB = 0x4f42;
const VR_OW = 0x4f57;

export class HeaderReader {
  readonly identification: Identification = {
    specificCharacterSet: "",
    sopClassUid: "",
    sopInstanceUid: "",
    accessionNumber: "",
    modality: "",
    patientName: "",
    patientId: "",
    studyInstanceUid: "",
    seriesInstanceUid: "",
  };
  state: HeaderState = "reading";
  /** Where reading stopped short: the element and what was wrong with it, for the log. */
  problem = "";

  #explicitVr: boolean;
  #littleEndian: boolean;
  readonly #deflated: boolean;
  #deflatedHead: Uint8Array[] = [];
  #deflatedLength = 0;

  /** Bytes of a header or wanted value that arrived so far, where the end of a chunk cut it. */
  readonly #held = new Uint8Array(LONGEST_VALUE);
  #heldLength = 0;
  #source: Uint8Array = this.#held;
  #start = 0;
  /** Offset in the chunk being scanned. */
  #at = 0;
  /** Value bytes still to skip. */
  #skip = 0;
  #wanted: keyof Identification | undefined;
  #valueLength = 0;
  #tag = 0;
  /** Depth in sequences and items of undefined length; elements there are passed over, none is wanted. */
  #depth = 0;
  /** Depth at which an element of VR UN and undefined length turned to implicit VR little endian (PS3.5 §6.2.2 Note 2), or -1. */
  #implicitFrom = -1;
  #outerLittleEndian = true;

  constructor(transferSyntaxUid: string) {
    const encoding = encodingOf(transferSyntaxUid);
    this.#explicitVr = encoding.explicitVr;
    this.#littleEndian = encoding.littleEndian;
    this.#deflated = encoding.deflated;
  }

  /** Takes the next bytes of the data set; they are not kept. Does nothing once the state is not `reading`. */
  push(chunk: Uint8Array): void {
    if (this.state !== "reading") return;
    if (!this.#deflated) return this.#scan(chunk);
    if (this.#deflatedLength < DEFLATED_HEAD) {
      this.#deflatedHead.push(chunk.slice(0, DEFLATED_HEAD - this.#deflatedLength));
      this.#deflatedLength += chunk.length;
    }
    if (this.#deflatedLength >= DEFLATED_HEAD) this.#inflateHead(false);
  }

  /** The data set ended. Afterwards the state is final. */
  end(): void {
    if (this.state !== "reading") return;
    if (this.#deflated) this.#inflateHead(true);
    if (this.state !== "reading") return;
    if (this.#skip > 0 || this.#heldLength > 0 || this.#wanted !== undefined) {
      this.state = "truncated";
      this.problem = `data set ends inside element ${tagText(this.#tag)}`;
    } else if (this.#depth > 0) {
      this.state = "truncated";
      this.problem = `data set ends inside a sequence, behind ${tagText(this.#tag)}`;
    } else this.state = "complete";
  }

  #inflateHead(whole: boolean): void {
    const joined = concat(this.#deflatedHead);
    this.#deflatedHead = [];
    let head: { inflated: Uint8Array; whole: boolean };
    try {
      head = inflateHead(joined);
    } catch (error) {
      this.#giveUp(`deflated data set: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    this.#scan(head.inflated);
    // Only a head was inflated: running out of it says nothing about the data set.
    if (
      this.state === "reading" &&
      (!whole || !head.whole || this.#deflatedLength > DEFLATED_HEAD)
    ) {
      this.#giveUp("identification not found in the head of the deflated data set");
    }
  }

  #giveUp(problem: string): void {
    this.state = "unreadable";
    this.problem = problem;
  }

  #scan(chunk: Uint8Array): void {
    this.#at = 0;
    while (this.state === "reading") {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - this.#at);
        this.#skip -= skipped;
        this.#at += skipped;
        if (this.#skip > 0) return;
      }
      const enough = this.#wanted === undefined
        ? this.#readHeader(chunk)
        : this.#readValue(chunk, this.#wanted);
      if (!enough) return;
    }
  }

  /**
   * Makes the next `length` bytes available in one piece at `#start` of `#source`: in the chunk itself where they lie
   * there whole, else joined in `#held`. False when they have not all arrived.
   */
  #peek(chunk: Uint8Array, length: number): boolean {
    if (this.#heldLength === 0 && this.#at + length <= chunk.length) {
      this.#source = chunk;
      this.#start = this.#at;
      return true;
    }
    const here = Math.max(0, Math.min(length - this.#heldLength, chunk.length - this.#at));
    this.#held.set(chunk.subarray(this.#at, this.#at + here), this.#heldLength);
    this.#heldLength += here;
    this.#at += here;
    this.#source = this.#held;
    this.#start = 0;
    return this.#heldLength >= length;
  }

  /** Goes past the bytes last peeked at. */
  #consume(length: number): void {
    if (this.#source === this.#held) this.#heldLength = 0;
    else this.#at += length;
  }

  #readValue(chunk: Uint8Array, wanted: keyof Identification): boolean {
    const length = this.#valueLength;
    if (!this.#peek(chunk, length)) return false;
    const text = latin1(this.#source, this.#start, this.#start + length);
    this.#consume(length);
    this.identification[wanted] = trimText(text);
    this.#wanted = undefined;
    return true;
  }

  /** Reads one element header, PS3.5 §7.1.2 and §7.1.3, and decides what to do with its value. */
  #readHeader(chunk: Uint8Array): boolean {
    if (!this.#peek(chunk, 8)) return false;
    const littleEndian = this.#littleEndian;
    const group = u16(this.#source, this.#start, littleEndian);
    const tag = group * 0x10000 + u16(this.#source, this.#start + 2, littleEndian);
    this.#tag = tag;
    if (!this.#explicitVr || group === 0xfffe) {
      if (group === 0x0002 && isTwoLetters(u16(this.#source, this.#start + 4, false))) {
        // File meta information is explicit VR whatever follows it (PS3.10 §7.1), and has no place here.
        this.#giveUp("file meta information stands before the data set");
        return true;
      }
      const length = u32(this.#source, this.#start + 4, littleEndian);
      this.#consume(8);
      this.#element(tag, 0, length);
      return true;
    }
    const vr = this.#source[this.#start + 4]! << 8 | this.#source[this.#start + 5]!;
    if (!LONG_VRS.has(vr)) {
      const length = u16(this.#source, this.#start + 6, littleEndian);
      this.#consume(8);
      if (isTwoLetters(vr)) this.#element(tag, vr, length);
      else this.#giveUp(`element ${tagText(tag)} has no value representation`);
      return true;
    }
    if (!this.#peek(chunk, 12)) return false;
    const length = u32(this.#source, this.#start + 8, littleEndian);
    this.#consume(12);
    this.#element(tag, vr, length);
    return true;
  }

  #element(tag: number, vr: number, length: number): void {
    if (this.#depth > 0) {
      this.#nested(tag, vr, length);
    } else if (tag > LAST_WANTED) {
      this.state = "complete";
    } else if (length === UNDEFINED_LENGTH) {
      this.#enter(vr);
    } else {
      const wanted = WANTED.get(tag);
      if (wanted === undefined) this.#skip = length;
      else if (length > LONGEST_VALUE) {
        // Not absent, and equal to nothing that anybody means.
        this.identification[wanted] = `(${length} bytes)`;
        this.#skip = length;
      } else if (length > 0) {
        this.#wanted = wanted;
        this.#valueLength = length;
      }
    }
  }

  /** Inside a sequence of undefined length only its shape matters: find the end. */
  #nested(tag: number, vr: number, length: number): void {
    if (tag === ITEM_DELIMITATION || tag === SEQUENCE_DELIMITATION) {
      this.#depth--;
      if (this.#depth === this.#implicitFrom) {
        this.#explicitVr = true;
        this.#littleEndian = this.#outerLittleEndian;
        this.#implicitFrom = -1;
      }
    } else if (length === UNDEFINED_LENGTH) this.#enter(vr);
    else this.#skip = length;
  }

  #enter(vr: number): void {
    if (vr !== 0 && vr !== VR_SQ && vr !== VR_UN && vr !== VR_OB && vr !== VR_OW) {
      this.#giveUp(`element ${tagText(this.#tag)} has an undefined length but is no sequence`);
      return;
    }
    if (vr === VR_UN && this.#implicitFrom < 0) {
      this.#implicitFrom = this.#depth;
      this.#outerLittleEndian = this.#littleEndian;
      this.#explicitVr = false;
      this.#littleEndian = true;
    }
    this.#depth++;
  }
}

function u16(bytes: Uint8Array, at: number, littleEndian: boolean): number {
  return littleEndian ? bytes[at]! | bytes[at + 1]! << 8 : bytes[at]! << 8 | bytes[at + 1]!;
}

function u32(bytes: Uint8Array, at: number, littleEndian: boolean): number {
  return littleEndian
    ? u16(bytes, at, true) + u16(bytes, at + 2, true) * 0x10000
    : u16(bytes, at, false) * 0x10000 + u16(bytes, at + 2, false);
}

function isTwoLetters(vr: number): boolean {
  const first = vr >> 8;
  const second = vr & 0xff;
  return first >= 0x41 && first <= 0x5a && second >= 0x41 && second <= 0x5a;
}

/** Without the padding and the insignificant spaces at both ends (PS3.5 §6.2). */
function trimText(text: string): string {
  let start = 0;
  while (start < text.length && text.charCodeAt(start) === 0x20) start++;
  return trimUid(text.slice(start));
}

/** Inflates at most `INFLATED_HEAD` bytes of a deflate stream that may be cut anywhere; `whole` where that is all of it. */
function inflateHead(deflated: Uint8Array): { inflated: Uint8Array; whole: boolean } {
  // A deflate stream expands at most 1032 times: so much input can be taken without passing the limit, if need be.
  for (let length = deflated.length;; length = Math.ceil(length / 4)) {
    try {
      const inflated = inflateRawSync(deflated.subarray(0, length), {
        finishFlush: constants.Z_SYNC_FLUSH,
        maxOutputLength: INFLATED_HEAD,
      });
      return { inflated, whole: length === deflated.length && inflated.length < INFLATED_HEAD };
    } catch (error) {
      if (!(error instanceof RangeError) || length <= 1) throw error;
    }
  }
}
