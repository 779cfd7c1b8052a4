/*
 * Several instances outstanding on one association to a destination that takes them so (PS3.7 §D.3.3.3): each is delivered
 * by its own answer and by nothing else, whatever the destination does to the association.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { assertConserved, heldFor } from "../helpers/conserved.ts";
import { freePort } from "../helpers/child.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { hashesOf, instanceOfSize, type TestInstance } from "../helpers/instances.ts";
import { USER_ABORT } from "../helpers/pdus.ts";
import { Scratch } from "../helpers/scratch.ts";
import {
  acceptAll,
  type Deed,
  type NodeAssociation,
  ScriptedNode,
  type Store,
} from "../helpers/scripted_node.ts";
import { sendAll } from "../helpers/sender.ts";
import { pass, until } from "../helpers/until.ts";
import { realFileSystem } from "../../src/spool/file_system.ts";
import { listItems } from "../../src/spool/inspect.ts";

function accept(association: NodeAssociation, invoked = 0) {
  return association.accept(acceptAll, 131_072, {
    asynchronousOperations: { invoked, performed: 1 },
  });
}

function instances(count: number, size = 2000): TestInstance[] {
  return Array.from({ length: count }, (_, n) => instanceOfSize(`1.2.826.1.${n}`, size));
}

/** Receives so many instances, and sees that no more come before one of them is answered. */
async function receiveOnly(association: NodeAssociation, count: number): Promise<Store[]> {
  const stores: Store[] = [];
  while (stores.length < count) stores.push((await association.receiveStore())!);
  // Long enough for what does not wait to arrive.
  await pass(100);
  assert.equal(association.peer.waiting, 0, `more than ${count} outstanding`);
  return stores;
}

interface House {
  readonly forwarder: Forwarder;
  readonly node: ScriptedNode;
  readonly sent: readonly TestInstance[];
  readonly spool: string;
}

/**
 * A forwarder whose queue is full when it first meets the node, with one association to it.
 *
 * @param more settings of that destination
 * @param damage does something to the spool before; what is held then need not be what was sent
 */
async function withQueue(
  sent: readonly TestInstance[],
  script: (association: NodeAssociation, number: number) => Promise<void>,
  use: (house: House) => Promise<void>,
  more: Record<string, unknown> = {},
  damage?: (spool: string) => void,
): Promise<void> {
  await using scratch = await Scratch.make();
  const spool = join(scratch.path, "spool");
  const settings = (port: number) => ({
    destinations: [nodeAt("node", port, { associations: 1, ...more })],
  });
  {
    await using forwarder = await Forwarder.start(scratch.path, settings(freePort()));
    await sendAll(forwarder.port, sent);
  }
  damage?.(spool);
  await using node = await ScriptedNode.listen(script);
  await using forwarder = await Forwarder.start(scratch.path, settings(node.port));
  await use({ forwarder, node, sent, spool });
  await forwarder.stop();
  const hashes = hashesOf(sent);
  if (damage === undefined) assertConserved(hashes, hashes.keys(), node.taken, "node", spool);
  for (const { sopInstanceUid, hash } of node.taken) {
    assert.equal(hash, hashes.get(sopInstanceUid), `${sopInstanceUid} arrived damaged`);
  }
}

for (const [invoked, window] of [[0, 16], [16, 16], [5, 5], [1, 1], [200, 16]] as const) {
  Deno.test(`a destination that allows ${invoked} operations is given ${window} at a time, and may answer in any order`, () =>
    withQueue(
      instances(50),
      async (association) => {
        await accept(association, invoked);
        for (let left = 50; left > 0;) {
          const count = Math.min(window, left);
          const stores = await receiveOnly(association, count);
          for (const store of stores.toReversed()) await association.answer(store, 0);
          left -= count;
        }
        await association.receiveStore();
      },
      async ({ forwarder, node, sent }) => {
        await forwarder.delivered("node", 50);
        assert.equal(node.associations.length, 1);
        assert.equal(node.seen.length, sent.length, "each once");
        assert.deepEqual(
          node.seen.map((store) => store.sopInstanceUid),
          sent.map((one) => one.sopInstanceUid),
          "in their order",
        );
      },
      { timeouts: { idle_release: 1 } },
    ));
}

