/*
 * Associations over real sockets for tests: a listener whose connections become associations, and requests to a scripted
 * peer.
 */

import assert from "node:assert/strict";
import { Association } from "../../src/ul/association.ts";
import type { AssociationError } from "../../src/ul/association_error.ts";
import type { AssociationOptions } from "../../src/ul/association_options.ts";
import { type AssociateRequest, PduType, type ProposedContext } from "../../src/ul/pdu.ts";
import { connectTcp, Transport } from "../../src/ul/transport.ts";
import { hex } from "./hex.ts";
import { associateRequest, CONTEXTS } from "./pdus.ts";
import { Peer, PeerListener } from "./peer.ts";

export const OPTIONS: AssociationOptions = {
  maxPduLength: 16384,
  associationMs: 5000,
  idleMs: 5000,
  readMs: 5000,
  writeStallMs: 5000,
  releaseMs: 5000,
};

/** A scripted peer connected to a transport of ours, which the test drives. */
export async function withConnection(
  use: (peer: Peer, transport: Transport) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [peer, connection] = await Promise.all([
    Peer.connect(listener.addr.port),
    listener.accept(),
  ]);
  connection.setNoDelay(true);
  const transport = new Transport(connection, "127.0.0.1", 104);
  try {
    await use(peer, transport);
  } finally {
    transport.close();
    peer.close();
    listener.close();
  }
}

/** A scripted peer that requests, and the association received from it (Sta3). */
export function withReceived(
  request: Uint8Array,
  use: (peer: Peer, association: Association, request: AssociateRequest) => Promise<void>,
  options: Partial<AssociationOptions> = {},
): Promise<void> {
  return withConnection(async (peer, transport) => {
    await peer.send(request);
    const received = await Association.receive(transport, { ...OPTIONS, ...options });
    await use(peer, received.association, received.request);
  });
}

/** A request of ours under way to a scripted peer. */
export async function withRequesting(
  use: (peer: Peer, association: Promise<Association>) => Promise<void>,
  options: Partial<AssociationOptions> = {},
  contexts: readonly ProposedContext[] = CONTEXTS,
): Promise<void> {
  const listener = await PeerListener.listen();
  const transport = await connectTcp(
    "127.0.0.1",
    listener.port,
    5000,
    new AbortController().signal,
  );
  const peer = await listener.accept();
  const association = Association.request(
    transport,
    "FORWARDER",
    "PACS",
    contexts,
    { ...OPTIONS, ...options },
  );
  // The test awaits it when it is due; until then nothing is unhandled.
  association.catch(() => {});
  try {
    await use(peer, association);
  } finally {
    transport.close();
    peer.close();
    await listener.close();
  }
}

/** For assert.rejects: an AssociationError of this kind whose message says this. */
export function endsAs(
  kind: AssociationError["kind"],
  message: RegExp = /./,
): (error: unknown) => boolean {
  return (error) => {
    if (!(error instanceof Error) || error.name !== "AssociationError") {
      throw new Error(`not an AssociationError: ${error}`, { cause: error });
    }
    const found = error as AssociationError;
    if (found.kind !== kind || !message.test(found.message)) {
      throw new Error(`${found.kind}: ${found.message}; wanted ${kind}: ${message}`);
    }
    return true;
  };
}

/**
 * The next PDU is an A-ABORT with this source and reason (PS3.8 Table 9-26), and then the connection is closed. The peer
 * closes first, as it should, unless it `lingers`.
 */
export async function expectAbort(
  peer: Peer,
  source: number,
  reason: number,
  lingers = false,
): Promise<void> {
  assert.equal(hex(await peer.expectPdu(PduType.Abort)), hex(Uint8Array.of(0, 0, source, reason)));
  if (!lingers) await peer.finish();
  assert.equal((await peer.receiveRest(1000)).length, 0, "nothing behind the A-ABORT");
}

/** An accepted association in Sta6, and the peer that requested it. */
export function established(
  use: (peer: Peer, association: Association) => Promise<void>,
  options: Parameters<typeof withReceived>[2] = {},
): Promise<void> {
  return withReceived(associateRequest(), async (peer, association, request) => {
    await association.accept(request, () => true);
    await peer.expectPdu(PduType.AssociateAccept);
    await use(peer, association);
  }, options);
}
