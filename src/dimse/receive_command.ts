/*
 * A command set from its fragments (PS3.7 §6.3.1, PS3.8 Annex E), for both sides of an association.
 *
 * A message that breaks the protocol ends the association with A-ABORT.
 */

import type { Association } from "../ul/association.ts";
import { AbortReason, PduType } from "../ul/pdu.ts";
import { type Command, decodeCommand, MalformedCommand } from "./command.ts";

/** The longest command set taken, in bytes; real ones are under 1 KiB. */
const LONGEST_COMMAND = 64 * 1024;

/**
 * Waits for a command set and puts it together.
 *
 * @returns the command, its presentation context and when it began to come (performance.now()), or undefined where the peer
 * asks to release instead
 * @throws {AssociationError}
 */
export async function receiveCommand(
  association: Association,
): Promise<{ contextId: number; command: Command; began: number } | undefined> {
  const broken = (message: string) =>
    association.protocolError(message, AbortReason.InvalidParameter);
  let contextId: number | undefined;
  let joined: Uint8Array | undefined;
  let length = 0;
  let began = 0;
  for (;;) {
    const piece = await association.next(contextId !== undefined);
    if (piece.type !== PduType.Data) return undefined;
    if (!piece.command) throw await broken("data set fragment where a command set is due");
    if (contextId === undefined) {
      began = performance.now();
      contextId = piece.contextId;
      if (!association.acceptedContexts.has(contextId)) {
        throw await broken(`presentation context ${contextId} was not accepted`);
      }
    }
    if (piece.contextId !== contextId) {
      throw await broken("presentation context changes inside a command set");
    }
    if (length + piece.bytes.length > LONGEST_COMMAND) {
      throw await broken(`command set of over ${LONGEST_COMMAND} bytes`);
    }
    const whole = joined === undefined && piece.last;
    if (!whole) joined = append(joined, length, piece.bytes);
    length += piece.bytes.length;
    if (!piece.last) continue;
    try {
      const bytes = joined === undefined ? piece.bytes : joined.subarray(0, length);
      return { contextId, command: decodeCommand(bytes), began };
    } catch (error) {
      if (error instanceof MalformedCommand) throw await broken(error.message);
      throw error;
    }
  }
}

/** Appends to a growing array of which `used` bytes are taken. */
function append(into: Uint8Array | undefined, used: number, bytes: Uint8Array): Uint8Array {
  let target = into ?? new Uint8Array(1024);
  if (used + bytes.length > target.length) {
    const larger = new Uint8Array(Math.max(target.length * 2, used + bytes.length));
    larger.set(target.subarray(0, used));
    target = larger;
  }
  target.set(bytes, used);
  return target;
}
