/*
 * One C-STORE over one association as a modality sends it, byte by byte: what a test can stop anywhere.
 */

import type { Peer } from "./peer.ts";
import { answer, storeRequest } from "./provider.ts";
import { FORWARDER_AE } from "./dcmtk.ts";
import type { TestInstance } from "./instances.ts";
import { associateRequest, commandPdu, dataPdu, pdv, RELEASE_RQ } from "./pdus.ts";
import { PduType } from "../../src/ul/pdu.ts";
import { concat } from "../../src/dicom/bytes.ts";

const CONTEXT_ID = 1;

export class StoreSession {
  readonly #request: Uint8Array;
  readonly #message: Uint8Array;
  /** Bytes of the association request. */
  readonly messageAt: number;
  /** Bytes up to the end of the last PDV. */
  readonly wholeAt: number;
  /** All bytes, the release request included. */
  readonly length: number;

  constructor(instance: TestInstance, fragment = 4096) {
    const { sopClassUid, sopInstanceUid, transferSyntaxUid, dataSet } = instance;
    this.#request = associateRequest(
      [{ id: CONTEXT_ID, abstractSyntax: sopClassUid, transferSyntaxes: [transferSyntaxUid] }],
      16384,
      { calledAeTitle: FORWARDER_AE },
    );
    const pdus = [
      commandPdu(
        CONTEXT_ID,
        storeRequest(1, {
          affectedSopClassUid: sopClassUid,
          affectedSopInstanceUid: sopInstanceUid,
        }),
      ),
    ];
    for (let at = 0; at < dataSet.length; at += fragment) {
      const end = Math.min(at + fragment, dataSet.length);
      pdus.push(dataPdu(pdv(CONTEXT_ID, "data", end === dataSet.length, dataSet.slice(at, end))));
    }
    this.#message = concat(pdus);
    this.messageAt = this.#request.length;
    this.wholeAt = this.messageAt + this.#message.length;
    this.length = this.wholeAt + RELEASE_RQ.length;
  }

  /**
   * Sends the first so many bytes, waiting for each answer as a modality does before it goes on.
   *
   * @returns true where the instance was answered with Success
   */
  async run(peer: Peer, bytes: number): Promise<boolean> {
    await peer.send(this.#request.subarray(0, bytes));
    if (bytes <= this.messageAt) return false;
    await peer.expectPdu(PduType.AssociateAccept);
    await peer.send(this.#message.subarray(0, bytes - this.messageAt));
    if (bytes <= this.wholeAt) return false;
    const { status } = await answer(peer);
    await peer.send(RELEASE_RQ.subarray(0, bytes - this.wholeAt));
    if (bytes === this.length) await peer.expectPdu(PduType.ReleaseResponse);
    return status === 0;
  }
}
