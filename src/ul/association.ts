/*
 * An association, from connection to connection closed (PS3.8 §7, §9.2), in either role.
 *
 * Owns the state machine's run: every PDU that comes and every primitive that is asked for goes through Table 9-10
 * (`state.ts`), and what the table says is done here. Data passes through as pieces of fragments; what they mean is
 * DIMSE's business, and who may associate is the receiver's. After an abort, a time-out or an error nothing more goes
 * over this association: every later call fails with the AssociationError that ended it.
 */

import { APPLICATION_CONTEXT } from "../dicom/uid.ts";
import { AssociationError } from "./association_error.ts";
import type { AssociationOptions } from "./association_options.ts";
import { awaitPeerClose } from "./awaiting_close.ts";
import {
  type AcceptedContext,
  acceptedContexts,
  answerContexts,
  type Carriage,
  findCarriage,
  type StoragePair,
} from "./negotiation.ts";
import {
  AbortReason,
  type AnsweredContext,
  type AssociateReject,
  type AssociateRequest,
  type ControlPdu,
  describeAbort,
  describeReject,
  PduType,
  type ProposedContext,
  type UserInformation,
} from "./pdu.ts";
import { MalformedPdu } from "./pdu_decode.ts";
import { encodeControlPdu, fragmentLength } from "./pdu_encode.ts";
import { type Closed, type DataPiece, PduReader } from "./pdu_reader.ts";
import { type Event, eventOf, type State, step } from "./state.ts";
import { type Transport, TransportError } from "./transport.ts";
import { agreedOperations, nameOf, ourUserInformation } from "./user_information.ts";

/** The peer asks to release; answer with `respondRelease`. */
export interface ReleaseIndication {
  readonly type: "release";
}

/** The longest fragment sent whatever the peer allows, in bytes with its PDV header: what peers are tuned for. */
const LARGEST_PDU_SENT = 131_072;

/** How long a peer may take to take our A-ABORT, and how long it keeps its connection after that, in ms. */
const LINGER_AFTER_ERROR_MS = 500;

const RELEASE: ReleaseIndication = { type: "release" };

export class Association {
  readonly #transport: Transport;
  readonly #reader: PduReader;
  readonly #options: AssociationOptions;
  readonly #role: "requestor" | "acceptor";
  #state: State = 1;
  #artim: ReturnType<typeof setTimeout> | undefined;
  #error: AssociationError | undefined;
  /** False once something came that is no PDU: where the next one begins is unknown then. */
  #legible = true;
  readonly #closed = Promise.withResolvers<void>();

  #proposed: readonly ProposedContext[] = [];
  #accepted: ReadonlyMap<number, AcceptedContext> = new Map();
  #fragment = 0;

  callingAeTitle = "";
  calledAeTitle = "";
  /** Name and version the peer gives itself, for the log. */
  peerImplementation = "";
  /** What the peer said of itself; undefined until it has. */
  peerInformation: UserInformation | undefined;
  /** What was answered to each context proposed. */
  answers: readonly AnsweredContext[] = [];
  /** Operations that may be outstanding at a time (PS3.7 §D.3.3.3). */
  operations = 1;

