/*
 * A destination whose answers are mostly wrong: spoilt, to another message, contradicting themselves, an A-ABORT or nothing
 * at all. It remembers which instances it has truly said to have taken.
 */

import { concat } from "../../src/dicom/bytes.ts";
import { classifyStoreStatus } from "../../src/dicom/status.ts";
import { encodeCommand, NO_DATA_SET } from "../../src/dimse/command.ts";
import { receiveCommand } from "../../src/dimse/receive_command.ts";
import { Association } from "../../src/ul/association.ts";
import { AssociationError } from "../../src/ul/association_error.ts";
import { PduType } from "../../src/ul/pdu.ts";
import { encodeCommandPdus } from "../../src/ul/pdu_encode.ts";
import { Transport } from "../../src/ul/transport.ts";
import { OPTIONS } from "../helpers/served.ts";
import { keyOf, statusSaid } from "./answers.ts";
import { randomResponse } from "./commands.ts";
import type { Random } from "./random.ts";

/** A duplicate is one that it says to have already. */
const TAKEN: ReadonlySet<string> = new Set(["stored", "stored-with-warning", "duplicate"]);

export class LyingDestination implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #random: Random;
  readonly #transports = new Set<Transport>();
  #answersToLie: number;
  /** What it has said to have stored, with Success or a warning, clearly and to the right message. */
  readonly taken = new Set<string>();
  /** Answers that said anything else, or nothing. */
  lies = 0;

  /** @param answersToLie after so many answers it is honest */
  constructor(random: Random, answersToLie: number) {
    this.#random = random;
    this.#answersToLie = answersToLie;
    void this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const transport of this.#transports) transport.close();
    return Promise.resolve();
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) void this.#serve(connection);
  }

  async #serve(tcp: Deno.TcpConn): Promise<void> {
    const transport = new Transport(tcp, "127.0.0.1", this.port);
    this.#transports.add(transport);
    try {
      const { association, request } = await Association.receive(transport, OPTIONS);
      await association.accept(request, () => true);
      for (;;) {
        const message = await receiveCommand(association);
        if (message === undefined) return await association.respondRelease();
        const pieces: Uint8Array[] = [];
        for (let last = false; !last;) {
          const piece = await association.next(true);
          if (piece.type !== PduType.Data) throw new Error("a release inside a message");
          pieces.push(piece.bytes.slice());
          last = piece.last;
        }
        const { affectedSopInstanceUid = "", messageId = 0 } = message.command;
        await this.#answer(
          association,
          message.contextId,
          messageId,
          keyOf(affectedSopInstanceUid, concat(pieces)),
        );
      }
    } catch (error) {
      // Most associations here end in disagreement.
      if (!(error instanceof AssociationError)) throw error;
    } finally {
      transport.close();
      this.#transports.delete(transport);
    }
  }

  async #answer(
    association: Association,
    contextId: number,
    messageId: number,
    key: string,
  ): Promise<void> {
    const lying = this.#answersToLie-- > 0;
    if (lying && this.#random.oneIn(12)) {
      this.lies++;
      return await association.abort();
    }
    const answer = lying ? randomResponse(this.#random, messageId) : encodeCommand({
      commandField: 0x8001,
      messageIdBeingRespondedTo: messageId,
      commandDataSetType: NO_DATA_SET,
      status: 0,
    });
    const status = statusSaid(answer, messageId);
    const outcome = status === undefined ? "nothing" : classifyStoreStatus(status);
    if (TAKEN.has(outcome)) this.taken.add(key);
    else this.lies++;
    await association.send(encodeCommandPdus(contextId, answer, association.fragmentLength));
  }
}
