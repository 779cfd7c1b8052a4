/*
 * Fuzzing of the PDU decoder and the PDU reader: made and spoilt PDUs, thousands a second.
 *
 * What must hold of any bytes: a PDU or MalformedPdu, no other throw; what was read is written and read the same; a stream
 * reads the same however it is cut; and no read takes room for more than its buffer, whatever a length claims.
 */

import { isDeepStrictEqual } from "node:util";
import { concat } from "../../src/dicom/bytes.ts";
import { type ControlPdu, PduType } from "../../src/ul/pdu.ts";
import { decodeControlPdu, MalformedPdu } from "../../src/ul/pdu_decode.ts";
import { encodeControlPdu } from "../../src/ul/pdu_encode.ts";
import { PduReader } from "../../src/ul/pdu_reader.ts";
import { Feed, transportOf } from "../helpers/feed.ts";
import { mutate, type Node, sequence } from "./grammar.ts";
import { Random, Violation } from "./random.ts";

export interface PduFigures {
  pdus: number;
  malformed: number;
  /** Read, written and read again. */
  roundTrips: number;
}

/** The reader's buffer, small so that headers are cut by its end; no read may offer more beside a body of 4096. */
const BUFFER = 2048;
const LARGEST_OFFER = 1024 * 1024;

/** PDUs handed to the reader in one stream. */
const STREAM = 16;

/** New trees to spoil are made after so many PDUs. */
const HARVEST = 4000;

const MAX_PDU_LENGTH = 16_384;

/** @throws {Violation} */
export async function fuzzPdus(
  count: number,
  seed: number,
  progress: (figures: PduFigures) => void = () => {},
): Promise<PduFigures> {
  const random = new Random(seed);
  const figures: PduFigures = { pdus: 0, malformed: 0, roundTrips: 0 };
  let trees: Node[] = [];
  let reported = 0;
  while (figures.pdus < count) {
    if (figures.pdus % HARVEST < STREAM) trees = Array.from({ length: 60 }, () => tree(random));
    const stream: Uint8Array[] = [];
    for (let n = 0; n < STREAM; n++) {
      const pdu = onePdu(random, trees);
      stream.push(pdu);
      checkDecoder(pdu, figures);
    }
    figures.pdus += STREAM;
    await checkReader(concat(stream), random);
    if (figures.pdus - reported >= 250_000) {
      reported = figures.pdus;
      progress(figures);
    }
  }
  return figures;
}

function onePdu(random: Random, trees: readonly Node[]): Uint8Array {
  if (random.oneIn(20)) return random.bytes(random.below(200));
  const times = random.pick([0, 1, 1, 1, 2, 3, 6]);
  return mutate(sequence([random.pick(trees)]), random, times);
}

/** The decoder alone, on the variable field as the header's length or the bytes' end gives it. */
function checkDecoder(pdu: Uint8Array, figures: PduFigures): void {
  if (pdu.length < 6 || pdu[0] === PduType.Data) return;
  let first: ControlPdu;
  try {
    first = decodeControlPdu(pdu[0]!, pdu.subarray(6));
  } catch (error) {
    if (!(error instanceof MalformedPdu)) throw new Violation(`decoder threw ${error}`, pdu, error);
    figures.malformed++;
    return;
  }
  let written: Uint8Array;
  try {
    written = encodeControlPdu(first);
  } catch (error) {
    // What was written into an item of nearly 64 KiB may not fit any more with the sub-items it lacked.
    if (error instanceof RangeError && pdu.length > 60_000) return;
    throw new Violation(`encoder threw ${error} for a PDU that was read`, pdu, error);
  }
  const second = decodeControlPdu(written[0]!, written.subarray(6));
  if (!isDeepStrictEqual(first, second)) {
    throw new Violation("a PDU reads otherwise after it was written", pdu);
  }
  figures.roundTrips++;
}

/** The reader, twice: whole and in pieces. */
async function checkReader(stream: Uint8Array, random: Random): Promise<void> {
  const whole = await readAll([stream], stream);
  const pieces = await readAll(random.cut(stream), stream);
  if (whole !== pieces) {
    throw new Violation(`a stream reads as ${pieces} in pieces and as ${whole} whole`, stream);
  }
}