  private constructor(
    transport: Transport,
    role: "requestor" | "acceptor",
    options: AssociationOptions,
  ) {
    this.#transport = transport;
    this.#role = role;
    this.#options = options;
    this.#reader = new PduReader(
      transport,
      options.maxPduLength,
      role === "acceptor" ? 256 * 1024 : 16 * 1024,
    );
    this.#reader.readMs = options.readMs;
    this.#reader.expectBegin(options.idleMs, "association idle");
    transport.lastWords = encodeControlPdu({ type: PduType.Abort, source: 0, reason: 0 });
  }

  /** Resolves when the connection is closed, however that came. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** True while data can be exchanged (Sta6). */
  get established(): boolean {
    return this.#state === 6;
  }

  get peer(): string {
    return this.#transport.peer;
  }

  /** Bytes of fragment in each P-DATA-TF we send. */
  get fragmentLength(): number {
    return this.#fragment;
  }

  get acceptedContexts(): ReadonlyMap<number, AcceptedContext> {
    return this.#accepted;
  }

  /** How an instance can travel on this association. */
  carriage(pair: StoragePair): Carriage {
    return findCarriage(pair, this.#proposed, this.#accepted, this.answers);
  }

  /**
   * Takes an incoming connection up to the point where its request has been read (Sta3); `accept` or `reject` it then.
   *
   * @throws {AssociationError} where no valid request came
   */
  static async receive(
    transport: Transport,
    options: AssociationOptions,
  ): Promise<{ association: Association; request: AssociateRequest }> {
    const association = new Association(transport, "acceptor", options);
    await association.#apply("transport-indication");
    // ARTIM (AE-5) bounds the whole of it.
    association.#reader.expectBegin(options.associationMs, "no association request");
    const pdu = await association.#receivePdu(false);
    // Sta2: anything but a request ended in an error above.
    const request = pdu as AssociateRequest;
    association.callingAeTitle = request.callingAeTitle;
    association.calledAeTitle = request.calledAeTitle;
    association.peerImplementation = nameOf(request.userInformation);
    association.#proposed = request.contexts;
    return { association, request };
  }

  /**
   * Accepts the request (AE-7): answers its contexts and begins data transfer.
   *
   * @param accepts whether an abstract syntax is served here
   * @param identified whether to say that its user identity was found right
   * @throws {AssociationError}
   */
  async accept(
    request: AssociateRequest,
    accepts: (abstractSyntax: string) => boolean,
    identified = false,
  ): Promise<void> {
    this.answers = answerContexts(request.contexts, accepts);
    this.#accepted = acceptedContexts(request.contexts, this.answers);
    this.#setPeerMaximum(request.userInformation.maxPduLength);
    this.#reader.expectBegin(this.#options.idleMs, "association idle");
    await this.#apply(
      "accept-primitive",
      encodeControlPdu({
        type: PduType.AssociateAccept,
        protocolVersion: 1,
        calledAeTitle: request.calledAeTitle,
        callingAeTitle: request.callingAeTitle,
        applicationContext: APPLICATION_CONTEXT,
        contexts: this.answers,
        userInformation: ourUserInformation(this.#options, identified),
        ...(request.rawAeTitles === undefined ? {} : { rawAeTitles: request.rawAeTitles }),
      }),
    );
  }

  /** Rejects the request (AE-8) and waits for the peer to close. */
  async reject(result: number, source: number, reason: number): Promise<void> {
    const pdu = { type: PduType.AssociateReject, result, source, reason } as const;
    await this.#apply("reject-primitive", encodeControlPdu(pdu));
    await this.closed;
  }

  /**
   * Requests an association over a connection just made (AE-1, AE-2) and waits for the answer.
   *
   * @throws {AssociationError} rejected, aborted, closed, time-out or protocol
   */
  static async request(
    transport: Transport,
    callingAeTitle: string,
    calledAeTitle: string,
    contexts: readonly ProposedContext[],
    options: AssociationOptions,
  ): Promise<Association> {
    const association = new Association(transport, "requestor", options);
    association.callingAeTitle = callingAeTitle;
    association.calledAeTitle = calledAeTitle;
    association.#proposed = contexts;
    await association.#apply("associate-request-primitive");
    await association.#apply(
      "transport-confirmed",
      encodeControlPdu({
        type: PduType.AssociateRequest,
        protocolVersion: 1,
        calledAeTitle,
        callingAeTitle,
        applicationContext: APPLICATION_CONTEXT,
        contexts,
        userInformation: ourUserInformation(options),
      }),
    );
    association.#reader.expectWhole(options.associationMs, "no answer to the association request");
    const pdu = await association.#receivePdu(false);
    if (pdu.type !== PduType.AssociateAccept) throw defect(association.#state, String(pdu.type));
    association.answers = pdu.contexts;
    association.#accepted = acceptedContexts(contexts, pdu.contexts);
    association.peerImplementation = nameOf(pdu.userInformation);
    association.peerInformation = pdu.userInformation;
    association.operations = agreedOperations(options.operations ?? 1, pdu.userInformation);
    association.#setPeerMaximum(pdu.userInformation.maxPduLength);
    association.#reader.expectBegin(options.idleMs, "association idle");
    return association;
  }

  /** How long the next message may take to be there as a whole, in ms, and what its absence is called. */
  expectWithin(ms: number, name: string): void {
    this.#reader.expectWhole(ms, name);
  }

  /**
   * The next piece of a command set or data set, or the peer's wish to release. A piece is valid until the next call.
   *
   * @param midMessage true while a message is unfinished
   * @throws {AssociationError}
   */
  async next(midMessage: boolean): Promise<DataPiece | ReleaseIndication> {
    const pdu = await this.#receivePdu(midMessage);
    if (pdu.type === PduType.Data) return pdu;
    if (pdu.type === PduType.ReleaseRequest) {
      if (!midMessage) return RELEASE;
      throw await this.protocolError(
        "A-RELEASE-RQ inside a message",
        AbortReason.UnexpectedPdu,
      );
    }
    throw defect(this.#state, `PDU type ${pdu.type}`);
  }

  /**
   * Sends whole P-DATA-TF PDUs (DT-1). The bytes may be used again when the promise is resolved. One send at a time; `next`
   * may wait meanwhile.
   *
   * @param graceMs how much longer than usual the peer may take none of it: it may be busy with what it has
   * @throws {AssociationError}
   */
  send(pdus: Uint8Array, graceMs = 0): Promise<void> {
    return this.#apply("data-primitive", pdus, graceMs);
  }

  /** Answers the peer's release (AR-4) and waits for it to close the connection. */
  async respondRelease(): Promise<void> {
    await this.#apply("release-response-primitive", RELEASE_RESPONSE);
    await this.closed;
  }

  /**
   * Releases the association (AR-1) and waits for the answer; a release collision (AR-8) ends in order, too.
   *
   * @throws {AssociationError}
   */
  async release(): Promise<void> {
    this.#reader.expectWhole(this.#options.releaseMs, "no answer to the release request");
    await this.#apply(
      "release-request-primitive",
      encodeControlPdu({ type: PduType.ReleaseRequest }),
    );
    // One limit for all of it: a peer that goes on sending data must not put the end off for ever.
    this.#startArtim(this.#options.releaseMs);
    for (;;) {
      const pdu = await this.#receivePdu(false);
      if (pdu.type === PduType.ReleaseResponse) {
        if (this.#state === 12) await this.respondRelease();
        return;
      }
      // Data still under way is discarded: its sender hears no answer and knows so.
      if (pdu.type === PduType.ReleaseRequest && this.#role === "requestor") {
        await this.#apply("release-response-primitive", RELEASE_RESPONSE);
      }
    }
  }

  /** Ends the association from this side (AA-1): A-ABORT where it can be sent, then the connection is closed. Never throws. */
  async abort(why = "aborted here"): Promise<void> {
    if (this.#state === 1) return;
    this.#error ??= new AssociationError("stopped", `${this.peer}: ${why}`);
    // Inside a write, an A-ABORT would be taken for part of it; the closed connection says the same.
    if (this.#transport.writing || this.#state === 13 || this.#state === 2) return this.#close();
    try {
      await this.#apply("abort-primitive", this.#transport.lastWords);
    } catch {
      // The connection went first, which is what an abort is for.
    }
    this.#close();
  }

  /** Aborts for a breach of protocol by the peer (AA-8), and returns the error to throw. */
  async protocolError(message: string, reason: number): Promise<AssociationError> {
    const error = this.#end(new AssociationError("protocol", `${this.peer}: ${message}`));
    // As in `abort`: nothing can be said inside a write.
    if (this.#transport.writing) {
      this.#close();
      return error;
    }
    try {
      await this.#apply(
        "invalid-pdu",
        encodeControlPdu({ type: PduType.Abort, source: 2, reason }),
      );
    } catch {
      this.#close();
    }
    return error;
  }

  async #receivePdu(midMessage: boolean): Promise<ControlPdu | DataPiece> {
    if (this.#error !== undefined) throw this.#error;
    let pdu: ControlPdu | DataPiece | Closed;
    try {
      pdu = await this.#reader.next(midMessage);
    } catch (error) {
      if (error instanceof MalformedPdu) {
        this.#legible = false;
        throw await this.protocolError(error.message, error.reason);
      }
      throw this.#transportFailed(error);
    }
    if (this.#error !== undefined) throw this.#error;
    if (pdu.type === "closed") {
      const where = pdu.midway ? " in the middle of a message" : "";
      const error = this.#end(
        new AssociationError("closed", `${this.peer} closed the connection${where}`),
      );
      await this.#apply("transport-closed");
      throw error;
    }
    const transition = step(this.#state, eventOf(pdu.type), this.#role);
    if (transition === undefined) throw defect(this.#state, eventOf(pdu.type));
    switch (transition.action) {
      case "AA-1":
      case "AA-8":
        throw await this.protocolError(
          `unexpected PDU type ${pdu.type} in Sta${this.#state}`,
          AbortReason.UnexpectedPdu,
        );
      case "AA-2":
      case "AA-3": {
        const { source, reason } = pdu as { source: number; reason: number };
        const error = this.#end(
          new AssociationError("aborted", `${this.peer}: ${describeAbort(source, reason)}`),
        );
        await this.#apply("abort-pdu");
        throw error;
      }
      case "AE-4": {
        const reject = pdu as AssociateReject;
        const error = this.#end(
          new AssociationError("rejected", `${this.peer} ${describeReject(reject)}`, { reject }),
        );
        await this.#apply("associate-reject-pdu");
        throw error;
      }
      default:
        if (pdu.type !== PduType.Data) await this.#apply(eventOf(pdu.type));
        return pdu;
    }
  }

  /** Goes through one cell of the table and does what its action says. `bytes` is the PDU of an action that sends one. */
  async #apply(event: Event, bytes?: Uint8Array, graceMs = 0): Promise<void> {
    if (this.#error !== undefined && this.#state === 1) throw this.#error;
    const transition = step(this.#state, event, this.#role);
    if (transition === undefined) throw this.#error ?? defect(this.#state, event);
    this.#state = transition.next;
    if (bytes !== undefined) {
      try {
        // Nothing hangs on an A-ABORT: where the peer takes nothing, the closed connection says the same.
        const aborts = transition.action === "AA-1" || transition.action === "AA-8";
        const stallMs = aborts ? LINGER_AFTER_ERROR_MS : this.#options.writeStallMs + graceMs;
        await this.#transport.write(bytes, stallMs);
      } catch (error) {
        throw this.#transportFailed(error);
      }
    }
    switch (transition.action) {
      case "AE-5":
        this.#startArtim(this.#options.associationMs);
        break;
      case "AE-6":
      case "AE-7":
        this.#stopArtim();
        break;
      case "AE-8":
      case "AR-4":
        this.#startArtim(this.#options.associationMs);
        void this.#awaitClose();
        break;
      case "AA-1":
      case "AA-7":
      case "AA-8":
        this.#startArtim(LINGER_AFTER_ERROR_MS);
        void this.#awaitClose();
        break;
      case "AE-4":
      case "AR-3":
      case "AR-5":
      case "AA-2":
      case "AA-3":
      case "AA-4":
      case "AA-5":
        this.#close();
    }
  }

  /** Sta13, until the peer closes or ARTIM does. */
  async #awaitClose(): Promise<void> {
    const { writeStallMs } = this.#options;
    try {
      await awaitPeerClose(this.#reader, this.#transport, this.#legible, writeStallMs);
    } catch {
      // ARTIM closed it, or the peer did with a reset: the same end.
    }
    this.#close();
  }

  #setPeerMaximum(maxPduLength: number): void {
    try {
      this.#fragment = fragmentLength(maxPduLength, LARGEST_PDU_SENT);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const failure = this.#end(new AssociationError("protocol", `${this.peer}: ${message}`));
      void this.abort(message);
      throw failure;
    }
  }

  #transportFailed(error: unknown): AssociationError {
    this.#state = 1;
    if (!(error instanceof TransportError)) {
      const known = this.#error;
      this.#close();
      throw known ?? error;
    }
    const kind = error.kind === "timeout" ? "timeout" : "closed";
    const ended = this.#end(new AssociationError(kind, error.message, { cause: error }));
    this.#close();
    return ended;
  }

  /** The first reason stands. */
  #end(error: AssociationError): AssociationError {
    this.#error ??= error;
    return this.#error;
  }

  #startArtim(ms: number): void {
    this.#stopArtim();
    this.#artim = setTimeout(() => {
      if (this.#state !== 13) {
        const what = this.#state === 2 ? "association request" : "answer to the release request";
        this.#end(new AssociationError("timeout", `${this.peer}: no ${what}`));
      }
      this.#close();
    }, ms);
  }

  #stopArtim(): void {
    clearTimeout(this.#artim);
    this.#artim = undefined;
  }

  #close(): void {
    this.#stopArtim();
    this.#state = 1;
    this.#error ??= new AssociationError("stopped", `${this.peer}: association is over`);
    this.#transport.close();
    this.#closed.resolve();
  }
}

const RELEASE_RESPONSE = encodeControlPdu({ type: PduType.ReleaseResponse });

function defect(state: State, event: string): Error {
  return new Error(`Defect: event ${event} has no place in Sta${state} (PS3.8 Table 9-10)`);
}
