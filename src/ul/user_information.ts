/*
 * The user information we send, and what the peer's says of it (PS3.8 Annex D, PS3.7 Annex D.3.3).
 *
 * No asynchronous operations, roles, extended negotiation or user identity: a forwarder needs none.
 */

import { IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME } from "../dicom/uid.ts";
import type { UserInformation } from "./pdu.ts";

/**
 * What we tell about ourselves.
 *
 * @param maxPduLength the longest P-DATA-TF variable field we take, in bytes; 0 for no limit
 */
export function ourUserInformation(maxPduLength: number): UserInformation {
  return {
    maxPduLength,
    implementationClassUid: IMPLEMENTATION_CLASS_UID,
    implementationVersionName: IMPLEMENTATION_VERSION_NAME,
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
