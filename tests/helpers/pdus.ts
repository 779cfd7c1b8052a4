/*
 * PDUs that scripted peers send. P-DATA-TF is put together here byte by byte, legal or not; the rest comes from the
 * encoder, which has tests of its own.
 */

import { concat } from "../../src/dicom/bytes.ts";
import { APPLICATION_CONTEXT, IMPLICIT_VR_LE, VERIFICATION } from "../../src/dicom/uid.ts";
import { type Command, encodeCommand } from "../../src/dimse/command.ts";
import {
  type AnsweredContext,
  type AssociateAccept,
  type AssociateRequest,
  PduType,
  type ProposedContext,
  type UserInformation,
} from "../../src/ul/pdu.ts";
import { decodeControlPdu } from "../../src/ul/pdu_decode.ts";
import { encodeControlPdu } from "../../src/ul/pdu_encode.ts";
import type { Peer } from "./peer.ts";

export const CT = "1.2.840.10008.5.1.4.1.1.2";
export const MR = "1.2.840.10008.5.1.4.1.1.4";
export const EXPLICIT = "1.2.840.10008.1.2.1";
export const JPEG = "1.2.840.10008.1.2.4.50";

export const CONTEXTS: readonly ProposedContext[] = [
  { id: 1, abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_VR_LE] },
  { id: 3, abstractSyntax: CT, transferSyntaxes: [EXPLICIT, IMPLICIT_VR_LE] },
];

export function userInformation(maxPduLength: number): UserInformation {
  return {
    maxPduLength,
    implementationClassUid: "1.2.3.4",
    implementationVersionName: "SCRIPTED",
    roleSelections: [],
    sopClassExtended: [],
    sopClassCommonExtended: [],
    unknown: [],
  };
}

export function associateRequest(
  contexts: readonly ProposedContext[] = CONTEXTS,
  maxPduLength = 16384,
  more: Partial<AssociateRequest> = {},
): Uint8Array {
  return encodeControlPdu({
    type: PduType.AssociateRequest,
    protocolVersion: 1,
    calledAeTitle: "FORWARDER",
    callingAeTitle: "MODALITY",
    applicationContext: APPLICATION_CONTEXT,
    contexts,
    userInformation: userInformation(maxPduLength),
    ...more,
  });
}

export function associateAccept(
  contexts: readonly AnsweredContext[],
  maxPduLength = 16384,
  more: Partial<UserInformation> = {},
): Uint8Array {
  return encodeControlPdu({
    type: PduType.AssociateAccept,
    protocolVersion: 1,
    calledAeTitle: "FORWARDER",
    callingAeTitle: "MODALITY",
    applicationContext: APPLICATION_CONTEXT,
    contexts,
    userInformation: { ...userInformation(maxPduLength), ...more },
  });
}

export const RELEASE_RQ = encodeControlPdu({ type: PduType.ReleaseRequest });
export const RELEASE_RP = encodeControlPdu({ type: PduType.ReleaseResponse });
export const USER_ABORT = encodeControlPdu({ type: PduType.Abort, source: 0, reason: 0 });

export function reject(result: number, source: number, reason: number): Uint8Array {
  return encodeControlPdu({ type: PduType.AssociateReject, result, source, reason });
}

/** Accepts every context with the transfer syntax proposed first; returns the request. */
export async function acceptAssociation(
  peer: Peer,
  maxPduLength = 16384,
): Promise<AssociateRequest> {
  const body = await peer.expectPdu(PduType.AssociateRequest);
  const request = decodeControlPdu(PduType.AssociateRequest, body) as AssociateRequest;
  const answers = request.contexts.map(({ id, transferSyntaxes }) => ({
    id,
    result: 0,
    transferSyntax: transferSyntaxes[0]!,
  }));
  await peer.send(associateAccept(answers, maxPduLength));
  return request;
}

/** Requests an association and wants it accepted; returns the answer. */
export async function requestAssociation(
  peer: Peer,
  contexts: readonly ProposedContext[] = CONTEXTS,
  maxPduLength = 16384,
): Promise<AssociateAccept> {
  await peer.send(associateRequest(contexts, maxPduLength));
  const body = await peer.expectPdu(PduType.AssociateAccept);
  return decodeControlPdu(PduType.AssociateAccept, body) as AssociateAccept;
}

/** One PDV: item length, context id, message control header, fragment (PS3.8 Table 9-23, Annex E.2). */
export function pdv(
  contextId: number,
  kind: "command" | "data",
  last: boolean,
  fragment: Uint8Array,
): Uint8Array {
  const out = new Uint8Array(6 + fragment.length);
  new DataView(out.buffer).setUint32(0, fragment.length + 2);
  out[4] = contextId;
  out[5] = (kind === "command" ? 1 : 0) | (last ? 2 : 0);
  out.set(fragment, 6);
  return out;
}

/** A P-DATA-TF of these PDVs (PS3.8 Table 9-22). */
export function dataPdu(...pdvs: Uint8Array[]): Uint8Array {
  return rawPdu(PduType.Data, concat(pdvs));
}

export function rawPdu(type: number, body: Uint8Array, claimed = body.length): Uint8Array {
  const out = new Uint8Array(6 + body.length);
  out[0] = type;
  new DataView(out.buffer).setUint32(2, claimed);
  out.set(body, 6);
  return out;
}

/** A whole command set in one PDU. */
export function commandPdu(contextId: number, command: Command): Uint8Array {
  return dataPdu(pdv(contextId, "command", true, encodeCommand(command)));
}

/** What a PDU of fragments holds. */
export interface FoundPdv {
  readonly contextId: number;
  readonly command: boolean;
  readonly last: boolean;
  readonly fragment: Uint8Array;
}

/** Takes the variable field of a P-DATA-TF apart; throws where its lengths disagree. */
export function pdvsOf(body: Uint8Array): FoundPdv[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const found: FoundPdv[] = [];
  for (let at = 0; at < body.length;) {
    const length = view.getUint32(at);
    const end = at + 4 + length;
    if (length < 2 || end > body.length) throw new Error(`PDV of ${length} at ${at}`);
    const control = body[at + 5]!;
    if (control > 3) throw new Error(`message control header ${control}`);
    found.push({
      contextId: body[at + 4]!,
      command: (control & 1) === 1,
      last: (control & 2) === 2,
      fragment: body.slice(at + 6, end),
    });
    at = end;
  }
  return found;
}
