/* Destinations that are away: what arrives meanwhile waits, and nobody else waits with it. */

import assert from "node:assert/strict";
import { generateStudy } from "../../src/cli/demo_study.ts";
import { freePort } from "../helpers/child.ts";
import { Storescp } from "../helpers/dcmtk.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { hashesOf } from "../helpers/instances.ts";
import { PeerListener } from "../helpers/peer.ts";
import { DCMTK, peerTest } from "../helpers/required_peers.ts";
import { Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { until } from "../helpers/until.ts";

const INSTANCES = 500;

peerTest(
  "500 instances received while the destination is down arrive when it comes up, without a restart",
  [DCMTK],
  async () => {
    await using scratch = await Scratch.make();
    const study = [...generateStudy({ instances: INSTANCES, rows: 32, columns: 32, seed: 6 })];
    const port = freePort();
    await using forwarder = await Forwarder.start(scratch.path, {
      destinations: [nodeAt("pacs", port)],
    });
    await sendAll(forwarder.port, study);
    await until(
      () => forwarder.destination("pacs").health.state === "down",
      10_000,
      "the destination to be found down",
    );
    assert.equal(forwarder.destination("pacs").waiting, INSTANCES);
    await using storescp = await Storescp.start({ folder: scratch.at("arrived"), port });
    await forwarder.delivered("pacs", INSTANCES);
    const arrived = storescp.stored().map((one) => [one.sopInstanceUid, one.hash] as const);
    assert.equal(arrived.length, INSTANCES);
    assert.deepEqual(new Map(arrived), hashesOf(study));
    assert.equal(forwarder.destination("pacs").failed, 0);
  },
);

Deno.test("a destination that never answers delays neither the sender nor the other destination", async () => {
  await using scratch = await Scratch.make();
  const study = [...generateStudy({ instances: 100, rows: 64, columns: 64, seed: 7 })];
  const silent = await PeerListener.listen();
  try {
    await using sink = new Sink();
    await using forwarder = await Forwarder.start(scratch.path, {
      destinations: [nodeAt("silent", silent.port), nodeAt("pacs", sink.port)],
      timeouts: { stop: 1 },
    });
    await sendAll(forwarder.port, study, { responseMs: 5000 });
    await sink.received(study.length, 20_000);
    const arrived = sink.arrivals.map((one) => [one.sopInstanceUid, one.hash] as const);
    assert.deepEqual(new Map(arrived), hashesOf(study));
    assert.equal(forwarder.destination("silent").waiting, study.length);
    assert.equal(forwarder.destination("silent").delivered, 0);
  } finally {
    await silent.close();
  }
});

Deno.test("what waits for a destination survives a stop and is delivered after the next start", async () => {
  await using scratch = await Scratch.make();
  const study = [...generateStudy({ instances: 50, rows: 32, columns: 32, seed: 8 })];
  const port = freePort();
  const settings = { destinations: [nodeAt("pacs", port)] };
  {
    await using forwarder = await Forwarder.start(scratch.path, settings);
    await sendAll(forwarder.port, study);
  }
  await using sink = new Sink({ port });
  await using forwarder = await Forwarder.start(scratch.path, settings);
  await forwarder.delivered("pacs", study.length);
  const arrived = sink.arrivals.map((one) => [one.sopInstanceUid, one.hash] as const);
  assert.equal(arrived.length, study.length);
  assert.deepEqual(new Map(arrived), hashesOf(study));
});
