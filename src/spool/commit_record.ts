/*
 * The commit record: what the spool writes into the 128-byte preamble of a file (PS3.10 §7.1 leaves it to us) when its
 * data set is complete. A file with a record that checks is a committed instance, whatever it is called.
 *
 * Pure functions over bytes, all numbers little endian:
 *
 *     0-7    "DFWSPOOL"
 *     8-9    version of the record, 1
 *     10-11  reserved, 0
 *     12-15  offset of the data set in the file
 *     16-23  length of the data set
 *     24-27  CRC-32 of the data set
 *     28-31  study hash
 *     32-39  received, ms since 1970
 *     40-47  sequence
 *     48-51  CRC-32 of the file meta: of all bytes between the preamble and the data set
 *     52-59  first number of the slot the instance was received into
 *     60-67  second number of it; both 0 where it is not told
 *     68-123 reserved, 0
 *     124-127 CRC-32 of bytes 0 to 123
 *
 * The slot tells an instance that was committed into a slot from one that a delivered file was still holding when it
 * became a slot (`slots.ts`): only of the first does the record name the slot that the file is.
 */

import { crc32 } from "node:zlib";
import { latin1, putLatin1 } from "../dicom/bytes.ts";
import { PREAMBLE_LENGTH } from "../dicom/part10.ts";

export interface CommitRecord {
  readonly dataSetOffset: number;
  readonly dataSetLength: number;
  readonly crc32: number;
  readonly metaCrc32: number;
  readonly studyHash: number;
  readonly receivedMs: number;
  readonly sequence: number;
  /** Name of the slot's file; empty where it is not told. */
  readonly slot: string;
}

const MAGIC = "DFWSPOOL";
const VERSION = 1;

/** Writes the record into the first 128 bytes of `into`. */
export function putCommitRecord(into: Uint8Array, record: CommitRecord): void {
  into.fill(0, 0, PREAMBLE_LENGTH);
  putLatin1(into, 0, MAGIC);
  const view = new DataView(into.buffer, into.byteOffset, PREAMBLE_LENGTH);
  view.setUint16(8, VERSION, true);
  view.setUint32(12, record.dataSetOffset, true);
  view.setBigUint64(16, BigInt(record.dataSetLength), true);
  view.setUint32(24, record.crc32, true);
  view.setUint32(28, record.studyHash, true);
  view.setBigUint64(32, BigInt(record.receivedMs), true);
  view.setBigUint64(40, BigInt(record.sequence), true);
  view.setUint32(48, record.metaCrc32, true);
  const [first, second] = slotNumbers(record.slot);
  view.setBigUint64(52, first, true);
  view.setBigUint64(60, second, true);
  view.setUint32(124, crc32(into.subarray(0, 124)), true);
}

/** True where bytes begin as a record does, whether it is whole or not. */
export function beginsRecord(bytes: Uint8Array): boolean {
  return bytes.length >= PREAMBLE_LENGTH && latin1(bytes, 0, 8) === MAGIC;
}

/** Reads the record; undefined where the bytes are none, or not whole. */
export function readCommitRecord(bytes: Uint8Array): CommitRecord | undefined {
  if (!beginsRecord(bytes)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, PREAMBLE_LENGTH);
  if (view.getUint16(8, true) !== VERSION) return undefined;
  if (view.getUint32(124, true) !== crc32(bytes.subarray(0, 124))) return undefined;
  return {
    dataSetOffset: view.getUint32(12, true),
    dataSetLength: Number(view.getBigUint64(16, true)),
    crc32: view.getUint32(24, true),
    studyHash: view.getUint32(28, true),
    receivedMs: Number(view.getBigUint64(32, true)),
    sequence: Number(view.getBigUint64(40, true)),
    metaCrc32: view.getUint32(48, true),
    slot: formatSlot(view.getBigUint64(52, true), view.getBigUint64(60, true)),
  };
}

/**
 * True where a file in `incoming/` holds what was committed into it, and not what it held before it became a slot.
 *
 * @param name the file's own
 */
export function isOfSlot({ slot }: CommitRecord, name: string): boolean {
  return slot === "" || slot === name;
}

/** True for a name that the spool gives to its slots. */
export function isSlotName(name: string): boolean {
  return SLOT.test(name);
}

const SLOT = /^(\d{1,16})-(\d{1,16})\.part$/;

/** A slot's name from its numbers; the first is never 0. */
export function formatSlot(first: number | bigint, second: number | bigint): string {
  return first === 0n ? "" : `${first}-${second}.part`;
}

function slotNumbers(name: string): [bigint, bigint] {
  if (name === "") return [0n, 0n];
  const match = SLOT.exec(name);
  if (match === null) throw new Error(`Defect: ${name} is not a slot's name`);
  return [BigInt(match[1]!), BigInt(match[2]!)];
}
