/*
 * Peers that neither stop nor get on: a byte now and then keeps no wait going for ever, an honest slow line is not cut,
 * and nothing waits for a peer to take an A-ABORT.
 */

import assert from "node:assert/strict";
import { CommandField, encodeCommand, NO_DATA_SET } from "../../src/dimse/command.ts";
import { ServiceUser } from "../../src/dimse/scu.ts";
import { Association } from "../../src/ul/association.ts";
import type { AssociationError } from "../../src/ul/association_error.ts";
import { PduType } from "../../src/ul/pdu.ts";
import type { Connection } from "../../src/ul/transport.ts";
import { Transport } from "../../src/ul/transport.ts";
import { VERIFICATION } from "../../src/dicom/uid.ts";
import { noise } from "../helpers/hex.ts";
import {
  acceptAssociation,
  associateAccept,
  associateRequest,
  CONTEXTS,
  dataPdu,
  pdv,
  RELEASE_RP,
} from "../helpers/pdus.ts";
import type { Peer } from "../helpers/peer.ts";
import { endsAs, established, OPTIONS, withRequesting } from "../helpers/served.ts";
import { pass, within } from "../helpers/until.ts";

const ACCEPTED = CONTEXTS.map(({ id, transferSyntaxes }) => ({
  id,
  result: 0,
  transferSyntax: transferSyntaxes[0]!,
}));

/** Sends a byte every `ms` until the connection is gone; how many went. */
async function trickle(peer: Peer, bytes: Uint8Array, ms: number): Promise<number> {
  let sent = 0;
  for (const byte of bytes) {
    if (peer.ending !== "") break;
    try {
      await peer.send(Uint8Array.of(byte));
    } catch {
      break;
    }
    sent++;
    await pass(ms);
  }
  return sent;
}

/** Rejects in this way, and not before or long after so many ms. */
async function endsAfter(ms: number, promise: Promise<unknown>, message: RegExp): Promise<void> {
  const began = performance.now();
  await assert.rejects(within(promise, ms + 10_000, "an end"), endsAs("timeout", message));
  const took = performance.now() - began;
  assert.ok(took > ms - 100 && took < ms + 2000, `after ${took} ms instead of ${ms}`);
}

Deno.test("an answer to the association request that trickles in is no answer once its time is over", () =>
  withRequesting(async (peer, requested) => {
    const trickled = trickle(peer, associateAccept(ACCEPTED), 40);
    await endsAfter(500, requested, /no answer to the association request/);
    const sent = await trickled;
    assert.ok(sent > 5 && sent < 25, `${sent} bytes`);
  }, { associationMs: 500 }));

Deno.test("an answer to a request that trickles in is no answer once its time is over", () =>
  withRequesting(async (peer, requested) => {
    await acceptAssociation(peer);
    const user = new ServiceUser(await requested, 500);
    const echoed = user.echo(1, VERIFICATION);
    await peer.expectPdu(PduType.Data);
    const response = encodeCommand({
      commandField: CommandField.EchoResponse,
      affectedSopClassUid: VERIFICATION,
      messageIdBeingRespondedTo: 1,
      commandDataSetType: NO_DATA_SET,
      status: 0,
    });
    const trickled = trickle(peer, dataPdu(pdv(1, "command", true, response)), 40);
    await endsAfter(500, echoed, /no answer to the request/);
    await trickled;
  }));

Deno.test("an answer in time is one, and the association lives on past the limit it had", () =>
  withRequesting(async (peer, requested) => {
    await acceptAssociation(peer);
    const user = new ServiceUser(await requested, 300);
    const response = (messageIdBeingRespondedTo: number) =>
      dataPdu(pdv(
        1,
        "command",
        true,
        encodeCommand({
          commandField: CommandField.EchoResponse,
          messageIdBeingRespondedTo,
          commandDataSetType: NO_DATA_SET,
          status: 0,
        }),
      ));
    for (const messageId of [1, 2]) {
      const echoed = user.echo(1, VERIFICATION);
      await peer.expectPdu(PduType.Data);
      await peer.send(response(messageId));
      assert.equal((await echoed).status, 0);
      await pass(400);
    }
    const released = user.association.release();
    await peer.expectPdu(PduType.ReleaseRequest);
    await peer.send(RELEASE_RP);
    await released;
  }));

Deno.test("a message that comes a byte at a time is over when it has not got on for the read time-out", () =>
  established(async (peer, association) => {
    const trickled = trickle(peer, dataPdu(pdv(3, "data", false, noise(500))), 40);
    await endsAfter(
      500,
      (async () => {
        await association.next(false);
        for (;;) await association.next(true);
      })(),
      /message not finished/,
    );
    await trickled;
  }, { readMs: 500 }));

Deno.test("a message that takes many times the read time-out is read as long as it gets on", () =>
  established(async (peer, association) => {
    const bytes = noise(1200);
    const pdu = dataPdu(pdv(3, "data", true, bytes));
    const sending = (async () => {
      for (let at = 0; at < pdu.length; at += 50) {
        await peer.send(pdu.subarray(at, at + 50));
        await pass(80);
      }
    })();
    const began = performance.now();
    let got = 0;
    for (let ended = false; !ended;) {
      const piece = await association.next(got > 0);
      assert.ok(piece.type === PduType.Data);
      got += piece.bytes.length;
      ended = piece.last;
    }
    await sending;
    assert.equal(got, bytes.length);
    assert.ok(performance.now() - began > 1600, "several read time-outs");
  }, { readMs: 400 }));

Deno.test("time this program spends on a message is not held against its sender", () =>
  established(async (peer, association) => {
    await peer.send(dataPdu(pdv(3, "data", false, noise(4))));
    await association.next(false);
    await pass(500);
    await peer.send(dataPdu(pdv(3, "data", true, noise(4))));
    const piece = await association.next(true);
    assert.ok(piece.type === PduType.Data && piece.last);
  }, { readMs: 200 }));

/** Takes the first writes, then nothing more; it gives what it was given to give. */
class Deaf implements Connection {
  #writes: number;
  #answer: Uint8Array | undefined;
  readonly #over = Promise.withResolvers<never>();

  constructor(writes: number, answer: Uint8Array) {
    this.#writes = writes;
    this.#answer = answer;
  }

  read(into: Uint8Array): Promise<number | null> {
    const answer = this.#answer;
    this.#answer = undefined;
    if (answer === undefined) return this.#over.promise;
    into.set(answer);
    return Promise.resolve(answer.length);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#writes-- > 0 ? Promise.resolve(bytes.length) : this.#over.promise;
  }

  close(): void {
    this.#over.reject(new Deno.errors.BadResource("closed"));
  }
}

Deno.test("an abort does not wait for a peer that takes nothing any more", async () => {
  const transport = new Transport(new Deaf(1, associateAccept(ACCEPTED)), "peer.test", 104);
  const association = await Association.request(transport, "FORWARDER", "PACS", CONTEXTS, OPTIONS);
  const began = performance.now();
  await within(association.abort("stop"), 3000, "the abort");
  await association.closed;
  assert.ok(performance.now() - began < OPTIONS.writeStallMs / 2);
});

Deno.test("a breach of protocol by a peer that takes nothing any more ends at once, too", async () => {
  const transport = new Transport(new Deaf(1, associateRequest()), "peer.test", 104);
  const { association, request } = await Association.receive(transport, OPTIONS);
  await association.accept(request, () => true);
  const error: AssociationError = await within(
    association.protocolError("nonsense", 2),
    3000,
    "the abort",
  );
  assert.equal(error.kind, "protocol");
  await association.closed;
});
