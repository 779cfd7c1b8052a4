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
  /** Calling AE title; came over the network. */
  readonly from: string;
  /** Of the data set. */
  readonly bytes: number;
  readonly destinations: readonly string[];
  /** From the first bytes of the request to the answer, in ms. */
  readonly ms: number;
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
  /** The numbers of the A-ASSOCIATE-RJ (PS3.8 Table 9-21). */
  associationRejected(result: number, source: number, reason: number): void;
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
