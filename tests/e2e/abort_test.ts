/*
 * Senders that abort in the middle of what they send: what was not answered is not kept, unless all of it had come.
 */

import assert from "node:assert/strict";
import { assertConserved, partialIn } from "../helpers/conserved.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { sha256 } from "../helpers/hashes.ts";
import { instanceOf, instanceOfSize } from "../helpers/instances.ts";
import { USER_ABORT } from "../helpers/pdus.ts";
import { Peer } from "../helpers/peer.ts";
import { Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { StoreSession } from "../helpers/store_session.ts";
import { until } from "../helpers/until.ts";

/** More than the spool puts together in memory: what comes first is on the disk when the abort comes. */
const PIXELS = 400 * 1024;

const ROUNDS = 50;

Deno.test("200 associations aborted at 1 %, 50 % and 99 % of a data set and behind it: no part of any is kept or sent", async () => {
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", sink.port)],
    max_associations_per_host: 50,
  });
  const sent = new Map<string, string>();
  const whole = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all([0.01, 0.5, 0.99, 1].map(async (part, n) => {
      const instance = instanceOfSize(`1.2.826.9.${n}.${round}`, PIXELS);
      const session = new StoreSession(instance, 16_000);
      sent.set(instance.sopInstanceUid, sha256(instance.dataSet));
      if (part === 1) whole.add(instance.sopInstanceUid);
      const { messageAt, wholeAt } = session;
      const peer = await Peer.connect(forwarder.port);
      peer.patienceMs = 30_000;
      const at = Math.round(messageAt + (wholeAt - messageAt) * part);
      await session.run(peer, at);
      // Inside a PDU these bytes are data like any other; the end of the connection behind them ends it then.
      await peer.send(USER_ABORT);
      await peer.finish();
      await peer.receiveRest();
      peer.close();
    }));
  }
  await until(() => forwarder.associations === 0, 10_000, "all places to be free again");
  assert.deepEqual(partialIn(scratch.at("spool")), []);
  const last = instanceOf({ sopInstanceUid: "1.2.3.9" });
  sent.set("1.2.3.9", sha256(last.dataSet));
  await sendAll(forwarder.port, [last]);
  await until(
    () => sink.uids().has("1.2.3.9") && forwarder.destination("pacs").waiting === 0,
    20_000,
    "the line to be empty",
  );
  await forwarder.stop();
  assertConserved(sent, ["1.2.3.9"], sink.arrivals, "pacs", scratch.at("spool"));
  for (const uid of sink.uids()) {
    assert.ok(whole.has(uid) || uid === "1.2.3.9", `${uid} was never whole and arrived`);
  }
  assert.equal(forwarder.destination("pacs").failed, 0);
});

Deno.test("a sender that aborts on a PDU boundary leaves nothing either", async () => {
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", sink.port)],
  });
  const instance = instanceOfSize("1.2.826.9.9", PIXELS);
  const session = new StoreSession(instance, 16_000);
  const peer = await Peer.connect(forwarder.port);
  peer.patienceMs = 30_000;
  // The command set, and 20 PDUs of data of 12 bytes of header each behind it.
  const command = session.wholeAt - session.messageAt - instance.dataSet.length -
    12 * Math.ceil(instance.dataSet.length / 16_000);
  await session.run(peer, session.messageAt + command + 20 * 16_012);
  await until(() => partialIn(scratch.at("spool")).length > 0, 10_000, "a part on the disk");
  await peer.send(USER_ABORT);
  await peer.finish();
  await peer.receiveRest();
  peer.close();
  await until(() => partialIn(scratch.at("spool")).length === 0, 10_000, "the part to be gone");
  assert.equal(forwarder.associations, 0);
  assert.equal(forwarder.destination("pacs").waiting, 0);
  assert.equal(sink.arrivals.length, 0);
});