/** What a stream holds, in a line: PDU types, fragments by their flags, length and sum, and how it ends. */
async function readAll(chunks: Iterable<Uint8Array>, stream: Uint8Array): Promise<string> {
  const feed = new Feed(chunks);
  const reader = new PduReader(transportOf(feed), MAX_PDU_LENGTH, BUFFER);
  const seen: string[] = [];
  let length = 0;
  let sum = 0;
  let open = "";
  try {
    for (;;) {
      const pdu = await reader.next(false);
      if (pdu.type === "closed") {
        seen.push(pdu.midway ? `midway ${open} ${length} ${sum}` : "end");
        break;
      }
      if (pdu.type !== PduType.Data) {
        seen.push(String(pdu.type));
        continue;
      }
      // Pieces follow the cuts; what they add up to does not.
      const key = `${pdu.contextId}${pdu.command ? "c" : "d"}`;
      open = key;
      for (const byte of pdu.bytes) sum = (sum * 31 + byte) >>> 0;
      length += pdu.bytes.length;
      if (!pdu.last) continue;
      seen.push(`${key} ${length} ${sum}`);
      length = sum = 0;
    }
  } catch (error) {
    if (!(error instanceof MalformedPdu)) {
      throw new Violation(`reader threw ${error}`, stream, error);
    }
    seen.push(error.message);
  }
  if (feed.largestOffer > LARGEST_OFFER) {
    throw new Violation(`reader made room for ${feed.largestOffer} bytes`, stream);
  }
  return seen.join(", ");
}

const ITEM_TYPES = [0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0xff] as const;

/** A well-formed PDU of any type. */
function tree(random: Random): Node {
  const type = 1 + random.below(7);
  if (type === 4) {
    return node([4, 0], 4, [], Array.from({ length: 1 + random.below(4) }, () => pdv(random)));
  }
  if (type > 2) return node([type, 0], 4, random.bytes(4));
  const fixed = random.bytes(68);
  fixed.set([0, 1, 0, 0]);
  const contexts = Array.from({ length: random.below(5) }, () => {
    const syntaxes = Array.from({ length: random.below(4) }, () => node([0x40, 0], 2, uid(random)));
    const abstract = node([0x30, 0], 2, uid(random));
    return type === 1
      ? node([0x20, 0], 2, [1 + 2 * random.below(128), 0, 0, 0], [abstract, ...syntaxes])
      : node([0x21, 0], 2, [1 + 2 * random.below(128), 0, random.below(5), 0], syntaxes);
  });
  const user = Array.from({ length: random.below(6) }, () => userItem(random));
  const items = [node([0x10, 0], 2, uid(random)), ...contexts, node([0x50, 0], 2, [], user)];
  if (random.oneIn(8)) items.push(node([random.below(256), 0], 2, random.bytes(random.below(9))));
  return node([type, 0], 4, fixed, items);
}

function userItem(random: Random): Node {
  const type = random.pick(ITEM_TYPES);
  const prefixed = (value: Uint8Array) => node([], 2, value);
  const roles = { ...sequence([]), body: random.bytes(2) };
  switch (type) {
    case 0x51:
    case 0x53:
      return node([type, 0], 2, random.bytes(4));
    case 0x54:
      return node([type, 0], 2, [], [prefixed(uid(random)), roles]);
    case 0x56:
      return node([type, 0], 2, [], [prefixed(uid(random)), roles]);
    case 0x57: {
      const related = Array.from({ length: random.below(3) }, () => prefixed(uid(random)));
      const list = node([], 2, [], related);
      return node([type, 0], 2, [], [prefixed(uid(random)), prefixed(uid(random)), list]);
    }
    case 0x58: {
      const fields = [prefixed(random.bytes(4)), prefixed(random.bytes(random.below(3)))];
      return node([type, 0], 2, [1 + random.below(5), random.below(2)], fields);
    }
    case 0x59:
      return node([type, 0], 2, [], [prefixed(random.bytes(random.below(5)))]);
    default:
      return node([type, 0], 2, uid(random));
  }
}

function pdv(random: Random): Node {
  const length = random.pick([0, 1, 2, 10, 300, 3000]);
  return node([], 4, [1 + 2 * random.below(4), random.below(4), ...random.bytes(length)]);
}

/** A UID, padded now and then as devices do. */
function uid(random: Random): Uint8Array {
  let text = "1.2.840.10008";
  for (let n = random.below(6); n > 0; n--) text += `.${random.below(1000)}`;
  if (random.oneIn(5)) text += "\0";
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function node(
  head: number[],
  width: 2 | 4,
  body: ArrayLike<number>,
  children: Node[] = [],
): Node {
  return {
    head: Uint8Array.from(head),
    width,
    littleEndian: false,
    body: Uint8Array.from(body),
    children,
  };
}
