/*
 * A DICOM node that does what a script says, association by association: accepts or rejects, reads or does not, answers
 * what it likes, or breaks off.
 *
 * Owns a listening port and what came over it. What the forwarder ends, by closing or by A-ABORT, ends the script without
 * a word; any other error of a script fails the test when the node is closed.
 */

import { createHash } from "node:crypto";
import { decodeCommand } from "../../src/dimse/command.ts";
import {
  type AnsweredContext,
  type AssociateRequest,
  PduType,
  type ProposedContext,
  type UserInformation,
} from "../../src/ul/pdu.ts";
import { decodeControlPdu } from "../../src/ul/pdu_decode.ts";
import type { Taken } from "./conserved.ts";
import { associateAccept, commandPdu, pdvsOf, RELEASE_RP, USER_ABORT } from "./pdus.ts";
import { type Peer, PeerListener } from "./peer.ts";

/** A C-STORE whose data set has come whole. */
export interface Store extends Taken {
  readonly sopClassUid: string;
  readonly messageId: number;
  readonly contextId: number;
}

/** What a script does with an instance: answer a status, or anything else by itself. */
export type Deed = number | "abort" | "reset" | "close" | "hang";

/** The forwarder ended the association in a way the script did not ask for. */
class Left extends Error {}

/** Accepts every context with the transfer syntax proposed. */
export function acceptAll(contexts: readonly ProposedContext[]): AnsweredContext[] {
  return contexts.map(({ id, transferSyntaxes }) => ({
    id,
    result: 0,
    transferSyntax: transferSyntaxes[0]!,
  }));
}

export class NodeAssociation {
  readonly peer: Peer;
  /** performance.now() when the connection came. */
  readonly at = performance.now();
  /** performance.now() when it was over. */
  overAt: number | undefined;
  readonly #node: ScriptedNode;

  constructor(node: ScriptedNode, peer: Peer) {
    this.#node = node;
    this.peer = peer;
    peer.patienceMs = 60_000;
    void peer.over.then(() => this.overAt = performance.now());
  }

  /** The request, read and taken apart. */
  async request(): Promise<AssociateRequest> {
    const body = await this.peer.expectPdu(PduType.AssociateRequest);
    return decodeControlPdu(PduType.AssociateRequest, body) as AssociateRequest;
  }

  /** Reads the request and accepts it. */
  async accept(
    answer: (contexts: readonly ProposedContext[]) => AnsweredContext[] = acceptAll,
    maxPduLength = 131_072,
    more: Partial<UserInformation> = {},
  ): Promise<AssociateRequest> {
    const request = await this.request();
    await this.peer.send(associateAccept(answer(request.contexts), maxPduLength, more));
    return request;
  }

  /** Accepts a request that was read before. */
  acceptRequest(request: AssociateRequest): Promise<void> {
    return this.peer.send(associateAccept(acceptAll(request.contexts), 131_072));
  }

  /** The instance counts as stored, though no answer says so. */
  took(store: Store): void {
    this.#node.taken.push(store);
  }

  /** The next instance, or undefined after a release in order. */
  async receiveStore(): Promise<Store | undefined> {
    let command: ReturnType<typeof decodeCommand> | undefined;
    let contextId = 0;
    const digest = createHash("sha256");
    for (;;) {
      const { type, body } = await this.peer.receivePdu();
      if (type === PduType.ReleaseRequest) {
        await this.peer.send(RELEASE_RP);
        return undefined;
      }
      if (type !== PduType.Data) throw new Left(`PDU of type ${type}`);
      for (const pdv of pdvsOf(body)) {
        if (pdv.command) {
          command = decodeCommand(pdv.fragment);
          contextId = pdv.contextId;
          continue;
        }
        digest.update(pdv.fragment);
        if (!pdv.last) continue;
        const store: Store = {
          sopInstanceUid: command?.affectedSopInstanceUid ?? "",
          sopClassUid: command?.affectedSopClassUid ?? "",
          messageId: command?.messageId ?? 0,
          contextId,
          hash: digest.digest("hex"),
        };
        this.#node.seen.push(store);
        return store;
      }
    }
  }

  /** Answers with a status (PS3.7 §9.3.1.2). */
  async answer(store: Store, status: number): Promise<void> {
    // Before it is sent: the forwarder may act on it before this side goes on.
    if (isStored(status)) this.#node.taken.push(store);
    await this.peer.send(this.response(store, status));
  }

  response(store: Store, status: number): Uint8Array {
    return commandPdu(store.contextId, {
      commandField: 0x8001,
      affectedSopClassUid: store.sopClassUid,
      messageIdBeingRespondedTo: store.messageId,
      commandDataSetType: 0x0101,
      status,
      affectedSopInstanceUid: store.sopInstanceUid,
    });
  }

  /** Serves instance after instance until it is released, or a deed ends it. */
  async serve(deed: (store: Store) => Deed | Promise<Deed>): Promise<void> {
    for (;;) {
      const store = await this.receiveStore();
      if (store === undefined) return;
      const what = await deed(store);
      if (typeof what === "number") {
        await this.answer(store, what);
        continue;
      }
      if (what === "abort") await this.peer.send(USER_ABORT);
      if (what === "hang") await this.peer.over;
      if (what === "reset") this.peer.reset();
      else this.peer.close();
      return;
    }
  }
}

/** The statuses that say an instance is stored: Success and the warnings (PS3.4 Table B.2-1, PS3.7 Annex C). */
function isStored(status: number): boolean {
  return [0x0000, 0x0001, 0x0107, 0x0116].includes(status) || status >>> 12 === 0xb;
}

export class ScriptedNode implements AsyncDisposable {
  readonly #listener: PeerListener;
  readonly #script: (association: NodeAssociation, number: number) => Promise<void>;
  readonly #faults: unknown[] = [];
  /** Every connection that came, in order. */
  readonly associations: NodeAssociation[] = [];
  /** Every instance that came whole, whatever was answered. */
  readonly seen: Store[] = [];
  /** Those that were answered as stored. */
  readonly taken: Taken[] = [];
  #closed = false;

  private constructor(
    listener: PeerListener,
    script: (association: NodeAssociation, number: number) => Promise<void>,
  ) {
    this.#listener = listener;
    this.#script = script;
    void this.#accept();
  }

  /** @param script run for each connection; `number` counts them from 0 */
  static async listen(
    script: (association: NodeAssociation, number: number) => Promise<void>,
  ): Promise<ScriptedNode> {
    return new ScriptedNode(await PeerListener.listen(), script);
  }

  get port(): number {
    return this.#listener.port;
  }

  /** How often an instance came whole. */
  timesSeen(sopInstanceUid: string): number {
    return this.seen.filter((one) => one.sopInstanceUid === sopInstanceUid).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const { peer } of this.associations) peer.close();
    await this.#listener.close();
    if (this.#faults.length > 0) throw this.#faults[0];
  }

  async #accept(): Promise<void> {
    for (;;) {
      const peer = await this.#listener.accept();
      const association = new NodeAssociation(this, peer);
      this.associations.push(association);
      void this.#run(association, this.associations.length - 1);
    }
  }

  async #run(association: NodeAssociation, number: number): Promise<void> {
    try {
      await this.#script(association, number);
      // The side that asked for the association closes the connection (PS3.8 §9.2.2, AR-3).
      if (association.peer.ending === "") await association.peer.over;
    } catch (error) {
      const left = error instanceof Left || association.peer.ending !== "";
      if (!left && !this.#closed) this.#faults.push(error);
    } finally {
      association.peer.close();
    }
  }
}
