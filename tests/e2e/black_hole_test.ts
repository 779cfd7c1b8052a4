/*
 * Destinations that swallow: each way of never getting on ends at its own time-out, none keeps another destination
 * waiting, and nothing is lost to any of them.
 */

import assert from "node:assert/strict";
import { assertConserved, heldFor } from "../helpers/conserved.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { hashesOf, instanceOfSize, type TestInstance } from "../helpers/instances.ts";
import { associateAccept } from "../helpers/pdus.ts";
import type { Peer } from "../helpers/peer.ts";
import { acceptAll, type NodeAssociation, ScriptedNode } from "../helpers/scripted_node.ts";
import { Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { pass, until } from "../helpers/until.ts";

/** In s: those of the daily configuration, scaled down. */
const TIMEOUTS = { connect: 1.5, association: 2, response: 3, release: 1, write_stall: 2.5 };

/** How late a time-out may be, in s. */
const LATE = 2;

/** More than the buffers of both sides of a connection hold, in bytes. */
const LARGE = 24 * 1024 * 1024;

function study(large: boolean): TestInstance[] {
  const small = Array.from({ length: 20 }, (_, n) => instanceOfSize(`1.2.826.1.${n}`, 2000));
  return large ? [instanceOfSize("1.2.826.2", LARGE), ...small] : small;
}

/** A byte now and then until the connection is gone. */
async function trickle(peer: Peer, bytes: Uint8Array): Promise<void> {
  for (const byte of bytes) {
    if (peer.ending !== "") return;
    await peer.send(Uint8Array.of(byte)).catch(() => {});
    await pass(150);
  }
}

interface BlackHole {
  readonly what: string;
  /** When the forwarder gives up, in s after `script` says so. */
  readonly after: number;
  /** What it is told to be. */
  readonly reason: RegExp;
  readonly large?: true;
  /** One association; calls `begins` when the wait begins that is to time out. */
  readonly script: (association: NodeAssociation, begins: () => void) => Promise<void>;
}

const HOLES: readonly BlackHole[] = [
  {
    what: "accepts the connection and reads nothing",
    after: TIMEOUTS.association,
    reason: /time-out, no answer to the association request/,
    script: async ({ peer }, begins) => {
      peer.stopReading();
      begins();
      await pass((TIMEOUTS.association + LATE + 1) * 1000);
    },
  },
  {
    what: "accepts the association and reads nothing behind it",
    after: TIMEOUTS.write_stall,
    reason: /time-out, peer takes no data/,
    large: true,
    script: async (association, begins) => {
      await association.accept();
      association.peer.stopReading();
      begins();
      await pass((TIMEOUTS.write_stall + LATE + 1) * 1000);
    },
  },
  {
    what: "reads the association request and never answers",
    after: TIMEOUTS.association,
    reason: /time-out, no answer to the association request/,
    script: async (association, begins) => {
      await association.request();
      begins();
      await association.peer.over;
    },
  },
  {
    what: "answers the association request a byte at a time",
    after: TIMEOUTS.association,
    reason: /time-out, no answer to the association request/,
    script: async (association, begins) => {
      const { contexts } = await association.request();
      begins();
      await trickle(association.peer, associateAccept(acceptAll(contexts)));
    },
  },
  {
    what: "takes an instance and never answers",
    after: TIMEOUTS.response,
    reason: /time-out, no answer to the request/,
    script: async (association, begins) => {
      await association.accept();
      await association.receiveStore();
      begins();
      await association.peer.over;
    },
  },
  {
    what: "answers an instance a byte at a time",
    after: TIMEOUTS.response,
    reason: /time-out, no answer to the request/,
    script: async (association, begins) => {
      await association.accept();
      const store = await association.receiveStore();
      begins();
      await trickle(association.peer, association.response(store!, 0));
    },
  },
];

for (const { what, after, reason, large = false, script } of HOLES) {
  Deno.test(`a destination that ${what} is given up after ${after} s, and the other one gets all`, async () => {
    await using scratch = await Scratch.make();
    let began: number | undefined;
    await using hole = await ScriptedNode.listen((association) =>
      script(association, () => began ??= performance.now())
    );
    await using sink = new Sink();
    await using forwarder = await Forwarder.start(scratch.path, {
      destinations: [
        nodeAt("hole", hole.port, { timeouts: TIMEOUTS }),
        nodeAt("pacs", sink.port),
      ],
      timeouts: { stop: 1 },
    });
    const sent = study(large);
    await sendAll(forwarder.port, sent);
    await sink.received(sent.length);
    await until(
      () => reason.test(forwarder.destination("hole").lastAnswer),
      20_000,
      () => `the time-out: ${JSON.stringify(forwarder.destination("hole"))}`,
    );
    const seconds = (performance.now() - began!) / 1000;
    assert.ok(seconds > after - 0.1, `given up after ${seconds} s already`);
    assert.ok(seconds < after + LATE, `given up only after ${seconds} s`);
    await until(
      () => forwarder.destination("pacs").delivered === sent.length,
      10_000,
      "all to be delivered to the other one",
    );
    await forwarder.stop();
    const hashes = hashesOf(sent);
    assertConserved(hashes, hashes.keys(), sink.arrivals, "pacs", scratch.at("spool"));
    assertConserved(hashes, hashes.keys(), [], "hole", scratch.at("spool"));
    assert.equal(heldFor("hole", scratch.at("spool")).length, sent.length);
  });
}

Deno.test("a destination whose connections are never completed is given up after 1.5 s, and the other one gets all", async () => {
  await using scratch = await Scratch.make();
  // A queue of one that nobody takes from: once it is full, the system drops what asks to connect.
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
  const { port } = listener.addr;
  const fillers: Deno.TcpConn[] = [];
  try {
    for (let full = false; !full;) {
      try {
        const signal = AbortSignal.timeout(1000);
        fillers.push(await Deno.connect({ hostname: "127.0.0.1", port, signal }));
        assert.ok(fillers.length < 100, "the queue does not fill");
      } catch (error) {
        assert.equal((error as Error).name, "TimeoutError");
        full = true;
      }
    }
    await using sink = new Sink();
    await using forwarder = await Forwarder.start(scratch.path, {
      destinations: [nodeAt("hole", port, { timeouts: TIMEOUTS }), nodeAt("pacs", sink.port)],
    });
    const sent = study(false);
    const began = performance.now();
    await sendAll(forwarder.port, sent);
    await until(
      () => forwarder.destination("hole").health.state === "down",
      20_000,
      "the time-out",
    );
    const seconds = (performance.now() - began) / 1000;
    const { health } = forwarder.destination("hole");
    assert.match(health.state === "up" ? "" : health.reason, /did not answer within 1\.5 s/);
    assert.ok(seconds > TIMEOUTS.connect - 0.1, `given up after ${seconds} s already`);
    assert.ok(seconds < TIMEOUTS.connect + LATE, `given up only after ${seconds} s`);
    await sink.received(sent.length);
    await forwarder.delivered("pacs", sent.length);
    await forwarder.stop();
    const hashes = hashesOf(sent);
    assertConserved(hashes, hashes.keys(), sink.arrivals, "pacs", scratch.at("spool"));
    assertConserved(hashes, hashes.keys(), [], "hole", scratch.at("spool"));
  } finally {
    for (const filler of fillers) filler.close();
  }
});

Deno.test("a destination that never answers a release is left after 1 s, with all delivered and nothing repeated", async () => {
  await using scratch = await Scratch.make();
  const waits: number[] = [];
  await using hole = await ScriptedNode.listen(async (association) => {
    await association.accept();
    const { peer } = association;
    // As `serve` does, but for the release.
    for (let n = 0; n < 20; n++) {
      const store = await association.receiveStore();
      await association.answer(store!, 0);
    }
    await peer.expectPdu(5);
    const began = performance.now();
    await peer.over;
    waits.push((performance.now() - began) / 1000);
  });
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [
      nodeAt("hole", hole.port, { associations: 1, timeouts: { ...TIMEOUTS, idle_release: 0.5 } }),
    ],
  });
  const sent = study(false);
  await sendAll(forwarder.port, sent);
  await forwarder.delivered("hole", sent.length);
  await until(() => waits.length > 0, 20_000, "the release to be given up");
  assert.ok(waits[0]! > TIMEOUTS.release - 0.1 && waits[0]! < TIMEOUTS.release + LATE, `${waits}`);
  assert.equal(hole.seen.length, sent.length, "each instance once");
  assert.equal(forwarder.destination("hole").health.state, "up");
  const hashes = hashesOf(sent);
  await forwarder.stop();
  assertConserved(hashes, hashes.keys(), hole.taken, "hole", scratch.at("spool"));
});

Deno.test("a destination that takes connections and closes them is down, asked at each back-off and no oftener", async () => {
  await using scratch = await Scratch.make();
  let shut = true;
  await using node = await ScriptedNode.listen(async (association) => {
    if (shut) return association.peer.close();
    await association.accept();
    await association.serve(() => 0);
  });
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", node.port)],
  }, { backOff: { firstMs: 200, mostMs: 400 }, random: () => 1 });
  const sent = study(false);
  await sendAll(forwarder.port, sent);
  await until(() => node.associations.length >= 6, 20_000, "six attempts");
  const gaps = node.associations.slice(1).map(({ at }, n) => at - node.associations[n]!.at);
  assert.ok(gaps.slice(2).every((gap) => gap > 350), `attempts ${gaps.map(Math.round)} ms apart`);
  const { health } = forwarder.destination("pacs");
  assert.equal(health.state, "down");
  assert.match(health.state === "down" ? health.reason : "", /closed the connection|reset by peer/);
  shut = false;
  await forwarder.delivered("pacs", sent.length);
  const hashes = hashesOf(sent);
  await forwarder.stop();
  assertConserved(hashes, hashes.keys(), node.taken, "pacs", scratch.at("spool"));
});
