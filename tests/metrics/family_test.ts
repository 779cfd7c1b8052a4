/*
 * Metrics count what they are told, in bounded memory, and read as Prometheus reads them, whatever a label holds.
 */

import assert from "node:assert/strict";
import { Counter, gauge, Histogram, OTHER } from "../../src/metrics/family.ts";
import { expose } from "../../src/metrics/exposition.ts";
import { readExposition, valueOf } from "../helpers/exposition.ts";

Deno.test("a counter without labels is there, at nothing, before anything happens", () => {
  const counter = new Counter("a_total", "Help.");
  assert.equal(valueOf(readExposition(expose([counter])), "a_total"), 0);
  counter.of().add();
  counter.of().add(2);
  assert.equal(valueOf(readExposition(expose([counter])), "a_total"), 3);
});

Deno.test("label values beyond the limit are counted together, and no count is lost", () => {
  const counter = new Counter("a_total", "Help.", ["from"], 3);
  for (let n = 0; n < 1000; n++) counter.of(`AE${n % 10}`).add();
  const samples = counter.samples();
  assert.deepEqual(samples.map(({ labels }) => labels.from), ["AE0", "AE1", "AE2", OTHER]);
  assert.deepEqual(samples.map(({ value }) => value), [100, 100, 100, 700]);
});

Deno.test("with two labels a combination beyond the limit is other in both", () => {
  const counter = new Counter("a_total", "Help.", ["a", "b"], 1);
  counter.of("x", "y").add();
  counter.of("x", "z").add();
  counter.of("v", "w").add();
  assert.deepEqual(counter.samples(), [
    { labels: { a: "x", b: "y" }, value: 1 },
    { labels: { a: OTHER, b: OTHER }, value: 2 },
  ]);
});

Deno.test("a histogram's buckets are cumulative and a value on a bound is within it", () => {
  const histogram = new Histogram("a_seconds", "Help.", [0.1, 1, 10], ["to"]);
  for (const value of [0.05, 0.1, 0.5, 10, 11]) histogram.of("pacs").observe(value);
  const read = readExposition(expose([histogram]));
  const bucket = (le: string) => valueOf(read, "a_seconds_bucket", { to: "pacs", le });
  assert.deepEqual(["0.1", "1", "10", "+Inf"].map(bucket), [2, 3, 4, 5]);
  assert.equal(valueOf(read, "a_seconds_sum", { to: "pacs" }), 21.65);
  assert.equal(valueOf(read, "a_seconds_count", { to: "pacs" }), 5);
});

const HOSTILE = [
  'quote" and } and { and ,',
  "line\nfeed",
  "carriage\rreturn",
  "back\\slash",
  'x"} 1\nevil_total{a="b"} 666',
  "\u2028\u202e",
  "",
  " ",
  "ÄÖÜ\xff",
];

Deno.test("no value of a label breaks the format, and each reads back as it was", () => {
  const counter = new Counter("a_total", "Help.", ["from"]);
  for (const [n, value] of HOSTILE.entries()) counter.of(value).add(n + 1);
  const gauges = gauge("b", "Help.", HOSTILE.map((name) => [{ name }, 1] as const));
  const read = readExposition(expose([counter, gauges]));
  assert.deepEqual([...read.keys()], ["a_total", "b"]);
  for (const [n, from] of HOSTILE.entries()) {
    assert.equal(valueOf(read, "a_total", { from }), n + 1);
  }
});
