/*
 * Throughput: each second's own, ten minutes of it, through clocks set forward and back.
 */

import assert from "node:assert/strict";
import { SECONDS, ThroughputRings } from "../../src/activity/throughput.ts";

const START = 1_763_900_000_250;

Deno.test("each value stands at its second, and the second under way is not told", () => {
  const rings = new ThroughputRings(START);
  rings.received(START, 100);
  rings.received(START + 500, 50);
  rings.delivered(START + 1000, 7);
  rings.received(START + 3000, 1);
  const read = rings.read(START + 3000);
  assert.equal(read.until, 1_763_900_003_000);
  assert.equal(read.step, 1000);
  assert.equal(read.receivedInstances.length, SECONDS);
  assert.deepEqual(read.receivedInstances.slice(-4), [0, 2, 0, 0]);
  assert.deepEqual(read.receivedBytes.slice(-4), [0, 150, 0, 0]);
  assert.deepEqual(read.deliveredInstances.slice(-4), [0, 0, 1, 0]);
  assert.deepEqual(read.deliveredBytes.slice(-4), [0, 0, 7, 0]);
  assert.equal(rings.read(START + 4000).receivedInstances.at(-1), 1);
});

Deno.test("after ten minutes a value is gone, after a quiet hour all are", () => {
  const rings = new ThroughputRings(START);
  rings.received(START, 1);
  const sum = (now: number) => rings.read(now).receivedInstances.reduce((a, b) => a + b, 0);
  assert.equal(sum(START + SECONDS * 1000), 1);
  assert.equal(rings.read(START + SECONDS * 1000).receivedInstances[0], 1);
  assert.equal(sum(START + (SECONDS + 1) * 1000), 0);
  rings.received(START + 3_600_000, 1);
  assert.equal(sum(START + 3_601_000), 1);
  assert.equal(sum(START + 7_200_000), 0);
});

Deno.test("a clock set back by an hour begins anew, by a second nothing is lost", () => {
  const rings = new ThroughputRings(START);
  const sum = (now: number) => rings.read(now).receivedInstances.reduce((a, b) => a + b, 0);
  rings.received(START + 5000, 1);
  rings.received(START + 4000, 1);
  assert.equal(sum(START + 6000), 2);
  rings.received(START - 3_600_000, 1);
  assert.equal(sum(START - 3_599_000), 1);
});
