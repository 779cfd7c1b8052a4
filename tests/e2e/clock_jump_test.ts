/*
 * A wall clock that jumps by hours and days while instances come in, wait and are delivered: no name comes twice, nothing
 * is lost, and nothing waits for the clock to come round again.
 */

import assert from "node:assert/strict";
import { generateStudy } from "../../src/cli/demo_study.ts";
import { DEFAULT_BACK_OFF } from "../../src/delivery/retry.ts";
import { realFileSystem } from "../../src/spool/file_system.ts";
import { listItems } from "../../src/spool/inspect.ts";
import { freePort } from "../helpers/child.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { hashesOf } from "../helpers/instances.ts";
import { Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { until } from "../helpers/until.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const PER_JUMP = 5;

for (
  const [name, jumps, restart] of [
    ["back by an hour and by days", [-HOUR_MS, -3 * DAY_MS], false],
    ["forward by hours and by a year", [7 * HOUR_MS, 365 * DAY_MS], false],
    ["forward by a day and back by two", [DAY_MS, -2 * DAY_MS], false],
    ["back by days, over a start", [-2 * DAY_MS, -DAY_MS], true],
  ] as const
) {
  Deno.test(`a clock that is set ${name} while a destination is down loses nothing and delays nothing`, async () => {
    await using scratch = await Scratch.make();
    const clock = new FakeClock();
    const port = freePort();
    const settings = { destinations: [nodeAt("pacs", port)] };
    const options = { clock, backOff: DEFAULT_BACK_OFF, random: () => 1 };
    const study = [...generateStudy({ instances: 3 * PER_JUMP, rows: 32, columns: 32, seed: 51 })];
    let forwarder = await Forwarder.start(scratch.path, settings, options);
    try {
      const isDown = () => forwarder.destination("pacs").health.state === "down";
      await sendAll(forwarder.port, study.slice(0, PER_JUMP));
      await until(isDown, 10_000, "the destination to be found down");
      for (const [index, jump] of jumps.entries()) {
        clock.correct(jump);
        const from = (index + 1) * PER_JUMP;
        await sendAll(forwarder.port, study.slice(from, from + PER_JUMP));
      }
      const names = () => [...listItems(realFileSystem, scratch.at("spool"))].map(({ id }) => id);
      await until(() => names().length === study.length, 5000, "all to be in the queue");
      assert.equal(new Set(names()).size, study.length);
      if (restart) {
        await forwarder.stop();
        clock.correct(-DAY_MS);
        forwarder = await Forwarder.start(scratch.path, settings, options);
        await until(isDown, 10_000, "the destination to be found down again");
      }
      await using sink = new Sink({ port });
      // The longest that an attempt is ever put off.
      await clock.advance(DEFAULT_BACK_OFF.mostMs);
      await sink.received(study.length, 20_000);
      const arrived = sink.arrivals.map((one) => [one.sopInstanceUid, one.hash] as const);
      assert.deepEqual(new Map(arrived), hashesOf(study));
    } finally {
      // Idle associations and the limit of the stop wait for the clock.
      const stopped = forwarder.stop();
      await clock.advance(HOUR_MS);
      await stopped;
    }
  });
}

Deno.test("a study that is held while the clock is set back goes when it is quiet, whole", async () => {
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  const clock = new FakeClock();
  const study = [...generateStudy({ instances: 6, rows: 32, columns: 32, seed: 52 })];
  const forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", sink.port)],
    forward_immediately: false,
    study_quiet_seconds: 60,
  }, { clock });
  try {
    await sendAll(forwarder.port, study.slice(0, 3));
    clock.correct(-5 * HOUR_MS);
    await sendAll(forwarder.port, study.slice(3));
    assert.equal(sink.arrivals.length, 0);
    await clock.advance(130_000);
    await sink.received(study.length, 20_000);
    assert.equal(sink.uids().size, study.length);
  } finally {
    const stopped = forwarder.stop();
    await clock.advance(HOUR_MS);
    await stopped;
  }
});
