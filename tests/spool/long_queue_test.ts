/* What many entries share, and what is done to one of many without looking at the others. */

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { Entry } from "../../src/spool/entry.ts";
import { formatBase, formatName, namesLeft, parseName } from "../../src/spool/entry_name.ts";
import { listItems, removeItem } from "../../src/spool/inspect.ts";
import { inOrderReceived } from "../../src/spool/recovery.ts";
import { WaitingLists } from "../../src/spool/waiting_lists.ts";
import { store, withSpool } from "../helpers/spools.ts";

const BASE = formatBase({ receivedMs: 1000, sequence: 1, studyHash: 2, crc32: 3 });
const MANY = ["a", "b", "c", "d", "e"];

function entryOf(receivedMs: number, sequence: number): Entry {
  return new Entry(formatBase({ receivedMs, sequence, studyHash: 0, crc32: 0 }), [], "");
}

Deno.test("entries that wait for the same have one list, before a start and after, and each its own tries", () =>
  withSpool(async (directory) => {
    const { spool: earlier } = await directory.start();
    const first = await store(earlier, ["a", "b"]);
    const second = await store(earlier, ["a", "b"]);
    assert.equal(first.waiting, second.waiting);
    assert.equal(earlier.countTry(first, "b"), 1);
    assert.deepEqual([first.triesOf("b"), second.triesOf("b")], [1, 0]);
    await earlier.close();
    const { spool, entries } = await directory.start();
    assert.deepEqual(entries.map((one) => one.triesOf("b")), [1, 0]);
    assert.equal(spool.countTry(entries[1]!, "b"), 1);
    assert.equal(entries[0]!.waiting, entries[1]!.waiting);
    for (const entry of entries) assert.ok(directory.files.exists(entry.path), entry.path);
    await spool.close();
  }));

Deno.test("a list is what its name says, however many others there were", () => {
  const lists = new WaitingLists();
  for (let tries = 0; tries < 10_000; tries++) {
    const waiting = [{ destination: "a", tries }];
    const { ending } = lists.share(waiting);
    assert.deepEqual(lists.read(ending)?.waiting, waiting);
  }
  for (const ending of ["", ".a", ".A.dcm", "..dcm", ".a~.dcm", ".a.json"]) {
    assert.equal(lists.read(ending), undefined, ending);
  }
});

Deno.test("where a name has no room for all tries, the entry is still found and remembers them", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const destinations = Array.from({ length: 12 }, (_, n) => `destination-${n}`.padEnd(16, "x"));
    const entry = await store(spool, destinations);
    for (let tries = 1; tries <= 12; tries++) {
      for (const one of destinations) assert.equal(spool.countTry(entry, one), tries);
    }
    assert.ok(directory.files.exists(entry.path), entry.path);
    assert.equal(entry.triesOf(destinations[11]!), 12);
    await spool.close();
  }));

Deno.test("entries come in the order received, within a millisecond by their numbers", () => {
  const all = [entryOf(20, 1_000_000), entryOf(20, 999_999), entryOf(3, 7), entryOf(100, 2)];
  assert.deepEqual(inOrderReceived(all), [all[2], all[1], all[0], all[3]]);
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(50), fc.nat())), (times) => {
    const wanted = times.toSorted(([a, n], [b, m]) => a - b || n - m);
    const sorted = inOrderReceived(times.map(([ms, n]) => entryOf(ms, n)));
    assert.deepEqual(
      sorted.map((one) => one.base),
      wanted.map(([ms, n]) => entryOf(ms, n).base),
    );
  }));
});

Deno.test("the names left are those that a person can leave of a name by taking destinations out of it", () => {
  const waiting = [{ destination: "a", tries: 2 }, { destination: "b", tries: 0 }];
  assert.deepEqual(namesLeft(formatName(BASE, waiting)), [
    `${BASE}.a~2.b.dcm`,
    `${BASE}.b.dcm`,
    `${BASE}.a~2.dcm`,
  ]);
  assert.equal(namesLeft("1763900000000-1.part"), undefined);
  const five = MANY.map((destination) => ({ destination, tries: 0 }));
  assert.equal(namesLeft(formatName(BASE, five)), undefined);
});

for (const destinations of [["a"], ["a", "b", "c", "d"]]) {
  Deno.test(`of ${destinations.length} destinations, what was removed by hand is noticed without a look at all the others`, () =>
    withSpool(async (directory) => {
      const { spool } = await directory.start();
      const entry = await store(spool, destinations);
      const others = [await store(spool, destinations), await store(spool, destinations)];
      const items = [...listItems(directory.files, directory.path)];
      directory.files.listed = 0;
      for (const item of items) if (item.id === entry.base) removeItem(directory.files, item);
      assert.equal(spool.openEntry(entry, true), undefined);
      assert.equal(entry.queued, false);
      assert.equal(directory.files.listed, 0);
      const left = [...listItems(directory.files, directory.path)].map((item) => item.id);
      assert.deepEqual(new Set(left), new Set(others.map((one) => one.base)));
      assert.equal(left.length, 2 * destinations.length);
      await spool.close();
    }));
}

Deno.test("of many destinations, what was taken out by hand is found by a look into the folder", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, MANY);
    const taken = new Set(["a", "c", "e"]);
    for (const item of [...listItems(directory.files, directory.path)]) {
      if (taken.has(item.destination)) removeItem(directory.files, item);
    }
    spool.openEntry(entry, true)!.close();
    assert.deepEqual(entry.waiting.map((one) => one.destination), ["b", "d"]);
    assert.equal(parseName(entry.path.slice(dirname(entry.path).length + 1))?.base, entry.base);
    assert.ok(directory.files.exists(join(dirname(entry.path), `${entry.base}.b.d.dcm`)));
    await spool.close();
  }));
