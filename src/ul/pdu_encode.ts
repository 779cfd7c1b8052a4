/*
 * PDUs to bytes (PS3.8 §9.3): pure functions, no socket. Strict: what is written is what the standard says, and a value
 * that has no legal encoding is a RangeError, for it comes from our own code or configuration.
 */

import { concat, putLatin1 } from "../dicom/bytes.ts";
import {
  type Abort,
  type AnsweredContext,
  type AssociateAccept,
  type AssociateReject,
  type AssociateRequest,
  type ControlPdu,
  ItemType,
  PDU_HEADER_LENGTH,
  PduType,
  PDV_HEADER_LENGTH,
  type ProposedContext,
  type UserInformation,
} from "./pdu.ts";

/** Encodes any PDU but P-DATA-TF, header included. */
export function encodeControlPdu(pdu: ControlPdu): Uint8Array {
  switch (pdu.type) {
    case PduType.AssociateRequest:
      return encodeAssociate(pdu, pdu.contexts.map(encodeProposedContext));
    case PduType.AssociateAccept:
      return encodeAssociate(pdu, pdu.contexts.map(encodeAnsweredContext));
    case PduType.AssociateReject:
      return fourByteBody(pdu.type, rejectBody(pdu));
    case PduType.ReleaseRequest:
    case PduType.ReleaseResponse:
      return fourByteBody(pdu.type, [0, 0, 0, 0]);
    case PduType.Abort:
      return fourByteBody(pdu.type, abortBody(pdu));
  }
}

/**
 * Writes the headers of a P-DATA-TF with one PDV in front of its fragment: 12 bytes (PS3.8 §9.3.5, Annex E.2).
 *
 * @param fragmentLength bytes of the fragment, which the caller puts at `offset` + 12
 */
export function putDataHeader(
  into: Uint8Array,
  offset: number,
  contextId: number,
  fragmentLength: number,
  command: boolean,
  last: boolean,
): void {
  into[offset] = PduType.Data;
  into[offset + 1] = 0;
  putU32(into, offset + 2, fragmentLength + PDV_HEADER_LENGTH);
  putU32(into, offset + 6, fragmentLength + 2);
  into[offset + 10] = contextId;
  into[offset + 11] = (command ? 1 : 0) | (last ? 2 : 0);
}

/**
 * Bytes of a data set that fit as P-DATA-TFs of one PDV each: whole fragments, and the last one where it is the end.
 *
 * @param room bytes free for PDUs
 * @param left bytes of the data set
 * @param fragment bytes of each fragment but the last
 */
export function dataThatFits(room: number, left: number, fragment: number): number {
  if (left + Math.ceil(left / fragment) * DATA_HEADER_LENGTH <= room) return left;
  return Math.floor(room / (DATA_HEADER_LENGTH + fragment)) * fragment;
}

/**
 * Makes P-DATA-TFs of a piece of a data set that lies in one stretch, by moving its fragments apart.
 *
 * @param offset where the first PDU begins; the piece lies 12 bytes behind
 * @param length bytes of the piece
 * @param fragment bytes of each fragment but the last
 * @param last whether the data set ends with the piece
 * @returns where the last PDU ends; so many bytes have to be free
 */
export function spreadData(
  into: Uint8Array,
  offset: number,
  contextId: number,
  length: number,
  fragment: number,
  last: boolean,
): number {
  const pdus = Math.ceil(length / fragment);
  // From the last one on, each into the room that those behind it have left.
  for (let n = pdus - 1; n >= 0; n--) {
    const size = Math.min(fragment, length - n * fragment);
    const from = offset + DATA_HEADER_LENGTH + n * fragment;
    const to = from + n * DATA_HEADER_LENGTH;
    if (n > 0) into.copyWithin(to, from, from + size);
    const ends = last && n === pdus - 1;
    putDataHeader(into, to - DATA_HEADER_LENGTH, contextId, size, false, ends);
  }
  return offset + length + pdus * DATA_HEADER_LENGTH;
}

