/*
 * A sender's connection that ends anywhere in a store session: after every one of its first bytes and many of the rest,
 * by FIN, by a reset, and by silence. Nothing half received is to be seen, nothing stays, and the association's place is
 * free again.
 */

import assert from "node:assert/strict";
import { assertConserved, partialIn } from "../helpers/conserved.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { sha256 } from "../helpers/hashes.ts";
import { instanceOf, instanceOfSize } from "../helpers/instances.ts";
import { Peer } from "../helpers/peer.ts";
import { Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { StoreSession } from "../helpers/store_session.ts";
import { until } from "../helpers/until.ts";

const PIXELS = 40 * 1024;

/** Every one of the first bytes, then every 97th, and the places around the last PDV. */
function cuts(): number[] {
  const { wholeAt, length } = new StoreSession(instanceFor("fin", 0));
  const at = new Set<number>();
  for (let k = 0; k <= 2000; k++) at.add(k);
  for (let k = 2000; k < length; k += 97) at.add(k);
  for (const k of [wholeAt - 1, wholeAt, wholeAt + 1, length - 1, length]) at.add(k);
  return [...at];
}

type Ending = "fin" | "reset" | "silence";

const ENDINGS: readonly Ending[] = ["fin", "reset", "silence"];

/** Of the same length whatever `k` is, so that every session is. */
function instanceFor(ending: Ending, k: number) {
  return instanceOfSize(`1.2.826.9.${ENDINGS.indexOf(ending)}.${100_000 + k}`, PIXELS);
}

/** Runs the tasks, so many at a time. */
async function inParallel<T>(
  most: number,
  items: readonly T[],
  task: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next < items.length) await task(items[next++]!);
  };
  await Promise.all(Array.from({ length: most }, work));
}

/** Cuts sessions at all these places, and looks at what has come of it. */
async function cutEverywhere(
  settings: Record<string, unknown>,
  parallel: number,
  ending: Ending,
  cut: (peer: Peer, forwarder: Forwarder) => Promise<void>,
): Promise<void> {
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", sink.port)],
    ...settings,
  });
  const sent = new Map<string, string>();
  const answered = new Set<string>();
  const whole = new Set<string>();
  await inParallel(parallel, cuts(), async (k) => {
    const instance = instanceFor(ending, k);
    const session = new StoreSession(instance);
    sent.set(instance.sopInstanceUid, sha256(instance.dataSet));
    if (k >= session.wholeAt) whole.add(instance.sopInstanceUid);
    const peer = await Peer.connect(forwarder.port);
    peer.patienceMs = 30_000;
    try {
      if (await session.run(peer, k)) answered.add(instance.sopInstanceUid);
      await cut(peer, forwarder);
    } finally {
      peer.close();
    }
  });
  await until(() => forwarder.associations === 0, 10_000, "all places to be free again");
  await until(() => partialIn(scratch.at("spool")).length === 0, 10_000, "all slots to be empty");
  // All that is whole goes out, and so does what comes after it.
  const last = instanceOf({ sopInstanceUid: "1.2.3.9" });
  await sendAll(forwarder.port, [last]);
  sent.set(last.sopInstanceUid, sha256(last.dataSet));
  answered.add(last.sopInstanceUid);
  await until(
    () => sink.uids().has("1.2.3.9") && forwarder.destination("pacs").waiting === 0,
    20_000,
    "the line to be empty",
  );
  assert.ok(answered.size >= 3, "some sessions went far enough to be answered");
  await forwarder.stop();
  assertConserved(sent, answered, sink.arrivals, "pacs", scratch.at("spool"));
  for (const uid of sink.uids()) {
    assert.ok(whole.has(uid) || uid === "1.2.3.9", `${uid} was cut before its end and arrived`);
  }
  assert.equal(forwarder.destination("pacs").failed, 0);
}

Deno.test("a sender's connection ended (FIN) after any byte leaves nothing half received and no place taken", () =>
  cutEverywhere({}, 12, "fin", async (peer) => {
    await peer.finish();
    await peer.receiveRest();
  }));

Deno.test("a sender's connection reset after any byte leaves nothing half received and no place taken", () =>
  cutEverywhere(
    { max_associations: 100, max_associations_per_host: 100 },
    12,
    "reset",
    async (peer, forwarder) => {
      peer.reset();
      // A reset is noticed when the association is read again, which waits for its slot in the spool.
      await until(() => forwarder.associations < 50, 10_000, "places to be free");
    },
  ));

Deno.test("a sender that falls silent after any byte is let go within the time-outs, 200 of them at a time", () =>
  cutEverywhere(
    {
      max_associations: 200,
      max_associations_per_host: 200,
      timeouts: { association_request: 1, idle: 1, read: 1 },
    },
    180,
    "silence",
    async (peer) => {
      await peer.receiveRest();
    },
  ));
