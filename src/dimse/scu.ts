/*
 * The service class user's side of an association: C-ECHO and C-STORE requests (PS3.7 §9.1.1, §9.1.5), as many of them
 * outstanding as the caller has negotiated.
 *
 * Owns sending a data set from any source in whole P-DATA-TF PDUs, command set and data set in PDUs of their own, one
 * message after another, and reading the answers, each of which belongs to the one request of its message id. The last
 * fragment is held back until the source vouches for all of it. It decides nothing: what an answer means for an instance
 * is delivery's business. When the association ends, every request without an answer ends with its error.
 */

import type { Association } from "../ul/association.ts";
import type { AssociationError } from "../ul/association_error.ts";
import { AbortReason } from "../ul/pdu.ts";
import {
  DATA_HEADER_LENGTH,
  dataThatFits,
  encodeCommandPdus,
  spreadData,
} from "../ul/pdu_encode.ts";
import { type Command, CommandField, encodeCommand, NO_DATA_SET } from "./command.ts";
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

/** Bytes put together for one write to the connection, at most: a CT slice of 512 KiB goes whole. */
const WRITE_LENGTH = 576 * 1024;

/** The buffer they are put together in grows by so many bytes. */
const BUFFER_STEP = 64 * 1024;

/** A request that was sent whole; its answer may come after those to later ones. */
export interface Sent {
  /** Rejected with the AssociationError that ended the association where no answer comes any more. */
  readonly answer: Promise<Answer>;
}

/** A request whose answer is due. */
interface Request {
  /** (0000,0100) of its answer. */
  readonly expected: number;
  readonly answered: PromiseWithResolvers<Answer>;
  /** When the answer must have come, by performance.now(); Infinity until it has been sent whole. */
  dueAt: number;
}

/** One association as a service class user: it counts the messages and keeps the buffer they are put together in. */
export class ServiceUser {
  readonly association: Association;
  readonly #responseMs: number;
  #messageId = 0;
  #buffer: Uint8Array | undefined;
  /** By message id, the oldest first. */
  readonly #requests = new Map<number, Request>();
  /** Those of `#requests` that were sent whole. */
  #due = 0;
  /** Reads answers while any is due. */
  #reading: Promise<void> | undefined;

