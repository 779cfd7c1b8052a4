/*
 * Bytes to PDUs (PS3.8 §9.3): pure functions, no socket.
 *
 * Lenient in what the standard leaves open (unknown items are kept aside and ignored, order does not matter, absent
 * sub-items get their defaults), strict in lengths: an item that claims more than its PDU holds is a MalformedPdu.
 * Nothing here allocates by a length from the wire; the reader has bounded the PDU before.
 */

import { latin1 } from "../dicom/bytes.ts";
import { trimUid } from "../dicom/uid.ts";
import {
  AbortReason,
  type AnsweredContext,
  type ControlPdu,
  ItemType,
  PduType,
  type ProposedContext,
  type RoleSelection,
  type SopClassCommonExtended,
  type SopClassExtended,
  type UnknownItem,
  type UserIdentityRequest,
  type UserInformation,
} from "./pdu.ts";

/** A PDU that cannot be what PS3.8 §9.3 describes. `reason` is the one to abort with (PS3.8 Table 9-26). */
export class MalformedPdu extends Error {
  override readonly name = "MalformedPdu";
  readonly reason: number;

  constructor(message: string, reason: number = AbortReason.InvalidParameter) {
    super(message);
    this.reason = reason;
  }
}

/** True where `type` is one of the seven of PS3.8 §9.3. */
export function isKnownPduType(type: number): boolean {
  return type >= PduType.AssociateRequest && type <= PduType.Abort;
}

/**
 * Decodes the variable field of any PDU but P-DATA-TF.
 *
 * @param type byte 1 of the PDU
 * @param body the bytes behind its length field, whole
 * @throws {MalformedPdu}
 */
export function decodeControlPdu(type: number, body: Uint8Array): ControlPdu {
  switch (type) {
    case PduType.AssociateRequest: {
      const fixed = decodeAssociateFixed(body);
      const contexts: ProposedContext[] = [];
      let applicationContext = "";
      let userInformation = NO_USER_INFORMATION;
      forEachItem(body, 68, body.length, (item, start, end) => {
        if (item === ItemType.ApplicationContext) applicationContext = uid(body, start, end);
        else if (item === ItemType.PresentationContextRequest) {
          contexts.push(decodeProposedContext(body, start, end));
        } else if (item === ItemType.UserInformation) {
          userInformation = decodeUserInformation(body, start, end);
        }
      });
      return {
        type: PduType.AssociateRequest,
        ...fixed,
        applicationContext,
        contexts,
        userInformation,
      };
    }
    case PduType.AssociateAccept: {
      const fixed = decodeAssociateFixed(body);
      const contexts: AnsweredContext[] = [];
      let applicationContext = "";
      let userInformation = NO_USER_INFORMATION;
      forEachItem(body, 68, body.length, (item, start, end) => {
        if (item === ItemType.ApplicationContext) applicationContext = uid(body, start, end);
        else if (item === ItemType.PresentationContextAccept) {
          contexts.push(decodeAnsweredContext(body, start, end));
        } else if (item === ItemType.UserInformation) {
          userInformation = decodeUserInformation(body, start, end);
        }
      });
      return {
        type: PduType.AssociateAccept,
        ...fixed,
        applicationContext,
        contexts,
        userInformation,
      };
    }
    case PduType.AssociateReject:
      wantLength(body, 4, "A-ASSOCIATE-RJ");
      // 7 - reserved, 8 - Result, 9 - Source, 10 - Reason/Diag.
      return {
        type: PduType.AssociateReject,
        result: body[1]!,
        source: body[2]!,
        reason: body[3]!,
      };
    case PduType.ReleaseRequest:
      wantLength(body, 4, "A-RELEASE-RQ");
      return { type: PduType.ReleaseRequest };
    case PduType.ReleaseResponse:
      wantLength(body, 4, "A-RELEASE-RP");
      return { type: PduType.ReleaseResponse };
    case PduType.Abort:
      wantLength(body, 4, "A-ABORT");
      // 7, 8 - reserved, 9 - Source, 10 - Reason/Diag.
      return { type: PduType.Abort, source: body[2]!, reason: body[3]! };
    default:
      throw new MalformedPdu(
        `PDU type ${hex(type)} is none of PS3.8`,
        AbortReason.UnrecognizedPdu,
      );
  }
}

