/*
 * Command sets that lie, lack, repeat and overdo.
 */

import { VERIFICATION } from "../../src/dicom/uid.ts";
import { type Command, encodeCommand } from "../../src/dimse/command.ts";
import { CT_IMAGE_STORAGE } from "../helpers/instances.ts";
import { mutate, type Node, parseCommand, sequence } from "./grammar.ts";
import type { Random } from "./random.ts";

/** C-STORE, C-GET, C-MOVE, C-FIND, C-ECHO and N-*, their responses, C-CANCEL (PS3.7 Annex E.1), and none. */
const COMMAND_FIELDS = [
  0x0001,
  0x0001,
  0x0001,
  0x8001,
  0x0010,
  0x8010,
  0x0020,
  0x0021,
  0x0030,
  0x8030,
  0x0100,
  0x0110,
  0x0120,
  0x0130,
  0x0140,
  0x0150,
  0x8150,
  0x0fff,
  0x0000,
  0xffff,
] as const;

const ODD_TEXTS = ["", "1", "1.2.3", "x", "9".repeat(64), "9".repeat(65), "\0", "..", "1.2\0 "];

/** A request of any kind, most of them with something wrong. */
export function randomCommand(random: Random): Uint8Array<ArrayBuffer> {
  return spoil(random, {
    commandField: random.pick(COMMAND_FIELDS),
    affectedSopClassUid: random.pick([CT_IMAGE_STORAGE, VERIFICATION, ...ODD_TEXTS]),
    affectedSopInstanceUid: random.pick(["1.2.3.4.5", ...ODD_TEXTS]),
    messageId: random.below(0x10000),
    priority: random.below(4),
    commandDataSetType: random.pick([0x0000, 0x0001, 0x0101, 0x0101, 0x0102, 0xffff]),
  });
}

/** An answer to the C-STORE of this id, most of them with something wrong. */
export function randomResponse(random: Random, messageId: number): Uint8Array<ArrayBuffer> {
  return spoil(random, {
    commandField: random.oneIn(6) ? random.pick(COMMAND_FIELDS) : 0x8001,
    affectedSopClassUid: CT_IMAGE_STORAGE,
    messageIdBeingRespondedTo: random.oneIn(6) ? random.below(0x10000) : messageId,
    commandDataSetType: random.oneIn(8) ? random.below(0x10000) : 0x0101,
    status: random.pick([0, 0, 0, 0xa700, 0xb000, 0x0110, 0xff00, 0xfe00, 0x0111]),
    affectedSopInstanceUid: random.pick(["1.2.3.4.5", ...ODD_TEXTS]),
  });
}

function spoil(random: Random, command: Command): Uint8Array<ArrayBuffer> {
  const elements = parseCommand(encodeCommand(command));
  if (random.oneIn(3)) elements.splice(random.below(elements.length + 1), 0, stranger(random));
  return mutate(sequence(elements), random, random.pick([0, 1, 1, 2, 3]));
}

/** An element that has no place here: another group, unknown, a known one again with another value, or far too long. */
function stranger(random: Random): Node {
  const group = random.oneIn(4) ? random.below(0x10000) : 0;
  const element = random.pick([
    0x0000,
    0x0002,
    0x0100,
    0x0110,
    0x0120,
    0x0800,
    0x0900,
    0x1000,
    0x5110,
  ]);
  return {
    head: Uint8Array.of(group & 0xff, group >>> 8, element & 0xff, element >>> 8),
    width: 4,
    littleEndian: true,
    body: random.bytes(random.oneIn(100) ? 70_000 : random.pick([0, 1, 2, 2, 4, 64])),
    children: [],
  };
}
