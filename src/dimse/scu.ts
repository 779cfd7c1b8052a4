/*
 * The service class user's side of an association: C-ECHO and C-STORE requests, one outstanding at a time
 * (PS3.7 §9.1.1, §9.1.5).
 *
 * Owns sending a data set from any source in whole P-DATA-TF PDUs, command set and data set in PDUs of their own, and
 * reading the answer. The last fragment is held back until the source vouches for all of it. It decides nothing: what an
 * answer means for an instance is delivery's business.
 */

import type { Association } from "../ul/association.ts";
import { AbortReason } from "../ul/pdu.ts";
import { DATA_HEADER_LENGTH, encodeCommandPdus, putDataHeader } from "../ul/pdu_encode.ts";
import { CommandField, encodeCommand, NO_DATA_SET } from "./command.ts";
import { receiveCommand } from "./receive_command.ts";

/** A data set on its way out. */
export interface OutgoingDataSet {
  /** In bytes. */
  readonly length: number;
  /** Fills `into` with the next bytes; the caller never asks for more than are left. */
  read(into: Uint8Array): void | Promise<void>;
  /**
   * Called when every byte has been read and the last fragment not yet been sent. False makes the sender abort the
   * association instead of completing the data set.
   */
  vouch(): boolean;
}

/** A data set that is in memory already. */
export function inMemory(bytes: Uint8Array): OutgoingDataSet {
  let at = 0;
  return {
    length: bytes.length,
    read(into) {
      into.set(bytes.subarray(at, at + into.length));
      at += into.length;
    },
    vouch: () => at === bytes.length,
  };
}

/** Answer to a request; the status is undefined where the response carried none. */
export interface Answer {
  readonly status: number | undefined;
  readonly comment: string;
}

/** Bytes put together for one write to the connection. */
const WRITE_LENGTH = 256 * 1024;

/** One association as a service class user: it counts the messages and keeps the buffer they are put together in. */
export class ServiceUser {
  readonly association: Association;
  readonly #responseMs: number;
  #messageId = 0;
  #buffer: Uint8Array | undefined;

  constructor(association: Association, responseMs: number) {
    this.association = association;
    this.#responseMs = responseMs;
  }

  /**
   * C-ECHO on an accepted context of the Verification SOP class.
   *
   * @throws {AssociationError}
   */
  async echo(contextId: number, sopClassUid: string): Promise<Answer> {
    const messageId = this.#nextMessageId();
    await this.association.send(encodeCommandPdus(
      contextId,
      encodeCommand({
        commandField: CommandField.EchoRequest,
        affectedSopClassUid: sopClassUid,
        messageId,
        commandDataSetType: NO_DATA_SET,
      }),
      this.association.fragmentLength,
    ));
    return this.#answer(CommandField.EchoResponse, messageId);
  }

  /**
   * C-STORE of one instance on an accepted context.
   *
   * @returns the answer, or undefined where the source did not vouch for its bytes and the association was aborted
   * @throws {AssociationError}
   */
  async store(
    contextId: number,
    sopClassUid: string,
    sopInstanceUid: string,
    dataSet: OutgoingDataSet,
  ): Promise<Answer | undefined> {
    if (dataSet.length <= 0) throw new RangeError("A data set of 0 bytes cannot be sent");
    const messageId = this.#nextMessageId();
    const fragment = this.association.fragmentLength;
    const command = encodeCommandPdus(
      contextId,
      encodeCommand({
        commandField: CommandField.StoreRequest,
        affectedSopClassUid: sopClassUid,
        affectedSopInstanceUid: sopInstanceUid,
        messageId,
        priority: 0,
        commandDataSetType: 0x0001,
      }),
      fragment,
    );
    const buffer = this.#writeBuffer(command.length, fragment);
    buffer.set(command);
    let used = command.length;
    let left = dataSet.length;
    while (left > 0) {
      const length = Math.min(left, fragment);
      if (used + DATA_HEADER_LENGTH + length > buffer.length) {
        await this.association.send(buffer.subarray(0, used));
        used = 0;
      }
      left -= length;
      putDataHeader(buffer, used, contextId, length, false, left === 0);
      const start = used + DATA_HEADER_LENGTH;
      const reading = dataSet.read(buffer.subarray(start, start + length));
      if (reading !== undefined) await reading;
      used = start + length;
    }
    if (!dataSet.vouch()) {
      await this.association.abort("the stored data set does not match its checksum");
      return undefined;
    }
    await this.association.send(buffer.subarray(0, used));
    return this.#answer(CommandField.StoreResponse, messageId);
  }

  #writeBuffer(command: number, fragment: number): Uint8Array {
    this.#buffer ??= new Uint8Array(
      Math.max(WRITE_LENGTH, fragment + DATA_HEADER_LENGTH) + command + 1024,
    );
    return this.#buffer;
  }

  /** 1 to 65535, and round again (PS3.7 §9.1.1.1.1 wants it unique among the outstanding). */
  #nextMessageId(): number {
    this.#messageId = this.#messageId % 0xffff + 1;
    return this.#messageId;
  }

  async #answer(expected: number, messageId: number): Promise<Answer> {
    this.association.expectWithin(this.#responseMs, "no answer to the request");
    const message = await receiveCommand(this.association);
    if (message === undefined) {
      // A peer that wants to leave while an answer is due has not answered.
      throw await this.association.protocolError(
        "A-RELEASE-RQ instead of an answer",
        AbortReason.UnexpectedPdu,
      );
    }
    const { command } = message;
    if (command.commandField !== expected || command.messageIdBeingRespondedTo !== messageId) {
      throw await this.association.protocolError(
        `answer 0x${
          (command.commandField ?? 0).toString(16)
        } to message ${command.messageIdBeingRespondedTo}, wanted 0x${
          expected.toString(16)
        } to message ${messageId}`,
        AbortReason.UnexpectedParameter,
      );
    }
    return { status: command.status, comment: command.errorComment ?? "" };
  }
}
