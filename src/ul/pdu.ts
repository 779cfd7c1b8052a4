/*
 * The protocol data units of the DICOM upper layer as types (PS3.8 §9.3), with their user information sub-items
 * (PS3.8 Annex D, PS3.7 Annex D.3.3).
 *
 * Owns shapes and numbers only. Bytes are `pdu_decode.ts` and `pdu_encode.ts`. P-DATA-TF has no shape of its own here:
 * its fragments are streamed by `pdu_reader.ts` and never held as a PDU.
 */

/** PDU-type, PS3.8 Table 9-11 and following; byte 1 of each PDU. */
export const PduType = {
  AssociateRequest: 0x01,
  AssociateAccept: 0x02,
  AssociateReject: 0x03,
  Data: 0x04,
  ReleaseRequest: 0x05,
  ReleaseResponse: 0x06,
  Abort: 0x07,
} as const;

/** Item-type and sub-item-type, PS3.8 Tables 9-12 to 9-20 and PS3.7 Tables D.3-1 to D.3-15. */
export const ItemType = {
  ApplicationContext: 0x10,
  PresentationContextRequest: 0x20,
  PresentationContextAccept: 0x21,
  AbstractSyntax: 0x30,
  TransferSyntax: 0x40,
  UserInformation: 0x50,
  MaximumLength: 0x51,
  ImplementationClassUid: 0x52,
  AsynchronousOperations: 0x53,
  RoleSelection: 0x54,
  ImplementationVersionName: 0x55,
  SopClassExtended: 0x56,
  SopClassCommonExtended: 0x57,
  UserIdentityRequest: 0x58,
  UserIdentityResponse: 0x59,
} as const;

/** Bytes of the header of every PDU: type, reserved, length (PS3.8 §9.3.1). */
export const PDU_HEADER_LENGTH = 6;

/** Bytes before the fragment of a PDV: item length, context id, message control header (PS3.8 §9.3.5.1, Annex E.2). */
export const PDV_HEADER_LENGTH = 6;

export interface ProposedContext {
  /** Odd, 1 to 255 (PS3.8 §9.3.2.2). */
  readonly id: number;
  readonly abstractSyntax: string;
  readonly transferSyntaxes: readonly string[];
}

/** Result/Reason of a presentation context, PS3.8 Table 9-18. */
export const ContextResult = {
  Acceptance: 0,
  UserRejection: 1,
  NoReason: 2,
  AbstractSyntaxNotSupported: 3,
  TransferSyntaxesNotSupported: 4,
} as const;

export interface AnsweredContext {
  readonly id: number;
  readonly result: number;
  /** Not significant where the result is not acceptance (PS3.8 §9.3.3.2). */
  readonly transferSyntax: string;
}

/** PS3.7 §D.3.3.4 */
export interface RoleSelection {
  readonly sopClassUid: string;
  readonly scu: boolean;
  readonly scp: boolean;
}

/** PS3.7 §D.3.3.5 */
export interface SopClassExtended {
  readonly sopClassUid: string;
  readonly information: Uint8Array;
}

/** PS3.7 §D.3.3.6 */
export interface SopClassCommonExtended {
  readonly sopClassUid: string;
  readonly serviceClassUid: string;
  readonly relatedSopClassUids: readonly string[];
}

/** PS3.7 §D.3.3.7.1: 1 user name, 2 user name and passcode, 3 Kerberos, 4 SAML, 5 JSON Web Token. */
export interface UserIdentityRequest {
  readonly type: number;
  readonly positiveResponseRequested: boolean;
  readonly primary: Uint8Array;
  readonly secondary: Uint8Array;
}

/** A sub-item whose type no table names; ignored (PS3.8 §9.3.1). */
export interface UnknownItem {
  readonly type: number;
  readonly data: Uint8Array;
}

/** PS3.8 §9.3.2.3; absent sub-items are undefined. */
export interface UserInformation {
  /** Largest P-DATA-TF variable field the sender of this item takes, in bytes; 0 means no limit (PS3.8 §D.1). */
  readonly maxPduLength: number;
  readonly implementationClassUid: string;
  readonly implementationVersionName: string;
  readonly asynchronousOperations?: { readonly invoked: number; readonly performed: number };
  readonly roleSelections: readonly RoleSelection[];
  readonly sopClassExtended: readonly SopClassExtended[];
  readonly sopClassCommonExtended: readonly SopClassCommonExtended[];
  readonly userIdentity?: UserIdentityRequest;
  /** Server response of PS3.7 §D.3.3.7.2. */
  readonly userIdentityResponse?: Uint8Array;
  readonly unknown: readonly UnknownItem[];
}

