/*
 * How an association can end otherwise than by a release, told apart for those who decide what follows.
 */

import type { AssociateReject } from "./pdu.ts";

/** Why an association ended, or did not come about. */
export class AssociationError extends Error {
  override readonly name = "AssociationError";
  /**
   * `rejected` by the peer, `aborted` by the peer, `closed` without a word, `timeout`, `protocol` where the peer broke
   * the protocol and we aborted, `stopped` where this side ended it.
   */
  readonly kind: "rejected" | "aborted" | "closed" | "timeout" | "protocol" | "stopped";
  readonly reject: AssociateReject | undefined;

  constructor(
    kind: AssociationError["kind"],
    message: string,
    options: { cause?: unknown; reject?: AssociateReject } = {},
  ) {
    super(message, { cause: options.cause });
    this.kind = kind;
    this.reject = options.reject;
  }
}