/** Bytes that stand before each fragment of a P-DATA-TF with one PDV. */
export const DATA_HEADER_LENGTH = PDU_HEADER_LENGTH + PDV_HEADER_LENGTH;

/**
 * The longest fragment for a peer: even, as PS3.8 Annex E.2 wants all but the last to be for a data set of even length.
 *
 * @param maxPduLength the variable field the peer takes, in bytes; 0 is no limit
 * @param cap ours, in bytes
 * @throws {RangeError} where the peer's length has no room for two bytes
 */
export function fragmentLength(maxPduLength: number, cap: number): number {
  const length = maxPduLength === 0 ? cap : Math.min(maxPduLength, cap);
  const fragment = (length - PDV_HEADER_LENGTH) & ~1;
  if (fragment < 2) {
    throw new RangeError(
      `The peer's maximum PDU length of ${maxPduLength} bytes has no room for data, 8 is the least`,
    );
  }
  return fragment;
}

/** Encodes a whole command set as P-DATA-TF PDUs of at most `fragment` bytes of fragment each. */
export function encodeCommandPdus(
  contextId: number,
  command: Uint8Array,
  fragment: number,
): Uint8Array {
  const pdus = Math.max(1, Math.ceil(command.length / fragment));
  const bytes = new Uint8Array(command.length + pdus * DATA_HEADER_LENGTH);
  let offset = 0;
  for (let at = 0, n = 0; n < pdus; n++) {
    const length = Math.min(fragment, command.length - at);
    putDataHeader(bytes, offset, contextId, length, true, n === pdus - 1);
    bytes.set(command.subarray(at, at + length), offset + DATA_HEADER_LENGTH);
    at += length;
    offset += DATA_HEADER_LENGTH + length;
  }
  return bytes;
}

function encodeAssociate(
  pdu: AssociateRequest | AssociateAccept,
  contexts: readonly Uint8Array[],
): Uint8Array {
  const fixed = new Uint8Array(PDU_HEADER_LENGTH + 68);
  const body = concat([
    fixed,
    item(ItemType.ApplicationContext, text(pdu.applicationContext)),
    ...contexts,
    item(ItemType.UserInformation, encodeUserInformation(pdu.userInformation)),
  ]);
  body[0] = pdu.type;
  putU32(body, 2, body.length - PDU_HEADER_LENGTH);
  putU16(body, 6, pdu.protocolVersion);
  if (pdu.rawAeTitles !== undefined) body.set(pdu.rawAeTitles, 10);
  else {
    putAeTitle(body, 10, pdu.calledAeTitle);
    putAeTitle(body, 26, pdu.callingAeTitle);
  }
  return body;
}

function encodeProposedContext(context: ProposedContext): Uint8Array {
  return item(
    ItemType.PresentationContextRequest,
    concat([
      new Uint8Array([context.id, 0, 0, 0]),
      item(ItemType.AbstractSyntax, text(context.abstractSyntax)),
      ...context.transferSyntaxes.map((uid) => item(ItemType.TransferSyntax, text(uid))),
    ]),
  );
}

function encodeAnsweredContext(context: AnsweredContext): Uint8Array {
  return item(
    ItemType.PresentationContextAccept,
    concat([
      new Uint8Array([context.id, 0, context.result, 0]),
      item(ItemType.TransferSyntax, text(context.transferSyntax)),
    ]),
  );
}

