/*
 * A PACS that takes as many C-STOREs at a time as it is asked to (PS3.7 §D.3.3.3): it counts what comes and keeps nothing.
 *
 * It reads on while answers are on their way, and answers in order. What it is given is not looked at beyond the command
 * sets. A message that it cannot read is told when it is asked for the count.
 */

import { concat } from "../../src/dicom/bytes.ts";
import { APPLICATION_CONTEXT } from "../../src/dicom/uid.ts";
import {
  type Command,
  CommandField,
  decodeCommand,
  encodeCommand,
} from "../../src/dimse/command.ts";
import { ContextResult, PduType } from "../../src/ul/pdu.ts";
import { encodeCommandPdus, encodeControlPdu } from "../../src/ul/pdu_encode.ts";
import { PduReader } from "../../src/ul/pdu_reader.ts";
import { Transport, TransportError } from "../../src/ul/transport.ts";
import { ourUserInformation } from "../../src/ul/user_information.ts";

const MAX_PDU = 131_072;
const PATIENCE_MS = 60_000;

export class FarPeer implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Transport>();
  #taken = 0;
  #failure: unknown;

  constructor() {
    void this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /**
   * Instances taken so far.
   *
   * @throws where something came that could not be read
   */
  taken(): Promise<number> {
    return this.#failure === undefined
      ? Promise.resolve(this.#taken)
      : Promise.reject(this.#failure);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const transport of this.#open) transport.close();
    return Promise.resolve();
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      connection.setNoDelay(true);
      const transport = new Transport(connection, "127.0.0.1", 0);
      this.#open.add(transport);
      void this.#serve(transport).catch((error) => {
        if (!(error instanceof TransportError)) this.#failure ??= error;
      }).finally(() => {
        transport.close();
        this.#open.delete(transport);
      });
    }
  }

  async #serve(transport: Transport): Promise<void> {
    const reader = new PduReader(transport, MAX_PDU);
    let pieces: Uint8Array[] = [];
    let command: Command = {};
    for (;;) {
      const pdu = await reader.next(false);
      switch (pdu.type) {
        case PduType.AssociateRequest: {
          const asked = pdu.userInformation.asynchronousOperations;
          await transport.write(
            encodeControlPdu({
              ...pdu,
              type: PduType.AssociateAccept,
              applicationContext: APPLICATION_CONTEXT,
              contexts: pdu.contexts.map(({ id, transferSyntaxes }) => ({
                id,
                result: ContextResult.Acceptance,
                transferSyntax: transferSyntaxes[0]!,
              })),
              userInformation: {
                ...ourUserInformation({ maxPduLength: MAX_PDU }),
                ...(asked === undefined ? {} : { asynchronousOperations: asked }),
              },
            }),
            PATIENCE_MS,
          );
          break;
        }
        case PduType.Data: {
          if (pdu.command) {
            pieces.push(pdu.bytes.slice());
            if (!pdu.last) break;
            command = decodeCommand(concat(pieces));
            pieces = [];
          } else if (pdu.last) {
            this.#taken++;
            await transport.write(success(pdu.contextId, command), PATIENCE_MS);
          }
          break;
        }
        case PduType.ReleaseRequest:
          await transport.write(encodeControlPdu({ type: PduType.ReleaseResponse }), PATIENCE_MS);
          break;
        default:
          return;
      }
    }
  }
}

function success(contextId: number, request: Command): Uint8Array {
  const response = encodeCommand({
    commandField: CommandField.StoreResponse,
    affectedSopClassUid: request.affectedSopClassUid ?? "",
    messageIdBeingRespondedTo: request.messageId ?? 0,
    commandDataSetType: 0x0101,
    status: 0,
    affectedSopInstanceUid: request.affectedSopInstanceUid ?? "",
  });
  return encodeCommandPdus(contextId, response, MAX_PDU - 6);
}
