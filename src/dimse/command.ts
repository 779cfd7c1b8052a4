/*
 * DIMSE command sets (PS3.7 §6.3, §9.3, Annex E): bytes to the few elements that C-STORE and C-ECHO use, and back.
 *
 * Always implicit VR little endian (PS3.7 §6.3.1). Reading skips elements it does not know; writing is strict. No data
 * dictionary is involved: a command set is read and written for every instance.
 */

import { latin1, putLatin1 } from "../dicom/bytes.ts";
import { trimUid } from "../dicom/uid.ts";

/** (0000,0100), PS3.7 Annex E.1 */
export const CommandField = {
  StoreRequest: 0x0001,
  StoreResponse: 0x8001,
  EchoRequest: 0x0030,
  EchoResponse: 0x8030,
  CancelRequest: 0x0fff,
} as const;

/** (0000,0800): no data set follows. Any other value means that one does (PS3.7 §9.3). */
export const NO_DATA_SET = 0x0101;

/** Elements of a command set; undefined where absent. */
export interface Command {
  /** (0000,0100) */
  commandField?: number;
  /** (0000,0002) */
  affectedSopClassUid?: string;
  /** (0000,0110) */
  messageId?: number;
  /** (0000,0120) */
  messageIdBeingRespondedTo?: number;
  /** (0000,0700): 0 medium, 1 high, 2 low */
  priority?: number;
  /** (0000,0800) */
  commandDataSetType?: number;
  /** (0000,0900) */
  status?: number;
  /** (0000,0902), LO: at most 64 characters */
  errorComment?: string;
  /** (0000,1000) */
  affectedSopInstanceUid?: string;
}

/** A command set that cannot be read. */
export class MalformedCommand extends Error {
  override readonly name = "MalformedCommand";
}

/**
 * Reads a whole command set.
 *
 * @throws {MalformedCommand} where an element is cut short, is of another group, or there is no command field
 */
export function decodeCommand(bytes: Uint8Array): Command {
  const command: Command = {};
  let at = 0;
  while (at < bytes.length) {
    if (at + 8 > bytes.length) {
      throw new MalformedCommand(`Command set ends ${bytes.length - at} bytes into an element`);
    }
    const group = u16(bytes, at);
    const element = u16(bytes, at + 2);
    const length = u16(bytes, at + 4) + u16(bytes, at + 6) * 0x10000;
    at += 8;
    if (group !== 0) {
      throw new MalformedCommand(
        `Command set holds an element of group ${group.toString(16).padStart(4, "0")}, wanted 0000`,
      );
    }
    if (length > bytes.length - at) {
      throw new MalformedCommand(
        `Command element (0000,${element.toString(16).padStart(4, "0")}) claims ${length} bytes, ${
          bytes.length - at
        } are there`,
      );
    }
    readElement(command, element, bytes, at, length);
    at += length;
  }
  if (command.commandField === undefined) {
    throw new MalformedCommand("Command set has no Command Field (0000,0100)");
  }
  return command;
}

/** Elements of text, VR UI and LO. */
const TEXTS: ReadonlyMap<
  number,
  "affectedSopClassUid" | "affectedSopInstanceUid" | "errorComment"
> = new Map([
  [0x0002, "affectedSopClassUid"],
  [0x0902, "errorComment"],
  [0x1000, "affectedSopInstanceUid"],
]);

/** Elements of one number, VR US: two bytes (PS3.5 Table 6.2-1). */
const NUMBERS: ReadonlyMap<
  number,
  | "commandField"
  | "messageId"
  | "messageIdBeingRespondedTo"
  | "priority"
  | "commandDataSetType"
  | "status"
> = new Map([
  [0x0100, "commandField"],
  [0x0110, "messageId"],
  [0x0120, "messageIdBeingRespondedTo"],
  [0x0700, "priority"],
  [0x0800, "commandDataSetType"],
  [0x0900, "status"],
]);

/** A number that is not two bytes long says nothing that can be relied on: it counts as absent. */
function readElement(
  command: Command,
  element: number,
  bytes: Uint8Array,
  at: number,
  length: number,
): void {
  const text = TEXTS.get(element);
  if (text !== undefined) {
    const value = trimUid(latin1(bytes, at, at + length));
    wantNoOther(command[text], value, element);
    command[text] = value;
    return;
  }
  const number = NUMBERS.get(element);
  if (number === undefined || length !== 2) return;
  const value = u16(bytes, at);
  wantNoOther(command[number], value, element);
  command[number] = value;
}

/** An element comes once (PS3.5 §7.1): of two that differ, neither can be believed. */
function wantNoOther<T>(before: T | undefined, value: T, element: number): void {
  if (before === undefined || before === value) return;
  throw new MalformedCommand(
    `Command element (0000,${element.toString(16).padStart(4, "0")}) comes twice and differs`,
  );
}

/** Writes a command set, elements in ascending order behind the group length (PS3.7 §E.1). */
export function encodeCommand(command: Command): Uint8Array {
  const bytes = new Uint8Array(encodedLength(command));
  let at = putU32Element(bytes, 0, 0x0000, bytes.length - 12);
  at = putText(bytes, at, 0x0002, command.affectedSopClassUid, 0x00);
  at = putU16(bytes, at, 0x0100, command.commandField);
  at = putU16(bytes, at, 0x0110, command.messageId);
  at = putU16(bytes, at, 0x0120, command.messageIdBeingRespondedTo);
  at = putU16(bytes, at, 0x0700, command.priority);
  at = putU16(bytes, at, 0x0800, command.commandDataSetType);
  at = putU16(bytes, at, 0x0900, command.status);
  at = putText(bytes, at, 0x0902, command.errorComment, 0x20);
  putText(bytes, at, 0x1000, command.affectedSopInstanceUid, 0x00);
  return bytes;
}

function encodedLength(command: Command): number {
  let length = 12;
  for (
    const number of [
      command.commandField,
      command.messageId,
      command.messageIdBeingRespondedTo,
      command.priority,
      command.commandDataSetType,
      command.status,
    ]
  ) if (number !== undefined) length += 10;
  for (
    const text of [
      command.affectedSopClassUid,
      command.errorComment,
      command.affectedSopInstanceUid,
    ]
  ) if (text !== undefined) length += 8 + text.length + (text.length & 1);
  return length;
}

function putHeader(into: Uint8Array, at: number, element: number, length: number): number {
  into[at + 2] = element & 0xff;
  into[at + 3] = element >>> 8;
  into[at + 4] = length & 0xff;
  into[at + 5] = length >>> 8;
  return at + 8;
}

function putU32Element(into: Uint8Array, at: number, element: number, value: number): number {
  at = putHeader(into, at, element, 4);
  into[at] = value & 0xff;
  into[at + 1] = value >>> 8 & 0xff;
  return at + 4;
}

function putU16(into: Uint8Array, at: number, element: number, value: number | undefined): number {
  if (value === undefined) return at;
  at = putHeader(into, at, element, 2);
  into[at] = value & 0xff;
  into[at + 1] = value >>> 8 & 0xff;
  return at + 2;
}

function putText(
  into: Uint8Array,
  at: number,
  element: number,
  text: string | undefined,
  padding: number,
): number {
  if (text === undefined) return at;
  const odd = text.length & 1;
  at = putHeader(into, at, element, text.length + odd);
  at = putLatin1(into, at, text);
  if (odd === 1) into[at] = padding;
  return at + odd;
}

function u16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | bytes[at + 1]! << 8;
}