function encodeUserInformation(user: UserInformation): Uint8Array {
  const items = [
    item(ItemType.MaximumLength, u32(user.maxPduLength)),
    item(ItemType.ImplementationClassUid, text(user.implementationClassUid)),
  ];
  if (user.asynchronousOperations !== undefined) {
    const { invoked, performed } = user.asynchronousOperations;
    items.push(item(ItemType.AsynchronousOperations, concat([u16(invoked), u16(performed)])));
  }
  for (const role of user.roleSelections) {
    const roles = new Uint8Array([role.scu ? 1 : 0, role.scp ? 1 : 0]);
    items.push(item(ItemType.RoleSelection, concat([prefixed(text(role.sopClassUid)), roles])));
  }
  if (user.implementationVersionName !== "") {
    items.push(item(ItemType.ImplementationVersionName, text(user.implementationVersionName)));
  }
  for (const extended of user.sopClassExtended) {
    items.push(
      item(
        ItemType.SopClassExtended,
        concat([prefixed(text(extended.sopClassUid)), extended.information]),
      ),
    );
  }
  for (const common of user.sopClassCommonExtended) {
    const related = concat(common.relatedSopClassUids.map((uid) => prefixed(text(uid))));
    items.push(
      item(
        ItemType.SopClassCommonExtended,
        concat([
          prefixed(text(common.sopClassUid)),
          prefixed(text(common.serviceClassUid)),
          prefixed(related),
        ]),
      ),
    );
  }
  if (user.userIdentity !== undefined) {
    const { type, positiveResponseRequested, primary, secondary } = user.userIdentity;
    items.push(
      item(
        ItemType.UserIdentityRequest,
        concat([
          new Uint8Array([type, positiveResponseRequested ? 1 : 0]),
          prefixed(primary),
          prefixed(secondary),
        ]),
      ),
    );
  }
  if (user.userIdentityResponse !== undefined) {
    items.push(item(ItemType.UserIdentityResponse, prefixed(user.userIdentityResponse)));
  }
  for (const other of user.unknown) items.push(item(other.type, other.data));
  return concat(items);
}

/** PS3.8 Table 9-21: 7 reserved, 8 result, 9 source, 10 reason. */
function rejectBody(pdu: AssociateReject): number[] {
  return [0, pdu.result, pdu.source, pdu.reason];
}

/** PS3.8 Table 9-26: 7 and 8 reserved, 9 source, 10 reason. */
function abortBody(pdu: Abort): number[] {
  return [0, 0, pdu.source, pdu.reason];
}

function fourByteBody(type: number, body: number[]): Uint8Array {
  return new Uint8Array([type, 0, 0, 0, 0, 4, ...body]);
}

function item(type: number, value: Uint8Array): Uint8Array {
  if (value.length > 0xffff) {
    throw new RangeError(`Item 0x${type.toString(16)} of ${value.length} bytes, 65535 is the most`);
  }
  const bytes = new Uint8Array(4 + value.length);
  bytes[0] = type;
  putU16(bytes, 2, value.length);
  bytes.set(value, 4);
  return bytes;
}

function prefixed(value: Uint8Array): Uint8Array {
  return concat([u16(value.length), value]);
}

function text(value: string): Uint8Array {
  const bytes = new Uint8Array(value.length);
  putLatin1(bytes, 0, value);
  return bytes;
}

/** 16 characters, padded with spaces (PS3.8 Table 9-11). */
function putAeTitle(into: Uint8Array, offset: number, title: string): void {
  if (title.length > 16) throw new RangeError(`AE title ${title} is longer than 16 characters`);
  into.fill(0x20, offset, offset + 16);
  putLatin1(into, offset, title);
}

function u16(value: number): Uint8Array {
  return new Uint8Array([value >>> 8 & 0xff, value & 0xff]);
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  putU32(bytes, 0, value);
  return bytes;
}

function putU16(into: Uint8Array, offset: number, value: number): void {
  into[offset] = value >>> 8 & 0xff;
  into[offset + 1] = value & 0xff;
}

function putU32(into: Uint8Array, offset: number, value: number): void {
  into[offset] = value >>> 24 & 0xff;
  into[offset + 1] = value >>> 16 & 0xff;
  into[offset + 2] = value >>> 8 & 0xff;
  into[offset + 3] = value & 0xff;
}
