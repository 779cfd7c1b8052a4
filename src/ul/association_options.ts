/*
 * What an association is told when it begins.
 */

import type { UserIdentityRequest } from "./pdu.ts";

/** Times in ms, lengths in bytes. */
export interface AssociationOptions {
  /** The longest P-DATA-TF variable field taken; 0 for no limit. */
  readonly maxPduLength: number;
  /** ARTIM (PS3.8 §9.1.5), and the wait for the answer to a request. */
  readonly associationMs: number;
  /** How long an association may be idle between messages. */
  readonly idleMs: number;
  /** How long a message may stand still midway, or hardly come on (`SLOWEST_RATE`). */
  readonly readMs: number;
  /** How long the peer may take none of what is sent. */
  readonly writeStallMs: number;
  /** How long to wait for the answer to a release. */
  readonly releaseMs: number;
  /** Operations outstanding at a time that a request asks for; 1 where absent, and then the peer is not asked. */
  readonly operations?: number;
  /** Who a request says we are (PS3.7 §D.3.3.7); nobody where absent. */
  readonly userIdentity?: UserIdentityRequest;
}
