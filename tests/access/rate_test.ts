/*
 * How often something may happen: what passes, what does not, and what it costs to keep count.
 */

import assert from "node:assert/strict";
import { RateLimit } from "../../src/access/rate.ts";
import { Repeats } from "../../src/access/repeats.ts";

/** How many of so many tries pass. */
function passed(limit: RateLimit, key: string, tries: number): number {
  let count = 0;
  for (let n = 0; n < tries; n++) if (limit.take(key)) count++;
  return count;
}

Deno.test("a minute's worth passes at once, and after that as many as the minute brings", () => {
  let now = 1000;
  const limit = new RateLimit({ perKey: 60, inAll: 0 }, () => now);
  assert.equal(passed(limit, "a", 1000), 60);
  now += 5000;
  assert.equal(passed(limit, "a", 1000), 5);
  now += 3_600_000;
  assert.equal(passed(limit, "a", 1000), 60);
});

Deno.test("one who floods uses up its own share and not that of the others", () => {
  const limit = new RateLimit({ perKey: 10, inAll: 25 }, () => 0);
  assert.equal(passed(limit, "flood", 100_000), 10);
  assert.equal(passed(limit, "other", 100), 10);
  assert.equal(passed(limit, "third", 100), 5);
});

Deno.test("no limit is no limit, and one set later counts from full", () => {
  const limit = new RateLimit({ perKey: 0, inAll: 0 }, () => 0);
  assert.equal(passed(limit, "a", 5000), 5000);
  assert.equal(limit.keys, 0);
  limit.configure({ perKey: 3, inAll: 5 });
  assert.equal(passed(limit, "a", 100), 3);
  assert.equal(passed(limit, "b", 100), 2);
});

Deno.test("a lower rate holds at once", () => {
  const limit = new RateLimit({ perKey: 100, inAll: 0 }, () => 0);
  assert.equal(passed(limit, "a", 1), 1);
  limit.configure({ perKey: 5, inAll: 0 });
  assert.equal(passed(limit, "a", 100), 5);
});

Deno.test("a million addresses take no more memory than a few thousand, and the limit of all holds", () => {
  const limit = new RateLimit({ perKey: 10, inAll: 1200 }, () => 0, 1000);
  let count = 0;
  for (let n = 0; n < 1_000_000; n++) if (limit.take(`2001:db8:${n}`)) count++;
  assert.equal(count, 1200);
  assert.equal(limit.keys, 1000);
});

Deno.test("of what happens over and over, the first is told and the rest is counted, minute by minute", () => {
  let now = 0;
  const repeats = new Repeats<string>(() => now);
  assert.equal(repeats.take("a", "1"), true);
  for (let n = 2; n <= 100; n++) assert.equal(repeats.take("a", String(n)), false);
  assert.equal(repeats.take("b", "other"), true);
  assert.deepEqual(repeats.due(), []);
  now = 60_000;
  assert.deepEqual(repeats.due(), [{ count: 99, last: "100" }]);
  // It went on, and so its next minute has begun: nothing of that is told one by one.
  assert.equal(repeats.take("a", "101"), false);
  now = 120_000;
  assert.deepEqual(repeats.due(), [{ count: 1, last: "101" }]);
  now = 180_000;
  assert.deepEqual(repeats.due(), []);
  assert.equal(repeats.waits, false);
  assert.equal(repeats.take("a", "again"), true);
});

Deno.test("a flood of kinds is told as one, and no count is lost", () => {
  let now = 0;
  const repeats = new Repeats<number>(() => now);
  let told = 0;
  for (let n = 0; n < 10_000; n++) if (repeats.take(`address ${n}`, n)) told++;
  now = 60_000;
  const untold = repeats.due().reduce((sum, { count }) => sum + count, 0);
  assert.equal(told + untold, 10_000);
  assert.ok(told < 600, String(told));
});

Deno.test("at the end what waits is told before its minute is over", () => {
  const repeats = new Repeats<string>(() => 0);
  repeats.take("a", "1");
  repeats.take("a", "2");
  assert.deepEqual(repeats.due(true), [{ count: 1, last: "2" }]);
});
