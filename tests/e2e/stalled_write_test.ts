/*
 * A destination that stops taking bytes in the middle of a data set: that association is over, whatever the destination
 * does then, and the instance goes whole over another one.
 */

import assert from "node:assert/strict";
import { assertConserved } from "../helpers/conserved.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { hashesOf, instanceOfSize } from "../helpers/instances.ts";
import { ScriptedNode, type Store } from "../helpers/scripted_node.ts";
import { Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { within } from "../helpers/until.ts";

/** More than the buffers of both sides of a connection hold, in bytes. */
const LARGE = 24 * 1024 * 1024;

Deno.test("an association whose write stalled is never used again, though the destination reads on", async () => {
  await using scratch = await Scratch.make();
  let overStalled: Store | undefined | Error;
  const givenUp = Promise.withResolvers<void>();
  await using node = await ScriptedNode.listen(async (association, number) => {
    if (number > 0) {
      givenUp.resolve();
      await association.accept();
      await association.serve(() => 0);
      return;
    }
    await association.accept();
    association.peer.stopReading();
    // Until the forwarder comes again: it has given this one up.
    await givenUp.promise;
    association.peer.startReading();
    try {
      overStalled = await association.receiveStore();
    } catch (error) {
      overStalled = error as Error;
    }
  });
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [
      nodeAt("pacs", node.port, { associations: 1, timeouts: { write_stall: 1.5 } }),
    ],
  });
  const sent = [
    instanceOfSize("1.2.826.1", LARGE),
    ...Array.from({ length: 10 }, (_, n) => instanceOfSize(`1.2.826.2.${n}`, 2000)),
  ];
  await sendAll(forwarder.port, sent);
  await within(givenUp.promise, 20_000, "a second association");
  await forwarder.delivered("pacs", sent.length);
  await within(node.associations[0]!.peer.over, 5000, "the end of the first");
  assert.ok(overStalled instanceof Error, `over the stalled association came ${overStalled}`);
  assert.equal(node.timesSeen("1.2.826.1"), 1, "whole once, over another association");
  const hashes = hashesOf(sent);
  await forwarder.stop();
  assertConserved(hashes, hashes.keys(), node.taken, "pacs", scratch.at("spool"));
  assert.equal(node.taken.length, sent.length);
  assert.equal(forwarder.destination("pacs").failed, 0);
});
