/*
 * Our provider of C-STORE and C-ECHO behind a socket, and the scripted peer that uses it.
 */

import assert from "node:assert/strict";
import { concat } from "../../src/dicom/bytes.ts";
import { VERIFICATION } from "../../src/dicom/uid.ts";
import { type Command, decodeCommand } from "../../src/dimse/command.ts";
import { serve, type Services, type StoreRequest } from "../../src/dimse/scp.ts";
import { PduType } from "../../src/ul/pdu.ts";
import { hex } from "./hex.ts";
import { associateRequest, CONTEXTS, CT, pdvsOf, RELEASE_RQ } from "./pdus.ts";
import type { Peer } from "./peer.ts";
import { withReceived } from "./served.ts";

/** A C-STORE-RQ of a CT. */
export function storeRequest(messageId = 1, more: Partial<Command> = {}): Command {
  return {
    commandField: 0x0001,
    affectedSopClassUid: CT,
    affectedSopInstanceUid: "1.2.3.4",
    messageId,
    priority: 0,
    commandDataSetType: 1,
    ...more,
  };
}

/** A C-ECHO-RQ. */
export const ECHO: Command = {
  commandField: 0x0030,
  affectedSopClassUid: VERIFICATION,
  messageId: 9,
  commandDataSetType: 0x0101,
};

/** What a handler was given. */
export interface Stored {
  readonly request: StoreRequest;
  readonly bytes: Uint8Array;
}

/** Serves with a handler that keeps all it is given; the error that ended it, or undefined after a release. */
export async function served(
  script: (peer: Peer, stored: Stored[]) => Promise<void>,
  services: Partial<Services> = {},
  options: Parameters<typeof withReceived>[2] = {},
  contexts = CONTEXTS,
): Promise<{ stored: Stored[]; error: unknown }> {
  const stored: Stored[] = [];
  let error: unknown;
  await withReceived(associateRequest(contexts), async (peer, association, request) => {
    await association.accept(request, () => true);
    await peer.expectPdu(PduType.AssociateAccept);
    const serving = serve(association, {
      async store(request, dataSet) {
        const pieces: Uint8Array[] = [];
        for (let piece = await dataSet.read(); piece; piece = await dataSet.read()) {
          pieces.push(piece.slice());
        }
        stored.push({ request, bytes: concat(pieces) });
        return { status: 0 };
      },
      ...services,
    }).catch((caught: unknown) => error = caught);
    await script(peer, stored);
    peer.close();
    await serving;
    // After an error of the handler's the association is the caller's to end.
    await association.abort();
    await association.closed;
  }, options);
  return { stored, error };
}

/** The next message from the provider, which is a command set alone. */
export async function answer(peer: Peer): Promise<Command & { contextId: number }> {
  const pieces: Uint8Array[] = [];
  for (;;) {
    const [one, more] = pdvsOf(await peer.expectPdu(PduType.Data));
    assert.equal(more, undefined);
    assert.equal(one!.command, true);
    pieces.push(one!.fragment);
    if (one!.last) return { ...decodeCommand(concat(pieces)), contextId: one!.contextId };
  }
}

/** Releases in order. */
export async function release(peer: Peer): Promise<void> {
  await peer.send(RELEASE_RQ);
  await peer.expectPdu(PduType.ReleaseResponse);
}

/** A-ABORT by the service provider for this reason. */
export async function expectAbort(peer: Peer, reason: number): Promise<void> {
  assert.equal(hex(await peer.expectPdu(PduType.Abort)), hex(Uint8Array.of(0, 0, 2, reason)));
  await peer.finish();
}
