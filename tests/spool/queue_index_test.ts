/*
 * The index of what is in the spool: counts, order, pages, whatever comes, goes and comes back.
 */

import assert from "node:assert/strict";
import { Entry } from "../../src/spool/entry.ts";
import { formatBase } from "../../src/spool/entry_name.ts";
import { compareBases } from "../../src/spool/in_order.ts";
import { type Item, type ItemFilter, QueueIndex } from "../../src/spool/queue_index.ts";
import { seededRandom } from "../crash/crash_states.ts";

function base(n: number, study = 7): string {
  const receivedMs = 1_763_900_000_000 + Math.floor(n / 3);
  return formatBase({ receivedMs, sequence: 999_990 + n, studyHash: study, crc32: n });
}

function entry(name: string, destinations: readonly string[]): Entry {
  return new Entry(
    name,
    destinations.map((destination) => ({ destination, tries: 0 })),
    `/${name}`,
  );
}

const textOf = ({ base, destination, state }: Item) => `${base} ${destination} ${state}`;

/** All pages, one after the other. */
function paged(index: QueueIndex, filter: ItemFilter, most: number): string[] {
  const found: Item[] = [];
  for (;;) {
    const page = index.page(filter, found.at(-1), most);
    found.push(...page);
    if (page.length < most) return found.map(textOf);
  }
}

Deno.test("sequences of more digits come later in the same millisecond, and other years' times sort by number", () => {
  assert.ok(compareBases(base(9), base(10)) < 0, "999999 before 1000000");
  assert.ok(compareBases(base(10), base(9)) > 0);
  const early = formatBase({ receivedMs: 5, sequence: 9, studyHash: 1, crc32: 1 });
  assert.ok(compareBases(early, base(0)) < 0);
  assert.equal(compareBases(base(3), base(3)), 0);
});

Deno.test("counts and pages are those of a plain list, whatever comes and goes", () => {
  const random = seededRandom(3);
  const index = new QueueIndex();
  const entries: Entry[] = [];
  const apart = new Map<string, Item>();
  const numbers = Array.from({ length: 400 }, (_, n) => n).sort(() => random() - 0.5);
  while (numbers.length > 0) {
    const some = numbers.splice(0, 1 + Math.floor(random() * 60));
    // What is asked of one study is remembered: it must not go stale.
    index.total({ study: "00000003" });
    const came = some.map((n) => entry(base(n, n % 5), random() < 0.5 ? ["a", "b"] : ["b"]));
    index.add(came);
    entries.push(...came);
    for (const one of entries) {
      if (!one.queued || random() > 0.2) continue;
      const before = one.waiting;
      const { destination } = before[0]!;
      one.waiting = before.slice(1);
      one.queued = one.waiting.length > 0;
      index.changed(one.base, before, one.waiting);
      if (random() < 0.3) continue;
      const state = random() < 0.5 ? "held" : "failed";
      const item = { base: one.base, destination, state, entry: undefined } as const;
      index.setApart(state, destination, [one.base]);
      apart.set(textOf(item), item);
    }
    for (const [key, { state, destination, base }] of apart) {
      if (random() > 0.1 || state === "queued") continue;
      index.tookBack(state, destination, [base]);
      apart.delete(key);
    }
  }
  const all: Item[] = [
    ...apart.values(),
    ...entries.filter((one) => one.queued).flatMap((one) =>
      one.waiting.map(({ destination }) => ({
        base: one.base,
        destination,
        state: "queued" as const,
        entry: one,
      }))
    ),
  ].sort((one, other) =>
    compareBases(one.base, other.base) || (one.destination < other.destination ? -1 : 1)
  );
  assert.ok(all.length > 100);
  for (const destination of [undefined, "a", "b", "none"]) {
    for (const state of [undefined, "queued", "failed", "held"] as const) {
      for (const study of [undefined, "00000003", "00000009"]) {
        const wanted = all.filter((item) =>
          (destination === undefined || item.destination === destination) &&
          (state === undefined || item.state === state) &&
          (study === undefined || item.base.slice(-17, -9) === study)
        ).map(textOf);
        const filter = { destination, state, study };
        assert.equal(index.total(filter), wanted.length, JSON.stringify(filter));
        assert.deepEqual(paged(index, filter, 7), wanted, JSON.stringify(filter));
        assert.deepEqual([...index.all(filter)].map(textOf).sort(), [...wanted].sort());
      }
    }
  }
  const oldest = all.find((item) => item.state === "queued" && item.destination === "a");
  assert.equal(index.oldest("a"), Number(oldest!.base.slice(0, 13)));
  assert.equal(index.oldest("none"), undefined);
});

Deno.test("the oldest that waits is told when it goes, and when an older one comes back", () => {
  const index = new QueueIndex();
  const [first, second] = [entry(base(30), ["a"]), entry(base(60), ["a"])];
  index.add([first, second]);
  assert.equal(index.oldest("a"), first.receivedMs);
  const before = first.waiting;
  first.waiting = [];
  first.queued = false;
  index.changed(first.base, before, []);
  assert.equal(index.oldest("a"), second.receivedMs);
  const back = entry(base(3), ["a"]);
  index.add([back]);
  assert.equal(index.oldest("a"), back.receivedMs);
});

Deno.test("what waits is counted by its age, to the minute, for each destination", () => {
  const index = new QueueIndex();
  const received = Number(base(0).slice(0, 13));
  const [young, old] = [entry(base(0), ["a", "b"]), entry(base(1), ["a"])];
  index.add([young, old]);
  const minute = 60_000;
  assert.deepEqual(index.ages("a", received), [2, 0, 0, 0, 0, 0]);
  // Before it was received: a clock that was set back.
  assert.deepEqual(index.ages("a", received - 3600 * minute), [2, 0, 0, 0, 0, 0]);
  const later = [4, 14, 59, 239, 1439, 1500].map((past) =>
    index.ages("b", received + past * minute)
  );
  assert.deepEqual(later.map((ages) => ages.indexOf(1)), [0, 1, 2, 3, 4, 5]);
  index.changed(young.base, young.waiting, young.waiting.slice(1));
  assert.deepEqual(index.ages("a", received), [1, 0, 0, 0, 0, 0]);
  index.changed(old.base, old.waiting, []);
  assert.deepEqual(index.ages("a", received), [0, 0, 0, 0, 0, 0]);
  assert.deepEqual(index.ages("b", received), [1, 0, 0, 0, 0, 0]);
});

Deno.test("the same instance in the queue and in failed/ is two items, one after the other", () => {
  const index = new QueueIndex();
  index.add([entry(base(1), ["a"])]);
  index.setApart("failed", "a", [base(1), base(1)]);
  index.setApart("failed", "a", [base(1)]);
  assert.deepEqual(index.find(base(1), "a").map(({ state }) => state), ["queued", "failed"]);
  assert.deepEqual(paged(index, {}, 1).map((text) => text.split(" ")[2]), ["failed", "queued"]);
  assert.equal(index.counts("a").failed, 1);
});
