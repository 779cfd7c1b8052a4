/*
 * What the parts of the program tell while they work, for whoever counts. They tell and go on: nothing waits for an answer,
 * nothing depends on one, and without an observer nothing is different.
 */

import type { Identification } from "../dicom/header.ts";

/** An instance that was answered with Success. */
export interface ReceivedInstance {
  /** The spool's hash of its study, eight hexadecimal digits. */
  readonly study: string;
  readonly header: Identification;
  /** Of the command. */
  readonly sopClass: string;
  /** Calling AE title; came over the network. */
  readonly from: string;
  /** AE title that was called. */
  readonly called: string;
  /** `host:port` of the sender: the same for all of an association, and no other one's meanwhile. */
  readonly peer: string;
  /** Of the data set. */
  readonly bytes: number;
  readonly destinations: readonly string[];
  /** From the first bytes of the request to the answer, in ms. */
  readonly ms: number;
}

/** Who was not let in. All of it came over the network, but for the reason. */
export interface RejectedPeer {
  readonly calling: string;
  readonly called: string;
  readonly host: string;
  /** In words. */
  readonly why: string;
}

/** What came of one attempt on one instance: a class of C-STORE statuses, or why there was none. */
export type AttemptResult =
  | "stored"
  | "stored-with-warning"
  | "duplicate"
  | "out-of-resources"
  | "refused"
  | "protocol-error"
  | "not-an-answer"
  | "interrupted"
  | "not-authorised"
  | "corrupt"
  | "held"
  | "gone";

/** What the receiver tells. */
export interface ReceptionObserver {
  received(instance: ReceivedInstance): void;
  /** @param status (0000,0900) that was answered instead of Success */
  refused(status: number): void;
  associationAccepted(): void;
  /** The numbers of the A-ASSOCIATE-RJ (PS3.8 Table 9-21), and whom it is for. */
  associationRejected(result: number, source: number, reason: number, who?: RejectedPeer): void;
  /** No TLS came about, so that there was no association either. */
  handshakeFailed?(host: string, why: string): void;
  /** One that was accepted is over, however that came. */
  associationEnded?(peer: string): void;
  /** A connection was closed unheard: it came faster than allowed, or too many are open. */
  connectionDropped(reason: "rate" | "crowded"): void;
}

/** What delivery tells. */
export interface DeliveryObserver {
  /**
   * @param bytes of the data set as stored
   * @param ms from its beginning to what came of it
   */
  attempted(destination: string, result: AttemptResult, bytes: number, ms: number): void;
  /** An instance is not wanted there any more: it is damaged, or a command of another process removed it. */
  gone(destination: string, study: string): void;
}
