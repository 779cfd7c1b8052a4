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

/**
 * The status a command set says to the C-STORE of this message id, read as strictly as can be: each of the three elements
 * that make it an answer is there in two bytes (PS3.7 Annex E, VR US), and none of them says anything else in two bytes.
 */
export function statusSaid(command: Uint8Array, messageId: number): number | undefined {
  const found = new Map<number, number>();
  const view = new DataView(command.buffer, command.byteOffset, command.byteLength);
  for (let at = 0; at < command.length;) {
    if (at + 8 > command.length || view.getUint16(at, true) !== 0) return undefined;
    const element = view.getUint16(at + 2, true);
    const length = view.getUint32(at + 4, true);
    if (at + 8 + length > command.length) return undefined;
    if (length === 2 && [0x0100, 0x0120, 0x0900].includes(element)) {
      const value = view.getUint16(at + 8, true);
      if ((found.get(element) ?? value) !== value) return undefined;
      found.set(element, value);
    }
    at += 8 + length;
  }
  const answers = found.get(0x0100) === CommandField.StoreResponse &&
    found.get(0x0120) === messageId;
  return answers ? found.get(0x0900) : undefined;
}
