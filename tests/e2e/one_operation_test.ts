/*
 * One operation at a time on each association whose acceptor does not answer the item that asks for more (PS3.7 §D.3.3.3),
 * with a backlog waiting and a destination that takes its time.
 */

import assert from "node:assert/strict";
import { decodeCommand } from "../../src/dimse/command.ts";
import { PduType } from "../../src/ul/pdu.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { instanceOf } from "../helpers/instances.ts";
import { acceptAssociation, commandPdu, pdvsOf, RELEASE_RP } from "../helpers/pdus.ts";
import { type Peer, PeerListener } from "../helpers/peer.ts";
import { Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { pass } from "../helpers/until.ts";

/** One C-STORE, whole: its context, message id and instance. */
async function receiveStore(peer: Peer) {
  const [command] = pdvsOf(await peer.expectPdu(PduType.Data));
  for (let last = false; !last;) {
    last = pdvsOf(await peer.expectPdu(PduType.Data)).at(-1)!.last;
  }
  const { messageId, affectedSopInstanceUid } = decodeCommand(command!.fragment);
  return { contextId: command!.contextId, messageId: messageId!, uid: affectedSopInstanceUid };
}

Deno.test("no second instance goes out on an association before the first is answered, and each has its own message id", async () => {
  await using scratch = await Scratch.make();
  const listener = await PeerListener.listen();
  try {
    await using forwarder = await Forwarder.start(scratch.path, {
      destinations: [nodeAt("slow", listener.port, {
        associations: 1,
        timeouts: { idle_release: 1 },
      })],
    });
    const instances = [1, 2, 3, 4].map((n) => instanceOf({ sopInstanceUid: `1.2.${n}` }));
    await sendAll(forwarder.port, instances);
    const peer = await listener.accept();
    const request = await acceptAssociation(peer);
    assert.deepEqual(request.userInformation.asynchronousOperations, { invoked: 16, performed: 1 });
    const seen = new Set<string | undefined>();
    for (let n = 1; n <= instances.length; n++) {
      const { contextId, messageId, uid } = await receiveStore(peer);
      assert.equal(messageId, n);
      seen.add(uid);
      // Long enough for what does not wait to arrive.
      await pass(100);
      assert.equal(peer.waiting, 0, "nothing more has come");
      assert.equal(forwarder.destination("slow").delivered, n - 1);
      await peer.send(commandPdu(contextId, {
        commandField: 0x8001,
        messageIdBeingRespondedTo: messageId,
        commandDataSetType: 0x0101,
        status: 0,
      }));
      await forwarder.delivered("slow", n);
    }
    assert.deepEqual([...seen].sort(), instances.map((one) => one.sopInstanceUid));
    await peer.expectPdu(PduType.ReleaseRequest);
    await peer.send(RELEASE_RP);
    peer.close();
  } finally {
    await listener.close();
  }
});
