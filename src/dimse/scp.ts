/*
 * The service class provider's side of an association: messages in, answers out (PS3.7 §9.1.1, §9.1.5, §9.3).
 *
 * Owns putting messages together from fragments and the order of requests and answers: one at a time, as negotiated. It
 * hands each C-STORE's data set on as a stream and answers what the handler says; it keeps nothing. A message that breaks
 * the protocol ends the association with A-ABORT; an operation not offered here is answered so.
 */

import {
  CANNOT_UNDERSTAND,
  PROCESSING_FAILURE,
  SUCCESS,
  UNRECOGNIZED_OPERATION,
} from "../dicom/status.ts";
import type { Association } from "../ul/association.ts";
import type { AssociationError } from "../ul/association_error.ts";
import type { AcceptedContext } from "../ul/negotiation.ts";
import { AbortReason, PduType } from "../ul/pdu.ts";
import { encodeCommandPdus } from "../ul/pdu_encode.ts";
import { type Command, CommandField, encodeCommand, NO_DATA_SET } from "./command.ts";
import { receiveCommand } from "./receive_command.ts";

/** A C-STORE request whose data set is still to be read. */
export interface StoreRequest {
  readonly context: AcceptedContext;
  readonly messageId: number;
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  /** When it began to come, by performance.now(). */
  readonly began: number;
}

/** A data set on its way in. */
export interface DataSetSource {
  /**
   * The next bytes, never empty, valid until the next call; undefined at the end.
   *
   * @throws {AssociationError} where the association ends before the data set does
   */
  read(): Promise<Uint8Array | undefined>;
}

export interface StoreAnswer {
  /** (0000,0900) */
  readonly status: number;
  /** (0000,0902): why, in at most 64 characters. */
  readonly comment?: string;
  /** Done as soon as the answer has been handed to the connection, whether or not it gets through. */
  readonly afterAnswer?: () => void;
}

export interface Services {
  store(request: StoreRequest, dataSet: DataSetSource): Promise<StoreAnswer>;
  /** A C-ECHO was answered. */
  echoed?(): void;
  /** Bytes of a data set after which what is merely passed over is not waited for any longer; no limit where absent. */
  readonly longestDataSet?: number;
}

/**
 * Serves an accepted association until it is released.
 *
 * @throws {AssociationError} where it ends in any other way
 */
export async function serve(association: Association, services: Services): Promise<void> {
  const server = new Server(association, services);
  await server.run();
}

class Server {
  readonly #association: Association;
  readonly #services: Services;

  constructor(association: Association, services: Services) {
    this.#association = association;
    this.#services = services;
  }

  async run(): Promise<void> {
    for (;;) {
      const message = await receiveCommand(this.#association);
      if (message === undefined) {
        await this.#association.respondRelease();
        return;
      }
      await this.#dispatch(this.#contextOf(message.contextId), message.command, message.began);
    }
  }

  #contextOf(id: number): AcceptedContext {
    const context = this.#association.acceptedContexts.get(id);
    if (context === undefined) throw new Error(`Defect: context ${id} was let through unaccepted`);
    return context;
  }

  async #dispatch(context: AcceptedContext, command: Command, began: number): Promise<void> {
    const dataSet = command.commandDataSetType === NO_DATA_SET ? undefined : new IncomingDataSet(
      this.#association,
      context.id,
      this.#services.longestDataSet ?? Infinity,
    );
    if (command.commandField === CommandField.CancelRequest) return;
    const answered = (command.commandField ?? 0) | 0x8000;
    const answer: Command = {
      commandField: answered,
      messageIdBeingRespondedTo: command.messageId ?? 0,
      commandDataSetType: NO_DATA_SET,
    };
    if (command.affectedSopClassUid !== undefined) {
      answer.affectedSopClassUid = command.affectedSopClassUid;
    }
    if (command.commandField === CommandField.EchoRequest && dataSet === undefined) {
      await this.#answer(context, { ...answer, status: SUCCESS });
      this.#services.echoed?.();
      return;
    }
    if (command.commandField === CommandField.StoreRequest) {
      await this.#store(context, command, answer, dataSet, began);
      return;
    }
    if (answered === command.commandField) {
      throw await this.#broken(`response 0x${answered.toString(16)} to a request never made`);
    }
    await dataSet?.drain();
    await this.#answer(context, { ...answer, status: UNRECOGNIZED_OPERATION });
  }

  async #store(
    context: AcceptedContext,
    command: Command,
    answer: Command,
    dataSet: IncomingDataSet | undefined,
    began: number,
  ): Promise<void> {
    if (command.affectedSopInstanceUid !== undefined) {
      answer.affectedSopInstanceUid = command.affectedSopInstanceUid;
    }
    const request: StoreRequest = {
      context,
      messageId: command.messageId ?? 0,
      sopClassUid: command.affectedSopClassUid ?? "",
      sopInstanceUid: command.affectedSopInstanceUid ?? "",
      began,
    };
    if (dataSet === undefined) {
      const status = CANNOT_UNDERSTAND;
      await this.#answer(context, { ...answer, status, errorComment: "C-STORE without data set" });
      return;
    }
    let stored: StoreAnswer;
    try {
      stored = await this.#services.store(request, dataSet);
      await dataSet.drain();
    } catch (error) {
      // The association's own end needs no answer; anything else is ours, and the peer hears that it was not stored.
      if (!this.#association.established) throw error;
      await dataSet.drain();
      await this.#answer(context, { ...answer, status: PROCESSING_FAILURE });
      throw error;
    }
    const sent = this.#answer(context, {
      ...answer,
      status: stored.status,
      ...(stored.comment === undefined ? {} : { errorComment: stored.comment.slice(0, 64) }),
    });
    try {
      stored.afterAnswer?.();
    } finally {
      await sent;
    }
  }

  #answer(context: AcceptedContext, command: Command): Promise<void> {
    const bytes = encodeCommand(command);
    return this.#association.send(
      encodeCommandPdus(context.id, bytes, this.#association.fragmentLength),
    );
  }

  #broken(message: string): Promise<AssociationError> {
    return this.#association.protocolError(message, AbortReason.InvalidParameter);
  }
}

/** The fragments of one data set (PS3.8 Annex E.2); empty ones are legal and passed over. */
class IncomingDataSet implements DataSetSource {
  readonly #association: Association;
  readonly #contextId: number;
  readonly #longest: number;
  #length = 0;
  #ended = false;

  constructor(association: Association, contextId: number, longest: number) {
    this.#association = association;
    this.#contextId = contextId;
    this.#longest = longest;
  }

  async read(): Promise<Uint8Array | undefined> {
    while (!this.#ended) {
      const piece = await this.#association.next(true);
      if (piece.type !== PduType.Data) break;
      if (piece.command || piece.contextId !== this.#contextId) {
        throw await this.#association.protocolError(
          piece.command
            ? "command set fragment inside a data set"
            : "presentation context changes inside a data set",
          AbortReason.InvalidParameter,
        );
      }
      this.#ended = piece.last;
      this.#length += piece.bytes.length;
      if (piece.bytes.length > 0) return piece.bytes;
    }
    return undefined;
  }

  /** Reads what the handler left, so that the next message is found. One without an end is not read for ever. */
  async drain(): Promise<void> {
    while (await this.read() !== undefined) {
      if (this.#length <= this.#longest) continue;
      await this.#association.abort(`data set of over ${this.#longest} bytes`);
    }
  }
}