const NO_USER_INFORMATION: UserInformation = {
  maxPduLength: 0,
  implementationClassUid: "",
  implementationVersionName: "",
  roleSelections: [],
  sopClassExtended: [],
  sopClassCommonExtended: [],
  unknown: [],
};

/** PS3.8 Tables 9-11 and 9-17: 7-8 protocol version, 9-10 reserved, 11-26 called, 27-42 calling AE title, 43-74 reserved. */
function decodeAssociateFixed(body: Uint8Array) {
  if (body.length < 68) {
    throw new MalformedPdu(`A-ASSOCIATE of ${body.length} bytes, at least 68 wanted`);
  }
  return {
    protocolVersion: u16(body, 0),
    calledAeTitle: aeTitle(body, 4),
    callingAeTitle: aeTitle(body, 20),
    rawAeTitles: body.slice(4, 36),
  };
}

/** PS3.8 Table 9-13: 5 context id, 6-8 reserved, 9- sub-items. */
function decodeProposedContext(body: Uint8Array, start: number, end: number): ProposedContext {
  if (end - start < 4) throw new MalformedPdu("Presentation context item of under 4 bytes");
  const transferSyntaxes: string[] = [];
  let abstractSyntax = "";
  forEachItem(body, start + 4, end, (item, from, to) => {
    if (item === ItemType.AbstractSyntax) abstractSyntax = uid(body, from, to);
    else if (item === ItemType.TransferSyntax) transferSyntaxes.push(uid(body, from, to));
  });
  return { id: body[start]!, abstractSyntax, transferSyntaxes };
}

/** PS3.8 Table 9-18: 5 context id, 6 reserved, 7 result, 8 reserved, 9- one transfer syntax. */
function decodeAnsweredContext(body: Uint8Array, start: number, end: number): AnsweredContext {
  if (end - start < 4) throw new MalformedPdu("Presentation context item of under 4 bytes");
  let transferSyntax = "";
  forEachItem(body, start + 4, end, (item, from, to) => {
    if (item === ItemType.TransferSyntax) transferSyntax = uid(body, from, to);
  });
  return { id: body[start]!, result: body[start + 2]!, transferSyntax };
}

function decodeUserInformation(body: Uint8Array, start: number, end: number): UserInformation {
  const roleSelections: RoleSelection[] = [];
  const sopClassExtended: SopClassExtended[] = [];
  const sopClassCommonExtended: SopClassCommonExtended[] = [];
  const unknown: UnknownItem[] = [];
  let found: Partial<UserInformation> = {};
  forEachItem(body, start, end, (type, from, to) => {
    switch (type) {
      case ItemType.MaximumLength: // PS3.8 Table D.1-1: 5-8 maximum length
        if (to - from < 4) throw new MalformedPdu("Maximum length sub-item of under 4 bytes");
        found = { ...found, maxPduLength: u32(body, from) };
        break;
      case ItemType.ImplementationClassUid: // PS3.7 Table D.3-1
        found = { ...found, implementationClassUid: uid(body, from, to) };
        break;
      case ItemType.AsynchronousOperations: // PS3.7 Table D.3-7: 5-6 invoked, 7-8 performed
        if (to - from < 4) throw new MalformedPdu("Asynchronous operations sub-item under 4 bytes");
        found = {
          ...found,
          asynchronousOperations: { invoked: u16(body, from), performed: u16(body, from + 2) },
        };
        break;
      case ItemType.RoleSelection: { // PS3.7 Table D.3-9: UID length, UID, SCU role, SCP role
        const at = prefixed(body, from, to, "Role selection");
        if (to - at.end < 2) throw new MalformedPdu("Role selection sub-item without its roles");
        roleSelections.push({
          sopClassUid: uid(body, at.start, at.end),
          scu: body[at.end] === 1,
          scp: body[at.end + 1] === 1,
        });
        break;
      }
      case ItemType.ImplementationVersionName: // PS3.7 Table D.3-3
        found = { ...found, implementationVersionName: latin1(body, from, to).trim() };
        break;
      case ItemType.SopClassExtended: { // PS3.7 Table D.3-11
        const at = prefixed(body, from, to, "SOP class extended negotiation");
        sopClassExtended.push({
          sopClassUid: uid(body, at.start, at.end),
          information: body.slice(at.end, to),
        });
        break;
      }
      case ItemType.SopClassCommonExtended: // PS3.7 Table D.3-12
        sopClassCommonExtended.push(decodeCommonExtended(body, from, to));
        break;
      case ItemType.UserIdentityRequest: // PS3.7 Table D.3-14
        found = { ...found, userIdentity: decodeUserIdentity(body, from, to) };
        break;
      case ItemType.UserIdentityResponse: { // PS3.7 Table D.3-15
        const at = prefixed(body, from, to, "User identity response");
        found = { ...found, userIdentityResponse: body.slice(at.start, at.end) };
        break;
      }
      default:
        unknown.push({ type, data: body.slice(from, to) });
    }
  });
  return {
    ...NO_USER_INFORMATION,
    ...found,
    roleSelections,
    sopClassExtended,
    sopClassCommonExtended,
    unknown,
  };
}