Deno.test("an outstanding instance's place is taken by the next as soon as its answer has come", () =>
  withQueue(
    instances(20),
    async (association) => {
      await accept(association, 4);
      const stores = await receiveOnly(association, 4);
      for (let n = 4; n < 20; n++) {
        await association.answer(stores.shift()!, 0);
        stores.push((await association.receiveStore())!);
      }
      for (const store of stores) await association.answer(store, 0);
      await association.receiveStore();
    },
    ({ forwarder }) => forwarder.delivered("node", 20),
  ));

for (
  const [what, end] of [
    ["aborts", (one: NodeAssociation) => one.peer.send(USER_ABORT)],
    ["closes the connection", (one: NodeAssociation) => one.peer.finish()],
    ["resets the connection", (one: NodeAssociation) => Promise.resolve(one.peer.reset())],
  ] as const
) {
  Deno.test(`a destination that answers two of twelve and then ${what} is sent the other ten again, one at a time, and is not called down`, () =>
    withQueue(
      instances(12),
      async (association, number) => {
        await accept(association);
        if (number === 0) {
          const stores = await receiveOnly(association, 12);
          await association.answer(stores[1]!, 0);
          await association.answer(stores[7]!, 0);
          return await end(association);
        }
        for (let left = 10; left > 0; left--) {
          const [store] = await receiveOnly(association, 1);
          await association.answer(store!, 0);
        }
        await association.receiveStore();
      },
      async ({ forwarder, node, sent }) => {
        await until(
          () => node.associations.length === 2,
          20_000,
          "another association",
        );
        assert.equal(forwarder.destination("node").health.state, "up");
        await forwarder.delivered("node", 12);
        const times = sent.map(({ sopInstanceUid }) => node.timesSeen(sopInstanceUid));
        assert.deepEqual(times, [2, 1, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2]);
        assert.equal(node.associations.length, 2);
      },
      { timeouts: { idle_release: 1 } },
    ));
}

Deno.test("of several outstanding when no answer comes, each is sent again and none is counted as delivered", () =>
  withQueue(
    instances(6),
    async (association, number) => {
      await accept(association);
      if (number > 0) return await association.serve(() => 0);
      await receiveOnly(association, 6);
      await association.peer.over;
    },
    async ({ forwarder, node }) => {
      await until(() => node.associations.length === 2, 20_000, "another association");
      await forwarder.delivered("node", 6);
      assert.equal(node.seen.length, 12);
      assert.equal(node.taken.length, 6);
    },
    { timeouts: { response: 1, idle_release: 1 } },
  ));

Deno.test("a duplicate after an association was lost with several outstanding is taken as arrived, for each of them", () =>
  withQueue(
    instances(5),
    async (association, number) => {
      await accept(association);
      if (number > 0) return await association.serve(() => 0x0111);
      // All of them are stored, and no answer gets through.
      for (const store of await receiveOnly(association, 5)) association.took(store);
      association.peer.reset();
    },
    async ({ forwarder }) => {
      await forwarder.delivered("node", 5);
      assert.equal(forwarder.destination("node").failed, 0);
    },
    { timeouts: { idle_release: 1 } },
  ));

const POISON = "1.2.826.666";

for (const deed of ["abort", "reset", "hang", 0xc001] as const) {
  Deno.test(`one instance of 100 that its destination ${deed}s on, 16 outstanding at a time: it alone is given up`, () => {
    const sent = instances(100);
    sent[40] = instanceOfSize(POISON, 2000);
    return withQueue(
      sent,
      async (association) => {
        await accept(association);
        await association.serve(({ sopInstanceUid }): Deed => sopInstanceUid === POISON ? deed : 0);
      },
      async ({ forwarder, spool }) => {
        // Others pass meanwhile, as they do where a modality goes on sending: that shows whose fault it is.
        let more = 0;
        const began = performance.now();
        while (forwarder.destination("node").failed === 0) {
          assert.ok(performance.now() - began < 60_000, "it was not given up within a minute");
          const instance = instanceOfSize(`1.2.826.2.${more++}`, 2000);
          sent.push(instance);
          await sendAll(forwarder.port, [instance]);
          await pass(20);
        }
        await forwarder.delivered("node", sent.length - 1);
        assert.equal(forwarder.destination("node").failed, 1);
        await forwarder.stop();
        assert.deepEqual(heldFor("node", spool).map((one) => one.sopInstanceUid), [POISON]);
      },
      { timeouts: { response: 1 } },
    );
  });
}

