/* Associations to a destination: as few as the work allows, kept while there is work, released when there is none. */

import assert from "node:assert/strict";
import { generateStudy } from "../../src/cli/demo_study.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { Scratch } from "../helpers/scratch.ts";
import { Sender } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";

const INSTANCES = 200;

Deno.test("200 instances that trickle in leave over one association, released when idle", async () => {
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", sink.port, { timeouts: { idle_release: 1 } })],
  });
  {
    await using sender = await Sender.open(forwarder.port);
    let sent = 0;
    for (
      const instance of generateStudy({ instances: INSTANCES, rows: 16, columns: 16, seed: 9 })
    ) {
      assert.equal(await sender.send(instance), 0);
      sent++;
      // The next one comes when this one has left: there is never more than one to deliver.
      await sink.received(sent, 10_000);
    }
  }
  assert.equal(sink.associations, 1);
  await sink.until(({ open }) => open === 0, 10_000, "the association to be released");
  assert.equal(sink.released, 1);
});

Deno.test("a backlog is delivered over several associations, never more than allowed", async () => {
  await using scratch = await Scratch.make();
  let most = 0;
  await using sink: Sink = new Sink({
    answer: () => {
      most = Math.max(most, sink.open);
      return 0;
    },
  });
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", sink.port, { associations: 3 })],
  });
  const senders = [1, 2, 3, 4].map(async (seed) => {
    await using sender = await Sender.open(forwarder.port);
    for (const instance of generateStudy({ instances: 50, rows: 64, columns: 64, seed })) {
      assert.equal(await sender.send(instance), 0);
    }
  });
  await Promise.all(senders);
  await sink.received(200);
  assert.ok(most <= 3, `${most} associations at once`);
  assert.ok(most >= 2, `${most} association at once`);
});
