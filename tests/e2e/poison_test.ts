/*
 * One instance that a destination cannot bear, among many good ones: the good ones all arrive, in few attempts more than
 * without it, the bad one ends in failed/ after its tries, and another destination knows nothing of it.
 */

import assert from "node:assert/strict";
import { assertConserved, heldFor } from "../helpers/conserved.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { hashesOf, instanceOfSize } from "../helpers/instances.ts";
import { type Deed, ScriptedNode } from "../helpers/scripted_node.ts";
import { Scratch } from "../helpers/scratch.ts";
import { Sender } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { until } from "../helpers/until.ts";

/** Sent in one go, the poison among them. */
const GOOD = 300;

const POISON = "1.2.826.666";

interface Kind {
  readonly what: string;
  readonly deed: Deed;
  readonly reason: RegExp;
  /**
   * Times it may be sent in all. Four count; where nothing comes back, one sent over an association that had been idle
   * does not, for the destination may have left before.
   */
  readonly most: number;
}

const KINDS: readonly Kind[] = [
  { what: "answers C001", deed: 0xc001, reason: /Cannot understand \(C001\)/, most: 4 },
  { what: "aborts on", deed: "abort", reason: /aborted by the peer/, most: 8 },
  {
    what: "resets the connection on",
    deed: "reset",
    reason: /closed the connection|reset by peer|broken pipe/,
    most: 8,
  },
  { what: "never answers", deed: "hang", reason: /time-out, no answer/, most: 8 },
];

for (const { what, deed, reason, most } of KINDS) {
  Deno.test(`one instance of ${GOOD} that its destination ${what}: the others arrive, it is kept as failed`, async () => {
    await using scratch = await Scratch.make();
    await using node = await ScriptedNode.listen(async (association) => {
      await association.accept();
      await association.serve(({ sopInstanceUid }) => sopInstanceUid === POISON ? deed : 0);
    });
    await using sink = new Sink();
    await using forwarder = await Forwarder.start(scratch.path, {
      destinations: [
        nodeAt("node", node.port, { timeouts: { response: 1 } }),
        nodeAt("other", sink.port),
      ],
    });
    const sent = Array.from(
      { length: GOOD },
      (_, n) => instanceOfSize(n === 50 ? POISON : `1.2.826.1.${n}`, 2000),
    );
    {
      await using sender = await Sender.open(forwarder.port);
      for (const instance of sent) assert.equal(await sender.send(instance), 0);
      // A modality goes on sending: what passes meanwhile shows whose fault it is.
      await until(
        async () => {
          if (forwarder.destination("node").failed === 1) return true;
          const more = instanceOfSize(`1.2.826.2.${sent.length}`, 2000);
          sent.push(more);
          assert.equal(await sender.send(more), 0);
          return false;
        },
        45_000,
        () => `it to be given up: ${JSON.stringify(forwarder.destination("node"))}`,
      );
    }
    await forwarder.delivered("node", sent.length - 1);
    await forwarder.delivered("other", sent.length);
    assert.deepEqual(forwarder.destination("node").failed, 1);
    assert.equal(forwarder.destination("node").health.state, "up");

    await forwarder.stop();
    const spool = scratch.at("spool");
    const [kept, more] = heldFor("node", spool);
    assert.equal(kept?.sopInstanceUid, POISON);
    assert.equal(more, undefined);
    const told = JSON.parse(Deno.readTextFileSync(kept!.path.replace(/\.dcm$/, ".json")));
    assert.match(told.reason, reason);
    assert.equal(told.tries, 4);
    const hashes = hashesOf(sent);
    assertConserved(hashes, hashes.keys(), node.taken, "node", spool);
    assertConserved(hashes, hashes.keys(), sink.arrivals, "other", spool);
    const times = node.timesSeen(POISON);
    assert.ok(times >= 4 && times <= most, `the poison was sent ${times} times`);
    // 95 % of the attempts are those that a clean line would have needed.
    const attempts = node.seen.length;
    assert.ok(attempts * 0.95 < sent.length, `${attempts} attempts for ${sent.length} instances`);
    assert.equal(node.taken.length, sent.length - 1, "each good one once");
    assert.equal(sink.arrivals.length, sent.length, "at the other destination, too");
  });
}
