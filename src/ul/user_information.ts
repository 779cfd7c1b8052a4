/*
 * The user information we send, and what the peer's says of it (PS3.8 Annex D, PS3.7 Annex D.3.3).
 *
 * No roles and no extended negotiation: a forwarder needs none. Asynchronous operations are asked for where we
 * send, and never granted where we receive: each instance is answered before the next is read.
 */

import { IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME } from "../dicom/uid.ts";
import type { UserIdentityRequest, UserInformation } from "./pdu.ts";

/** What of it depends on who asks whom. */
export interface OurPart {
  /** The longest P-DATA-TF variable field we take, in bytes; 0 for no limit. */
  readonly maxPduLength: number;
  /** How many we would have outstanding at a time; the item is left out for 1, the default of PS3.7 §D.3.3.3. */
  readonly operations?: number;
  /** Who we are, where the peer is told (PS3.7 §D.3.3.7.1). */
  readonly userIdentity?: UserIdentityRequest;
}

/**
 * What we tell about ourselves.
 *
 * @param identified whether the answer says that the peer's user identity was found right
 */
export function ourUserInformation(ours: OurPart, identified = false): UserInformation {
  const { maxPduLength, operations = 1, userIdentity } = ours;
  return {
    maxPduLength,
    implementationClassUid: IMPLEMENTATION_CLASS_UID,
    implementationVersionName: IMPLEMENTATION_VERSION_NAME,
    // We perform none at all as requestor; 1 says that there are not several.
    ...(operations === 1 ? {} : { asynchronousOperations: { invoked: operations, performed: 1 } }),
    roleSelections: [],
    sopClassExtended: [],
    sopClassCommonExtended: [],
    ...(userIdentity === undefined ? {} : { userIdentity }),
    // Empty for user names and passcodes (PS3.7 Table D.3-15).
    ...(identified ? { userIdentityResponse: new Uint8Array() } : {}),
    unknown: [],
  };
}

/**
 * What a request has to say of who we are: a user identity of type 2 with a passcode, of type 1 without (PS3.7 Table
 * D.3-14), both UTF-8. No response is asked for: nodes that check an identity reject a wrong one, and many that take it
 * send none.
 */
export function saidToBe(
  identity: { readonly username: string; readonly passcode: string | null } | null | undefined,
): Pick<OurPart, "userIdentity"> {
  if (identity === null || identity === undefined) return {};
  const { username, passcode } = identity;
  const encoder = new TextEncoder();
  return {
    userIdentity: {
      type: passcode === null ? 1 : 2,
      positiveResponseRequested: false,
      primary: encoder.encode(username),
      secondary: encoder.encode(passcode ?? ""),
    },
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
