/*
 * Answers against requests, both as bytes: which instances a provider has vouched for.
 */

import { SUCCESS } from "../../src/dicom/status.ts";
import { CommandField } from "../../src/dimse/command.ts";
import { sha256 } from "../helpers/hashes.ts";
import { Violation } from "./random.ts";
import { messagesIn } from "./recordings.ts";

/** How instances are told apart here: by UID and content. */
export function keyOf(sopInstanceUid: string, dataSet: Uint8Array): string {
  return `${sopInstanceUid} ${sha256(dataSet)}`;
}

/**
 * The instances answered with Success. Every answer must belong to a request, in the order of the requests.
 *
 * @param sent by the user, from the first byte of its connection
 * @param received from the provider
 * @throws {Violation}
 */
export function storedIn(sent: Uint8Array, received: Uint8Array): string[] {
  const requests = messagesIn(sent).filter(({ command }) =>
    command.commandField !== CommandField.CancelRequest
  );
  const stored: string[] = [];
  for (const { command: answer } of messagesIn(received)) {
    const request = requests.shift();
    if (request === undefined) throw new Violation("an answer to nothing", sent);
    if (answer.messageIdBeingRespondedTo !== (request.command.messageId ?? 0)) {
      throw new Violation("an answer to another message", sent);
    }
    if (answer.commandField !== CommandField.StoreResponse || answer.status !== SUCCESS) continue;
    if (request.dataSet === undefined) throw new Violation("Success without a data set", sent);
    stored.push(keyOf(request.command.affectedSopInstanceUid ?? "", request.dataSet));
  }
  return stored;
}