/** PS3.8 §9.3.2 */
export interface AssociateRequest {
  readonly type: typeof PduType.AssociateRequest;
  /** Bit 0 is version 1, the only one there is. */
  readonly protocolVersion: number;
  /** Without leading and trailing spaces (PS3.8 Table 9-11). */
  readonly calledAeTitle: string;
  readonly callingAeTitle: string;
  readonly applicationContext: string;
  readonly contexts: readonly ProposedContext[];
  readonly userInformation: UserInformation;
  /** The 16 + 16 bytes of both AE titles as they came: an A-ASSOCIATE-AC sends them back unchanged (PS3.8 Table 9-17). */
  readonly rawAeTitles?: Uint8Array;
}

/** PS3.8 §9.3.3 */
export interface AssociateAccept {
  readonly type: typeof PduType.AssociateAccept;
  readonly protocolVersion: number;
  readonly calledAeTitle: string;
  readonly callingAeTitle: string;
  readonly applicationContext: string;
  readonly contexts: readonly AnsweredContext[];
  readonly userInformation: UserInformation;
  readonly rawAeTitles?: Uint8Array;
}

/** PS3.8 §9.3.4, Table 9-21 */
export interface AssociateReject {
  readonly type: typeof PduType.AssociateReject;
  /** 1 rejected permanent, 2 rejected transient */
  readonly result: number;
  /** 1 service user, 2 service provider (ACSE), 3 service provider (presentation) */
  readonly source: number;
  readonly reason: number;
}

/** PS3.8 §9.3.6 */
export interface ReleaseRequest {
  readonly type: typeof PduType.ReleaseRequest;
}

/** PS3.8 §9.3.7 */
export interface ReleaseResponse {
  readonly type: typeof PduType.ReleaseResponse;
}

/** PS3.8 §9.3.8, Table 9-26 */
export interface Abort {
  readonly type: typeof PduType.Abort;
  /** 0 service user, 2 service provider */
  readonly source: number;
  readonly reason: number;
}

/** Every PDU but P-DATA-TF. */
export type ControlPdu =
  | AssociateRequest
  | AssociateAccept
  | AssociateReject
  | ReleaseRequest
  | ReleaseResponse
  | Abort;

/** Reason/Diag. of an A-ABORT by the service provider, PS3.8 Table 9-26. */
export const AbortReason = {
  NotSpecified: 0,
  UnrecognizedPdu: 1,
  UnexpectedPdu: 2,
  UnrecognizedParameter: 4,
  UnexpectedParameter: 5,
  InvalidParameter: 6,
} as const;

const REJECT_REASONS: ReadonlyMap<string, string> = new Map([
  ["1.1", "no reason given"],
  ["1.2", "application context name not supported"],
  ["1.3", "calling AE title not recognised"],
  ["1.7", "called AE title not recognised"],
  ["2.1", "no reason given"],
  ["2.2", "protocol version not supported"],
  ["3.1", "temporary congestion"],
  ["3.2", "local limit exceeded"],
]);

/** A rejection in words: `rejected (permanent): called AE title not recognised`. */
export function describeReject(reject: AssociateReject): string {
  const kind = reject.result === 2 ? "for now" : "for good";
  const reason = REJECT_REASONS.get(`${reject.source}.${reject.reason}`) ??
    `source ${reject.source}, reason ${reject.reason}`;
  return `rejected ${kind}: ${reason}`;
}

const ABORT_REASONS: ReadonlyMap<number, string> = new Map([
  [0, "no reason given"],
  [1, "unrecognised PDU"],
  [2, "unexpected PDU"],
  [4, "unrecognised PDU parameter"],
  [5, "unexpected PDU parameter"],
  [6, "invalid PDU parameter value"],
]);

/** An abort in words. */
export function describeAbort(source: number, reason: number): string {
  if (source === 0) return "aborted by the peer's application";
  return `aborted by the peer: ${ABORT_REASONS.get(reason) ?? `reason ${reason}`}`;
}