for (const status of [0x0210, 0xff00, 0x0124]) {
  Deno.test(`an answer ${status.toString(16)} ends the association when the others outstanding are answered`, () =>
    withQueue(
      instances(8),
      async (association, number) => {
        await accept(association);
        if (number > 0) return await association.serve(() => 0);
        const stores = await receiveOnly(association, 8);
        await association.answer(stores[2]!, status);
        await pass(100);
        assert.equal(association.peer.waiting, 0, "the association was ended with others due");
        assert.equal(association.peer.ending, "");
        for (const n of [7, 6, 5, 4, 3, 1, 0]) await association.answer(stores[n]!, 0);
        if (status === 0x0124) assert.equal(await association.receiveStore(), undefined);
        else await association.peer.over;
      },
      async ({ forwarder, node }) => {
        await forwarder.delivered("node", status === 0x0124 ? 7 : 8);
        assert.equal(node.seen.length - node.taken.length, 1, "one of them was not taken");
      },
    ));
}

Deno.test("an instance damaged on the disk is set aside when those outstanding before it are answered; nobody gets it", () =>
  withQueue(
    instances(10, 300_000),
    async (association, number) => {
      await accept(association);
      if (number > 0) return await association.serve(() => 0);
      const stores: Store[] = [];
      while (stores.length < 3) stores.push((await association.receiveStore())!);
      await pass(200);
      for (const store of stores) await association.answer(store, 0);
      await association.receiveStore();
    },
    async ({ forwarder, node, spool }) => {
      await forwarder.delivered("node", 9);
      await until(() => heldFor("node", spool).length === 1, 10_000, "it to be set aside");
      assert.equal(node.seen.length, 9, "each good one once, the damaged one never");
      assert.equal(node.associations.length, 2);
    },
    { timeouts: { idle_release: 1 } },
    (spool) => {
      const paths = [...listItems(realFileSystem, spool)].map(({ path }) => path).sort();
      const bytes = Deno.readFileSync(paths[3]!);
      bytes[bytes.length - 100]! ^= 0x10;
      Deno.writeFileSync(paths[3]!, bytes);
    },
  ));

Deno.test("a stop waits for the answers outstanding and sends nothing more; what is not answered stays", async () => {
  const outstanding = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  await withQueue(
    instances(40),
    async (association) => {
      await accept(association);
      const stores = await receiveOnly(association, 16);
      outstanding.resolve();
      await answer.promise;
      for (const store of stores) await association.answer(store, 0);
      await association.receiveStore();
    },
    async ({ forwarder, node, spool }) => {
      await outstanding.promise;
      const stopped = forwarder.stop();
      answer.resolve();
      await stopped;
      assert.equal(node.seen.length, 16);
      assert.equal(heldFor("node", spool).length, 24);
    },
  );
});

Deno.test("a node that aborts at the item for asynchronous operations is served without it", async () => {
  let asked = 0;
  await withQueue(
    instances(5),
    async (association) => {
      const request = await association.request();
      if (request.userInformation.asynchronousOperations !== undefined) {
        asked++;
        await association.peer.send(USER_ABORT);
        return;
      }
      await association.acceptRequest(request);
      await association.serve(() => 0);
    },
    async ({ forwarder }) => {
      await forwarder.delivered("node", 5);
      assert.equal(asked, 1);
    },
  );
});

Deno.test("a destination that falls silent where it is asked for several operations is reached without that", () =>
  withQueue(
    instances(3),
    async (association) => {
      const request = await association.request();
      if (request.userInformation.asynchronousOperations !== undefined) {
        await association.peer.over;
        return;
      }
      await association.acceptRequest(request);
      await association.serve(() => 0);
    },
    ({ forwarder }) => forwarder.delivered("node", 3, 15_000),
    { timeouts: { association: 1, idle_release: 1 } },
  ));
