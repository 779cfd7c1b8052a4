/* From measurements to what the benchmark says: medians, ratios to the floors of the same load, goals. */

import assert from "node:assert/strict";
import type { Case, Measurement } from "../../bench/cases.ts";
import { verdicts } from "../../bench/goals.ts";
import { interleaved, type Kind } from "../../bench/load.ts";
import { casesOf } from "../../bench/matrix.ts";
import { median, results, resultTable, type Series } from "../../bench/report.ts";

function series(
  kind: Kind,
  one: Partial<Case> & Pick<Case, "subject" | "work">,
  ...walls: number[]
): Series {
  const rounds: Measurement[] = walls.map((wallS, n) => ({
    wallS,
    cpuS: wallS / 2,
    peakRssBytes: (100 + n) * 1_000_000,
  }));
  const load = { kind, name: kind, instances: 1000, bytes: 1 };
  return { load, case: { senders: 1, destinations: 1, ...one }, rounds };
}

function verdictOf(all: readonly Series[], goal: RegExp) {
  const found = verdicts(results(all)).filter((one) => goal.test(one.goal));
  assert.equal(found.length, 1, `${goal} names ${found.length} goals`);
  return found[0]!;
}

Deno.test("the median is the middle value, whatever the order, or between the middle two", () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([10, 2, 4, 100]), 7);
  assert.throws(() => median([]), RangeError);
});

Deno.test("a ratio is to the floor of the same load: of the wire with as many senders, of the disk with one", () => {
  const all = results([
    series("slices", { subject: "sync", work: "floor" }, 1, 2, 30),
    series("small", { subject: "sync", work: "floor" }, 100),
    series("slices", { subject: "straight", work: "floor" }, 50),
    series("slices", { subject: "straight", work: "floor", senders: 4 }, 4),
    series("slices", { subject: "forwarder", work: "receive", senders: 4 }, 3, 8, 2, 12, 9),
    series("slices", { subject: "forwarder", work: "receive", senders: 16 }, 6),
  ]);
  assert.equal(all[4]!.wallS, 8);
  assert.equal(all[4]!.timesSync, 4);
  assert.equal(all[4]!.timesStraight, 2);
  assert.deepEqual(all[4]!.wallRangeS, [2, 12]);
  assert.equal(all[4]!.cpuS, 4);
  assert.equal(all[4]!.peakRssBytes, 104_000_000, "memory is the most of all rounds");
  assert.equal(all[5]!.timesStraight, null, "no floor of the wire with 16 senders was measured");
});

Deno.test("a line of the table tells how many rounds its figures are of", () => {
  const [head, line] = resultTable(results([
    series("slices", { subject: "orthanc", work: "receive" }, 5, 6, 7),
  ]));
  const column = head!.indexOf("rounds");
  assert.match(line!.slice(column), /^3 +6\.00 +5\.00-7\.00 +6\.00 +- +- +3\.00/);
});

Deno.test("a goal is met up to its limit and not beyond", () => {
  const floor = series("slices", { subject: "sync", work: "floor" }, 2);
  const receive = (wall: number) =>
    series("slices", { subject: "forwarder", work: "receive" }, wall);
  const goal = /one sender, beside sync/;
  assert.deepEqual(
    [verdictOf([floor, receive(3)], goal).met, verdictOf([floor, receive(3.02)], goal).met],
    [true, false],
  );
  assert.equal(verdictOf([floor, receive(3.02)], goal).measured, "1.51 x");
});

Deno.test("faster than a peer means its time over ours", () => {
  const orthanc = series("small", { subject: "orthanc", work: "end-to-end" }, 24);
  const ours = (wall: number) =>
    series("small", { subject: "forwarder", work: "end-to-end" }, wall);
  const goal = /12 KB, beside orthanc/;
  assert.equal(verdictOf([orthanc, ours(2)], goal).met, true);
  assert.equal(verdictOf([orthanc, ours(2.1)], goal).met, false);
  assert.equal(verdictOf([orthanc, ours(2.1)], goal).measured, "11.4 x faster");
});

Deno.test("a goal whose figures were not measured is neither met nor given a figure", () => {
  for (const { measured, met } of verdicts([])) assert.deepEqual([measured, met], ["", false]);
});

Deno.test("the goal for memory looks at our most in any case, and at nobody else's", () => {
  const goal = /^Peak RSS/;
  const hungry = series("small", { subject: "orthanc", work: "receive" }, ...Array(90).fill(1));
  const ours = (rounds: number) =>
    series("small", { subject: "forwarder", work: "receive" }, ...Array(rounds).fill(1));
  assert.equal(verdictOf([hungry, ours(51)], goal).met, true, "150 MB");
  assert.equal(verdictOf([hungry, ours(51), ours(52)], goal).met, false, "151 MB");
});

Deno.test("every figure that a goal needs is measured", () => {
  const all = (["slices", "small", "long", "mixed"] as const).flatMap((kind) =>
    casesOf(kind).map((one) => series(kind, one, 1))
  );
  for (const { goal, measured } of verdicts(results(all))) assert.notEqual(measured, "", goal);
});

Deno.test("a mixed load has each kind of image spread over the whole", () => {
  const mixed = interleaved([["a", "a"], ["b", "b", "b", "b"], ["c"]]);
  assert.equal(mixed.join(""), "babcbab");
});