  /** @param responseMs how long an answer may take, in ms; where several are due, each of them in its turn */
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
    const request = this.#begin(messageId, CommandField.EchoResponse);
    try {
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
    } catch (error) {
      this.#requests.delete(messageId);
      throw error;
    }
    this.#await(messageId, request);
    return request.answered.promise;
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
    const sent = await this.beginStore(contextId, sopClassUid, sopInstanceUid, dataSet);
    return sent?.answer;
  }

  /**
   * Sends a C-STORE request and does not wait for its answer. One call at a time, and no more of them unanswered than
   * the association's `operations` (PS3.7 §D.3.3.3).
   *
   * @returns undefined where the source did not vouch for its bytes: the answers due have come then, and the association
   *   was aborted before the last fragment
   * @throws {AssociationError}
   */
  async beginStore(
    contextId: number,
    sopClassUid: string,
    sopInstanceUid: string,
    dataSet: OutgoingDataSet,
  ): Promise<Sent | undefined> {
    if (dataSet.length <= 0) throw new RangeError("A data set of 0 bytes cannot be sent");
    const messageId = this.#nextMessageId();
    const request = this.#begin(messageId, CommandField.StoreResponse);
    try {
      const left = await this.#putStore(
        contextId,
        messageId,
        sopClassUid,
        sopInstanceUid,
        dataSet,
      );
      if (!dataSet.vouch()) {
        await this.allAnswered();
        await this.association.abort("the stored data set does not match its checksum");
        this.#requests.delete(messageId);
        return undefined;
      }
      await this.#send(left);
    } catch (error) {
      this.#requests.delete(messageId);
      throw error;
    }
    this.#await(messageId, request);
    return { answer: request.answered.promise };
  }

  /** Resolves when no answer is due any more: all have come, or none will. */
  async allAnswered(): Promise<void> {
    await this.#reading;
  }

  /** Sends a C-STORE but for its last bytes, which are returned: never without the end of the data set. */
  async #putStore(
    contextId: number,
    messageId: number,
    sopClassUid: string,
    sopInstanceUid: string,
    dataSet: OutgoingDataSet,
  ): Promise<Uint8Array> {
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
    const buffer = this.#writeBuffer(command.length, dataSet.length, fragment);
    buffer.set(command);
    let used = command.length;
    let left = dataSet.length;
    let atOnce = fragment;
    while (left > 0) {
      let length = dataThatFits(buffer.length - used, left, fragment);
      if (length === 0) {
        await this.#send(buffer.subarray(0, used));
        used = 0;
        length = dataThatFits(buffer.length, left, fragment);
      }
      length = Math.min(length, atOnce);
      left -= length;
      const start = used + DATA_HEADER_LENGTH;
      const reading = dataSet.read(buffer.subarray(start, start + length));
      if (reading !== undefined) {
        await reading;
        // What waits is better asked for little: moving the fragments apart costs less than another wait.
        atOnce = Infinity;
      }
      used = spreadData(buffer, used, contextId, length, fragment, left === 0);
    }
    return buffer.subarray(0, used);
  }

  /** A peer that is busy with what it has not answered yet may take that much longer until it takes more. */
  #send(pdus: Uint8Array): Promise<void> {
    return this.association.send(pdus, this.#due > 0 ? this.#responseMs : 0);
  }

  /** @param command @param dataSet @param fragment their lengths in bytes */
  #writeBuffer(command: number, dataSet: number, fragment: number): Uint8Array {
    const whole = command + dataSet + Math.ceil(dataSet / fragment) * DATA_HEADER_LENGTH;
    const least = command + DATA_HEADER_LENGTH + fragment;
    const wanted = Math.max(Math.min(whole, WRITE_LENGTH), Math.min(whole, least));
    if (this.#buffer === undefined || this.#buffer.length < wanted) {
      this.#buffer = new Uint8Array(Math.ceil(wanted / BUFFER_STEP) * BUFFER_STEP);
    }
    return this.#buffer;
  }

  /** 1 to 65535, and round again (PS3.7 §9.1.1.1.1 wants it unique among the outstanding). */
  #nextMessageId(): number {
    do this.#messageId = this.#messageId % 0xffff + 1; while (this.#requests.has(this.#messageId));
    return this.#messageId;
  }

  /** An answer is taken from now on: some peers refuse an instance before they have it whole. */
  #begin(messageId: number, expected: number): Request {
    const request = { expected, answered: Promise.withResolvers<Answer>(), dueAt: Infinity };
    this.#requests.set(messageId, request);
    return request;
  }

  /** The request has been sent whole: its answer is due, after those that were due before, if it has not come yet. */
  #await(messageId: number, request: Request): void {
    if (!this.#requests.has(messageId)) return;
    this.#due++;
    request.dueAt = performance.now() + this.#responseMs * this.#due;
    this.#reading ??= this.#readAnswers();
  }

  async #readAnswers(): Promise<void> {
    try {
      while (this.#due > 0) {
        const answer = await this.#nextAnswer();
        if (!this.#take(answer)) throw await this.#notWanted(answer);
      }
    } catch (error) {
      for (const [messageId, { answered, dueAt }] of this.#requests) {
        // One that is being sent hears of it from its own sending.
        if (dueAt === Infinity) continue;
        this.#requests.delete(messageId);
        answered.reject(error);
      }
      this.#due = 0;
    } finally {
      this.#reading = undefined;
    }
  }

  /** An answer belongs to the request of its message id, in whatever order they come. False where there is none. */
  #take({ commandField, messageIdBeingRespondedTo, status, errorComment }: Command): boolean {
    const messageId = messageIdBeingRespondedTo ?? 0;
    const request = this.#requests.get(messageId);
    if (request === undefined || request.expected !== commandField) return false;
    this.#requests.delete(messageId);
    if (request.dueAt !== Infinity) this.#due--;
    request.answered.resolve({ status, comment: errorComment ?? "" });
    return true;
  }

  #notWanted({ commandField, messageIdBeingRespondedTo }: Command): Promise<AssociationError> {
    const wanted = [...this.#requests]
      .map(([id, { expected }]) => `0x${expected.toString(16)} to message ${id}`);
    return this.association.protocolError(
      `answer 0x${(commandField ?? 0).toString(16)} to message ${messageIdBeingRespondedTo}, ` +
        `wanted ${wanted.join(" or ")}`,
      AbortReason.UnexpectedParameter,
    );
  }

  /** A peer that takes one after another has the whole time for each; one that takes them in any order forgets none. */
  async #nextAnswer(): Promise<Command> {
    const [oldest] = this.#requests.values();
    const left = (oldest?.dueAt ?? Infinity) - performance.now();
    this.association.expectWithin(
      Math.max(1, Math.min(this.#responseMs, left)),
      "no answer to the request",
    );
    const message = await receiveCommand(this.association);
    if (message !== undefined) return message.command;
    // A peer that wants to leave while an answer is due has not answered.
    throw await this.association.protocolError(
      "A-RELEASE-RQ instead of an answer",
      AbortReason.UnexpectedPdu,
    );
  }
}
