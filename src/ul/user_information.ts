/*
 * The user information we send, and what the peer's says of it (PS3.8 Annex D, PS3.7 Annex D.3.3).
 *
 * No roles, extended negotiation or user identity: a forwarder needs none. Asynchronous operations are asked for where we
 * send, and never granted where we receive: each instance is answered before the next is read.
 */

import { IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME } from "../dicom/uid.ts";
import type { UserInformation } from "./pdu.ts";

/**
 * What we tell about ourselves.
 *
 * @param maxPduLength the longest P-DATA-TF variable field we take, in bytes; 0 for no limit
 * @param operations how many we would have outstanding at a time; the item is left out for 1, the default of PS3.7 §D.3.3.3
 */
export function ourUserInformation(maxPduLength: number, operations = 1): UserInformation {
  return {
    maxPduLength,
    implementationClassUid: IMPLEMENTATION_CLASS_UID,
    implementationVersionName: IMPLEMENTATION_VERSION_NAME,
    // We perform none at all as requestor; 1 says that there are not several.
    ...(operations === 1 ? {} : { asynchronousOperations: { invoked: operations, performed: 1 } }),
    roleSelections: [],
    sopClassExtended: [],
    sopClassCommonExtended: [],
    unknown: [],
  };
}

/** What the peer calls its implementation; its UID where it gives no name. */
export function nameOf(user: UserInformation): string {
  return user.implementationVersionName || user.implementationClassUid;
}

/**
 * How many operations may be outstanding on an association we asked for (PS3.7 §D.3.3.3): what the acceptor allows us to
 * invoke, never more than was asked. An answer without the item means 1; 0 in it means no limit.
 */
export function agreedOperations(asked: number, answer: UserInformation): number {
  const allowed = answer.asynchronousOperations?.invoked ?? 1;
  return allowed === 0 ? asked : Math.min(asked, allowed);
}
