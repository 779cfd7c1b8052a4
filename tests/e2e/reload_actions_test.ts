/*
 * Whatever comes together of what people do to the queue, a destination that goes and comes back, pauses and restarts: what
 * was answered with Success arrives at each destination it was meant for, or lies where a person sees it.
 */

import assert from "node:assert/strict";
import { reconcile } from "../../src/ledger/reconcile.ts";
import { realFileSystem } from "../../src/spool/file_system.ts";
import { listItems } from "../../src/spool/inspect.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { instanceOf } from "../helpers/instances.ts";
import { Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { pass } from "../helpers/until.ts";
import { between, randomFrom } from "../crash/random.ts";

const BY = "test";
const COUNT = 300;
const NAMES = ["one", "two", "archive"];

for (const [forwarding, seed] of [["at once", 11], ["when a study is quiet", 12]] as const) {
  Deno.test(`nothing is lost or sent elsewhere while a destination goes and comes back and people act, forwarding ${forwarding}`, async () => {
    await using scratch = await Scratch.make();
    const random = randomFrom(seed);
    const slow = () => pass(20).then(() => random() < 0.2 ? 0xa900 : 0);
    await using one = new Sink({ answer: slow });
    await using two = new Sink({ answer: slow });
    const settings = (withTwo: boolean, quiet = 1) => ({
      store_locally: true,
      retry_attempts: 0,
      ...(forwarding === "at once"
        ? {}
        : { forward_immediately: quiet === 0, study_quiet_seconds: 1 }),
      destinations: [
        nodeAt("one", one.port, { associations: 2 }),
        ...(withTwo ? [nodeAt("two", two.port)] : []),
      ],
    });
    let forwarder = await Forwarder.start(scratch.path, settings(true));
    const uids = Array.from({ length: COUNT }, (_, n) => `1.2.3.${n % 5}.${n}`);
    try {
      await sendAll(
        forwarder.port,
        uids.map((sopInstanceUid, n) => instanceOf({ sopInstanceUid, studyUid: `1.2.3.${n % 5}` })),
      );
      let hasTwo = true;
      const until = Date.now() + 5000;
      const acts: Promise<unknown>[] = [];
      const act = (...what: Parameters<typeof forwarder.queue.act>) =>
        acts.push(forwarder.queue.act(...what));
      while (Date.now() < until) {
        const destination = NAMES[between(random, 0, 2)]!;
        const draw = random();
        if (draw < 0.25) act("hold", { state: "queued", destination }, BY);
        else if (draw < 0.5) act("release", { state: "held", destination }, BY);
        else if (draw < 0.65) act("retry", { state: "failed", destination }, BY);
        else if (draw < 0.7) act("retry", { state: "queued", destination }, BY);
        else if (draw < 0.9) {
          hasTwo = !hasTwo;
          acts.push(forwarder.reload(settings(hasTwo, between(random, 0, 1))));
        } else if (draw < 0.94) forwarder.daemon.pause(destination, BY);
        else if (draw < 0.98) forwarder.daemon.resume(destination, BY);
        else {
          await forwarder.stop();
          await Promise.all(acts.splice(0));
          forwarder = await Forwarder.start(scratch.path, settings(hasTwo));
        }
        await pass(between(random, 0, 20));
      }
      await Promise.all(acts);
      await forwarder.reload(settings(true));
      for (let n = 0; [...listItems(realFileSystem, scratch.at("spool"))].length > 0; n++) {
        assert.ok(n < 100, "the queue is empty in the end");
        for (const destination of NAMES) {
          forwarder.daemon.resume(destination, BY);
          await forwarder.queue.act("release", { state: "held", destination }, BY);
          await forwarder.queue.act("retry", { state: "failed", destination }, BY);
          await forwarder.queue.act("retry", { state: "queued", destination }, BY);
        }
        await pass(100);
      }
    } finally {
      await forwarder.stop();
    }
    for (const sink of [one, two]) {
      const taken = sink.arrivals.filter(({ status }) => status === 0);
      assert.deepEqual(
        [...new Set(taken.map((each) => each.sopInstanceUid))].sort(),
        uids.toSorted(),
      );
      assert.equal(taken.length, COUNT, "each once");
    }
    const { missing, destinations } = await reconcile(realFileSystem, {
      spoolDirectory: scratch.at("spool"),
      ledgerDirectory: scratch.at("spool", "ledger"),
      pause: () => Promise.resolve(),
    });
    assert.deepEqual(missing, []);
    for (const name of NAMES) {
      const { accepted, delivered } = destinations.get(name)!;
      assert.deepEqual({ name, accepted, delivered }, { name, accepted: COUNT, delivered: COUNT });
    }
  });
}
