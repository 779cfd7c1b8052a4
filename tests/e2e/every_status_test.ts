/*
 * What a destination answers to an instance, over the wire, and what becomes of the instance then (PS3.4 Table B.2-1,
 * PS3.7 Annex C): only Success and the warnings take it out of the spool.
 */

import assert from "node:assert/strict";
import { assertConserved, heldFor } from "../helpers/conserved.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { hashesOf, instanceOfSize } from "../helpers/instances.ts";
import { commandPdu } from "../helpers/pdus.ts";
import { ScriptedNode } from "../helpers/scripted_node.ts";
import { Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { until } from "../helpers/until.ts";

/** What becomes of an instance that is always answered so. */
type Fate =
  /** Delivered with the first answer. */
  | "delivered"
  /** Tried again without end, held: only this instance and nothing else passes, so it may be the destination. */
  | "retried"
  /** Tried once and three times more, then kept in failed/. */
  | "refused"
  /** Given up after three attempts, each over an association of its own. */
  | "protocol error"
  /** Given up after five attempts, each over an association of its own. */
  | "no answer of C-STORE"
  /** Held, and the destination is called wrongly configured. */
  | "misconfigured";

const CODES: readonly (readonly [status: number | undefined, fate: Fate])[] = [
  [0x0000, "delivered"],
  [0x0001, "delivered"],
  [0x0107, "delivered"],
  [0x0116, "delivered"],
  [0xb000, "delivered"],
  [0xb006, "delivered"],
  [0xb007, "delivered"],
  [0xbfff, "delivered"],
  [0xa700, "retried"],
  [0xa701, "retried"],
  [0xa7ff, "retried"],
  [0x0110, "retried"],
  [0x0213, "retried"],
  [0xa900, "refused"],
  [0xa9ff, "refused"],
  [0xc000, "refused"],
  [0xc001, "refused"],
  [0xcfff, "refused"],
  [0x0105, "refused"],
  [0x0106, "refused"],
  [0x0111, "refused"],
  [0x0112, "refused"],
  [0x0114, "refused"],
  [0x0115, "refused"],
  [0x0117, "refused"],
  [0x0118, "refused"],
  [0x0119, "refused"],
  [0x0120, "refused"],
  [0x0121, "refused"],
  [0x0122, "refused"],
  [0x0210, "protocol error"],
  [0x0211, "protocol error"],
  [0x0212, "protocol error"],
  [0x0124, "misconfigured"],
  [0xfe00, "no answer of C-STORE"],
  [0xff00, "no answer of C-STORE"],
  [0xff01, "no answer of C-STORE"],
  [0x0002, "no answer of C-STORE"],
  [0xa800, "no answer of C-STORE"],
  [0xd000, "no answer of C-STORE"],
  [0x8000, "no answer of C-STORE"],
  [0xffff, "no answer of C-STORE"],
  [undefined, "no answer of C-STORE"],
];

/** Destinations of one forwarder: an entry's name has room for no more. */
const AT_A_TIME = 11;

function nameOf(status: number | undefined): string {
  return status === undefined ? "none" : `s${status.toString(16).padStart(4, "0")}`;
}

async function nodeAnswering(status: number | undefined): Promise<ScriptedNode> {
  return await ScriptedNode.listen(async (association) => {
    await association.accept();
    if (status !== undefined) return association.serve(() => status);
    for (;;) {
      const store = await association.receiveStore();
      if (store === undefined) return;
      await association.peer.send(commandPdu(store.contextId, {
        commandField: 0x8001,
        messageIdBeingRespondedTo: store.messageId,
        commandDataSetType: 0x0101,
      }));
    }
  });
}

for (let first = 0; first < CODES.length; first += AT_A_TIME) {
  const some = CODES.slice(first, first + AT_A_TIME);
  Deno.test(`an instance answered ${some.map(([status]) => nameOf(status).replace(/^s/, "")).join(", ")} meets the fate of its answer`, async () => {
    await using scratch = await Scratch.make();
    await using nodes = new AsyncDisposableStack();
    const cases = await Promise.all(some.map(async ([status, fate]) => {
      const node = nodes.use(await nodeAnswering(status));
      return { name: nameOf(status), fate, node };
    }));
    await using forwarder = await Forwarder.start(scratch.path, {
      destinations: cases.map(({ name, node }) => nodeAt(name, node.port)),
    }, { backOff: { firstMs: 50, mostMs: 200 } });
    const sent = [instanceOfSize("1.2.826.1", 1000)];
    await sendAll(forwarder.port, sent);
    await Promise.all(cases.map(async ({ name, fate, node }) => {
      const now = () => forwarder.destination(name);
      const attempts = () => node.timesSeen("1.2.826.1");
      const what = () => `${name} to be ${fate}: ${attempts()} attempts, ${JSON.stringify(now())}`;
      if (fate === "delivered") await until(() => now().delivered === 1, 20_000, what);
      else if (fate === "retried") await until(() => attempts() >= 12, 20_000, what);
      else if (fate === "misconfigured") {
        await until(() => now().health.state === "misconfigured", 20_000, what);
      } else await until(() => now().failed === 1, 20_000, what);
    }));
    await forwarder.stop();
    const spool = scratch.at("spool");
    const hashes = hashesOf(sent);
    for (const { name, fate, node } of cases) {
      const gone = fate === "delivered";
      const held = heldFor(name, spool).length;
      assert.equal(held, gone ? 0 : 1, `${name}: ${held} held`);
      assertConserved(hashes, hashes.keys(), node.taken, name, spool);
      const attempts = node.timesSeen("1.2.826.1");
      const associations = node.associations.length;
      if (gone) assert.equal(attempts, 1, name);
      if (fate === "refused") assert.deepEqual([attempts, name], [4, name]);
      if (fate === "protocol error") {
        assert.deepEqual([attempts, associations, name], [3, 3, name]);
      }
      if (fate === "no answer of C-STORE") {
        assert.deepEqual([attempts, associations, name], [5, 5, name]);
      }
      if (fate === "misconfigured") assert.equal(attempts, 3, "then it waits");
      const failed = ["refused", "protocol error", "no answer of C-STORE"].includes(fate);
      const [kept] = heldFor(name, spool);
      if (kept !== undefined) assert.equal(kept.path.includes("failed"), failed, kept.path);
    }
  });
}