function decodeCommonExtended(body: Uint8Array, from: number, to: number): SopClassCommonExtended {
  const sop = prefixed(body, from, to, "SOP class common extended negotiation");
  const service = prefixed(body, sop.end, to, "SOP class common extended negotiation");
  const relatedSopClassUids: string[] = [];
  if (to - service.end >= 2) {
    const related = prefixed(body, service.end, to, "Related general SOP class identification");
    for (let at = related.start; at < related.end;) {
      const one = prefixed(body, at, related.end, "Related general SOP class");
      relatedSopClassUids.push(uid(body, one.start, one.end));
      at = one.end;
    }
  }
  return {
    sopClassUid: uid(body, sop.start, sop.end),
    serviceClassUid: uid(body, service.start, service.end),
    relatedSopClassUids,
  };
}

function decodeUserIdentity(body: Uint8Array, from: number, to: number): UserIdentityRequest {
  if (to - from < 2) throw new MalformedPdu("User identity sub-item of under 2 bytes");
  const primary = prefixed(body, from + 2, to, "User identity primary field");
  const secondary = prefixed(body, primary.end, to, "User identity secondary field");
  return {
    type: body[from]!,
    positiveResponseRequested: body[from + 1] === 1,
    primary: body.slice(primary.start, primary.end),
    secondary: body.slice(secondary.start, secondary.end),
  };
}

/** A field behind its own 2-byte length. */
function prefixed(body: Uint8Array, at: number, end: number, what: string) {
  if (end - at < 2) throw new MalformedPdu(`${what}: no room for a length field`);
  const length = u16(body, at);
  if (at + 2 + length > end) {
    throw new MalformedPdu(`${what}: claims ${length} bytes, ${end - at - 2} are there`);
  }
  return { start: at + 2, end: at + 2 + length };
}

/** Walks items of: type, reserved, length (2 bytes), value. */
function forEachItem(
  body: Uint8Array,
  start: number,
  end: number,
  visit: (type: number, start: number, end: number) => void,
): void {
  let at = start;
  while (at < end) {
    if (end - at < 4) {
      throw new MalformedPdu(`${end - at} stray bytes behind the last item`);
    }
    const type = body[at]!;
    const length = u16(body, at + 2);
    const from = at + 4;
    if (from + length > end) {
      throw new MalformedPdu(`Item ${hex(type)} claims ${length} bytes, ${end - from} are there`);
    }
    visit(type, from, from + length);
    at = from + length;
  }
}

function wantLength(body: Uint8Array, length: number, what: string): void {
  if (body.length !== length) {
    throw new MalformedPdu(`${what} of ${body.length} bytes, ${length} wanted`);
  }
}

/** Leading and trailing spaces are not significant (PS3.5 §6.2); NULs are what some devices pad with. */
function aeTitle(body: Uint8Array, at: number): string {
  return latin1(body, at, at + 16).replace(/^[ \0]+|[ \0]+$/g, "");
}

function uid(body: Uint8Array, start: number, end: number): string {
  return trimUid(latin1(body, start, end));
}

function u16(body: Uint8Array, at: number): number {
  return body[at]! << 8 | body[at + 1]!;
}

function u32(body: Uint8Array, at: number): number {
  return u16(body, at) * 0x10000 + u16(body, at + 2);
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(2, "0")}`;
}
