/*
 * Many forwarders, one destination that was away for a day: when it is back they come one after another, each with one
 * session at first, and were no burden to it or to their own logs meanwhile. Time is simulated, chance is seeded.
 */

import assert from "node:assert/strict";
import { configure, reset } from "@logtape/logtape";
import { LaneGroup } from "../../src/delivery/lane_group.ts";
import { DEFAULT_BACK_OFF } from "../../src/delivery/retry.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import {
  DELIVERED,
  DOWN,
  entry,
  MemorySpool,
  ScriptedDestination,
} from "../helpers/scripted_destination.ts";

const DAY_MS = 86_400_000;

/** A repeatable source of chance (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = state + 0x6d2b79f5 >>> 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

/** One forwarder's line to the destination. */
function forwarder(clock: FakeClock, seed: number, queued: number) {
  const destination = new ScriptedDestination("pacs", () => clock.now());
  destination.unreachable = DOWN;
  destination.sessions = 4;
  const group = new LaneGroup(destination, {
    spool: new MemorySpool().asSpool(),
    ledger: { append: (_, afterwards) => afterwards?.() },
    clock,
    random: seeded(seed),
    backOff: DEFAULT_BACK_OFF,
    changed: () => {},
  });
  group.add(Array.from({ length: queued }, (_, n) => entry(`${seed}-${n}`)));
  return { destination, group };
}

async function stopAll(clock: FakeClock, groups: LaneGroup[]): Promise<void> {
  const stopped = Promise.all(groups.map((group) => group.stop(1000)));
  await clock.advance(1000);
  await stopped;
}

/** The most of these times that fall within any such span, in ms. */
function mostWithin(times: readonly number[], span: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  let most = 0;
  for (let first = 0, last = 0; last < sorted.length; last++) {
    while (sorted[last]! - sorted[first]! >= span) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

/** Pearson's chi-squared. */
function chiSquared(found: readonly number[], expected: readonly number[]): number {
  return found.reduce((sum, count, n) => sum + (count - expected[n]!) ** 2 / expected[n]!, 0);
}

Deno.test("a destination back after a day, 5 forwarders with 10,000 instances each: asked within 300 s, met one session at a time, served in full", async () => {
  const clock = new FakeClock();
  let lines = 0;
  await configure({
    reset: true,
    sinks: { count: () => lines++ },
    loggers: [
      { category: "dicom-forwarder", sinks: ["count"], lowestLevel: "info" },
      { category: ["logtape", "meta"], sinks: [], lowestLevel: "warning" },
    ],
  });
  try {
    const all = [1, 2, 3, 4, 5].map((seed) => forwarder(clock, seed, 10_000));
    await clock.advance(DAY_MS);
    assert.ok(lines < 5 * 200, `${lines} lines in a day`);
    for (const { destination } of all) {
      const attempts = destination.opened.length;
      assert.ok(attempts > DAY_MS / 300_000 && attempts < 1000, `${attempts} attempts in a day`);
      // Full jitter, so a few short waits may follow each other; half a second is the shortest.
      assert.ok(mostWithin(destination.opened, 1000) <= 3);
      destination.opened.length = 0;
      assert.equal(destination.attempted.length, 0);
    }

    const back = clock.now();
    // Sessions open, at each moment that a session was opened.
    const steps = all.map(({ destination }) => {
      const open: number[] = [];
      destination.unreachable = undefined;
      destination.answer = async () => {
        await new Promise<void>((resolve) => clock.after(50, resolve));
        return DELIVERED;
      };
      const opens = destination.open.bind(destination);
      destination.open = async () => {
        const session = await opens();
        open.push(destination.openNow);
        return session;
      };
      return open;
    });
    await clock.advance(600_000);
    for (const [n, { destination, group }] of all.entries()) {
      assert.ok(destination.opened[0]! - back <= 300_000, "asked within 300 s");
      assert.ok(mostWithin(destination.opened, 1000) <= 2, "two connections a second at most");
      assert.deepEqual(steps[n]!.slice(0, 4), [1, 2, 3, 4], "one more at a time");
      assert.equal(destination.mostOpen, 4);
      assert.equal(destination.delivered.length, 10_000);
      assert.equal(new Set(destination.delivered).size, 10_000);
      assert.equal(group.snapshot().waiting, 0);
    }
    await stopAll(clock, all.map(({ group }) => group));
  } finally {
    await reset();
  }
});

Deno.test("the probes of 100 forwarders that lost their destination in one moment spread evenly over time", async () => {
  const clock = new FakeClock();
  const all = Array.from({ length: 100 }, (_, n) => forwarder(clock, n + 1, 1));
  const HOUR_MS = 3_600_000;
  await clock.advance(2 * HOUR_MS);
  const from = clock.now();
  await clock.advance(HOUR_MS);
  const back = clock.now();
  const probes = all.flatMap(({ destination }) => destination.opened).filter((at) => at > from);
  // A minute each: 59 degrees of freedom, 98.3 is exceeded by chance once in 1,000 times.
  const minutes = new Array<number>(60).fill(0);
  for (const at of probes) minutes[Math.min(59, Math.floor((at - from) / 60_000))]!++;
  const even = new Array<number>(60).fill(probes.length / 60);
  assert.ok(probes.length > 2000 && probes.length < 3000, `${probes.length} probes in an hour`);
  assert.ok(chiSquared(minutes, even) < 98.3, `${minutes}`);
  assert.ok(mostWithin(probes, 1000) <= 8, `${mostWithin(probes, 1000)} in one second`);

  // The first one after the return: what is left of a wait that is even between 0 and 300 s falls off evenly.
  for (const { destination } of all) {
    destination.opened.length = 0;
    destination.unreachable = undefined;
  }
  await clock.advance(300_000);
  const first = all.map(({ destination }) => destination.opened[0]! - back);
  assert.ok(first.every((wait) => wait <= 300_000), "each within 300 s");
  const found = new Array<number>(5).fill(0);
  for (const wait of first) found[Math.min(4, Math.floor(wait / 60_000))]!++;
  // 4 degrees of freedom: 18.5 is exceeded by chance once in 1,000 times.
  assert.ok(chiSquared(found, [36, 28, 20, 12, 4]) < 18.5, `${found}`);
  assert.ok(mostWithin(first, 1000) <= 6, `${mostWithin(first, 1000)} come back in one second`);
  await stopAll(clock, all.map(({ group }) => group));
});
