/*
 * Latency of the last minute: median and 99th percentile near enough, and nothing of what is older.
 */

import assert from "node:assert/strict";
import { RecentLatency } from "../../src/activity/latency.ts";

const START = 1_763_900_000_000;

function near(actual: number | null, wanted: number): void {
  assert.ok(actual !== null && Math.abs(actual / wanted - 1) <= 0.04, `${actual} is not ${wanted}`);
}

Deno.test("median and 99th percentile are within 4 % from a hundredth of a ms to a minute", () => {
  for (const scale of [0.05, 1, 7.3, 400, 9_000]) {
    const latency = new RecentLatency(START);
    for (let n = 1; n <= 1000; n++) latency.add(START, n / 500 * scale);
    const { median, p99 } = latency.read(START);
    near(median, scale);
    near(p99, scale * 1.98);
  }
});

Deno.test("one slow sync among two hundred moves neither much; three do move the 99th percentile", () => {
  const latency = new RecentLatency(START);
  for (let n = 0; n < 200; n++) latency.add(START, 1);
  latency.add(START, 900);
  near(latency.read(START).p99, 1);
  for (let n = 0; n < 2; n++) latency.add(START, 900);
  near(latency.read(START).median, 1);
  near(latency.read(START).p99, 900);
});

Deno.test("what is older than a minute counts no more, and nothing is null", () => {
  const latency = new RecentLatency(START);
  assert.deepEqual(latency.read(START), { median: null, p99: null });
  latency.add(START, 500);
  for (let s = 5; s <= 55; s += 5) latency.add(START + s * 1000, 1);
  near(latency.read(START + 55_000).p99, 500);
  near(latency.read(START + 60_000).p99, 1);
  assert.deepEqual(latency.read(START + 180_000), { median: null, p99: null });
  latency.add(START + 180_000, 0);
  assert.ok(latency.read(START + 180_000).median! <= 0.01);
  assert.deepEqual(latency.read(START), { median: null, p99: null }, "the clock was set back");
});
