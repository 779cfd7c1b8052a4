/*
 * The spool in real directories: every way of an instance through it, and what a start makes of what it finds.
 */

import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import { readFileMeta } from "../../src/dicom/part10.ts";
import { readCommitRecord } from "../../src/spool/commit_record.ts";
import type { Entry } from "../../src/spool/entry.ts";
import { parseName } from "../../src/spool/entry_name.ts";
import { type FailureReason, listFailed, UNROUTED } from "../../src/spool/failed.ts";
import { listItems, removeItem } from "../../src/spool/inspect.ts";
import type { Spool } from "../../src/spool/spool.ts";
import type { StoredInstance } from "../../src/spool/stored_instance.ts";
import { SpoolError } from "../../src/spool/version.ts";
import { hex, noise } from "../helpers/hex.ts";
import { commit, dataSet, META, store, withSpool } from "../helpers/spools.ts";

const REFUSED: FailureReason = {
  kind: "refused",
  reason: "Cannot understand (C000)",
  when: "2026-11-23T12:00:00.000Z",
  tries: 4,
};

/** Reads the data set of an entry and makes sure it is vouched for. */
async function contentOf(spool: Spool, entry: Entry, hot = true): Promise<Uint8Array> {
  const instance = spool.openEntry(entry, hot);
  assert.ok(instance !== undefined);
  return await readAll(instance);
}

async function readAll(instance: StoredInstance): Promise<Uint8Array> {
  try {
    const into = new Uint8Array(instance.length);
    for (let at = 0; at < into.length; at += 1000) {
      await instance.read(into.subarray(at, at + 1000));
    }
    assert.equal(instance.vouch(), true);
    return into;
  } finally {
    instance.close();
  }
}

/** Names as far as they do not depend on checksums. */
function tails(listing: readonly string[]): string[] {
  return listing.map((path) => path.replace(/\d{13}-(\d{6})-[0-9a-f]{8}-[0-9a-f]{8}/, "<$1>"))
    .map((path) => path.replace(/^queue\/[0-9a-f]{2}\//, "queue/"));
}

for (const hot of [true, false]) {
  Deno.test(`data sets of many lengths come back as they were stored, read ${hot ? "at once" : "later"}`, () =>
    withSpool(async (directory) => {
      const { spool } = await directory.start();
      for (const length of [1, 100, 255_000, 262_144, 262_145, 900_001]) {
        const bytes = noise(length);
        const entry = await store(spool, ["a"], bytes);
        assert.ok(equal(await contentOf(spool, entry, hot), bytes), `${length} bytes`);
        const file = Deno.readFileSync(entry.path);
        const { meta, dataSetOffset } = readFileMeta(file);
        assert.deepEqual(meta, META);
        assert.ok(equal(file.subarray(dataSetOffset), bytes), "legal Part 10, bytes as they came");
        const record = readCommitRecord(file)!;
        assert.equal(record.dataSetOffset, dataSetOffset);
        assert.equal(record.dataSetLength, length);
      }
      await spool.close();
    }));
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, n) => byte === other[n]);
}

Deno.test("an instance is synced once, before commit is done, and only its rename follows", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    directory.files.calls.length = 0;
    const committed = await commit(spool);
    assert.deepEqual(directory.files.calls.map((call) => call.operation), [
      // The data set, and then the commit record.
      "write",
      "write",
      "syncData",
    ]);
    spool.enqueue(committed, ["a"]);
    assert.deepEqual(directory.files.calls.at(-1)?.operation, "rename");
    assert.equal(directory.files.calls.length, 4);
    await spool.close();
  }));

Deno.test("delivered to one of two the name loses it, delivered to the last the file is gone", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a", "b"]);
    assert.deepEqual(tails(directory.listing()), ["queue/<000001>.a.b.dcm"]);
    assert.equal(entry.waitsFor("a"), true);
    spool.delivered(entry, "a");
    await spool.settled();
    assert.deepEqual(tails(directory.listing()), ["queue/<000001>.b.dcm"]);
    assert.equal(entry.waitsFor("a"), false);
    spool.delivered(entry, "a");
    await spool.settled();
    assert.equal(entry.queued, true, "a repeat changes nothing");
    await contentOf(spool, entry);
    spool.delivered(entry, "b");
    await spool.settled();
    assert.deepEqual(directory.listing(), []);
    assert.equal(entry.queued, false);
    await spool.close();
    assert.deepEqual((await directory.start()).entries, []);
  }));

Deno.test("tries are counted in the name, for each destination by itself, and survive a start", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a", "b"]);
    assert.equal(spool.countTry(entry, "b"), 1);
    assert.equal(spool.countTry(entry, "b"), 2);
    assert.equal(spool.countTry(entry, "other"), 0);
    assert.deepEqual(tails(directory.listing()), ["queue/<000001>.a.b~2.dcm"]);
    await spool.close();
    const again = await directory.start();
    assert.equal(again.entries[0]!.triesOf("b"), 2);
    assert.equal(again.entries[0]!.triesOf("a"), 0);
    assert.equal(again.spool.countTry(again.entries[0]!, "b"), 3);
    again.spool.close();
  }));

Deno.test("given up for one of two it lies in failed/ with its reason and goes on waiting for the other", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const bytes = noise(5000);
    const entry = await store(spool, ["a", "b"], bytes);
    await spool.fail(entry, "a", REFUSED);
    assert.deepEqual(tails(directory.listing()), [
      "failed/a/<000001>.dcm",
      "failed/a/<000001>.json",
      "queue/<000001>.b.dcm",
    ]);
    assert.equal(hex(await contentOf(spool, entry)), hex(bytes));
    spool.delivered(entry, "b");
    await spool.settled();
    const [failed] = [...listFailed(directory.files, join(directory.path, "failed"))];
    assert.deepEqual(failed!.reason(), REFUSED);
    assert.equal(failed!.destination, "a");
    const file = Deno.readFileSync(failed!.path);
    assert.equal(hex(file.subarray(file.length - 5000)), hex(bytes));
    await spool.close();
  }));

Deno.test("the second name is on the disk before the first says less", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a", "b"]);
    directory.files.calls.length = 0;
    await spool.fail(entry, "a", REFUSED);
    const order = directory.files.calls.map((call) =>
      call.operation === "syncDirectory" ? `sync ${basename(call.path)}` : call.operation
    );
    // The folder's own name, the name in it, the change of the first one.
    const steps = ["makeDirectory", "sync failed", "link", "sync a", "rename"];
    assert.deepEqual(order.filter((step) => steps.includes(step)), steps);
    await spool.close();
  }));

Deno.test("given up for the last it moves to failed/ and leaves the queue", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a"]);
    await spool.fail(entry, "a", REFUSED);
    assert.deepEqual(tails(directory.listing()), [
      "failed/a/<000001>.dcm",
      "failed/a/<000001>.json",
    ]);
    assert.equal(entry.queued, false);
    spool.delivered(entry, "a");
    await spool.settled();
    assert.equal(directory.listing().length, 2, "nothing is delivered any more");
    await spool.close();
    assert.deepEqual((await directory.start()).entries, []);
  }));

Deno.test("where the file system has no hard links, failed/ gets a whole copy", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const bytes = noise(600_000);
    const entry = await store(spool, ["a", "b"], bytes);
    directory.files.fault = (operation) =>
      operation === "link" ? new Deno.errors.NotSupported("no links here") : undefined;
    await spool.fail(entry, "a", REFUSED);
    spool.delivered(entry, "b");
    await spool.settled();
    const listing = directory.listing();
    assert.deepEqual(tails(listing), ["failed/a/<000001>.dcm", "failed/a/<000001>.json"]);
    const file = Deno.readFileSync(join(directory.path, listing[0]!));
    assert.equal(hex(file.subarray(-600_000)), hex(bytes));
    await spool.close();
  }));

Deno.test("a damaged instance is set aside with the reason and is gone for every destination", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a", "b"]);
    await spool.setAside(entry, "it does not match its checksum");
    assert.deepEqual(tails(directory.listing()), [
      "corrupt/<000001>.dcm",
      "corrupt/<000001>.json",
    ]);
    assert.match(Deno.readTextFileSync(entry.path.replace(/dcm$/, "json")), /match its checksum/);
    assert.equal(entry.waitsFor("b"), false);
    await spool.close();
    assert.deepEqual((await directory.start()).entries, []);
    assert.equal(directory.listing().length, 2, "never deleted");
  }));

// What a start makes of it.

Deno.test("names alone rebuild the queue, oldest first, without a file opened", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    for (let n = 0; n < 20; n++) {
      directory.time += n % 3 === 0 ? 0 : 1000;
      await store(spool, n % 2 === 0 ? ["a"] : ["a", "b"], noise(100, n + 1));
    }
    await spool.close();
    directory.files.calls.length = 0;
    const { spool: again, entries } = await directory.start();
    assert.equal(entries.length, 20);
    for (let n = 1; n < 20; n++) {
      assert.ok(entries[n - 1]!.receivedMs <= entries[n]!.receivedMs);
      assert.deepEqual(
        entries[n]!.waiting.map((one) => one.destination),
        n % 2 === 0 ? ["a"] : ["a", "b"],
      );
    }
    const opened = directory.files.calls.filter((call) => call.path.endsWith(".dcm"));
    assert.deepEqual(opened, []);
    await again.close();
  }));

Deno.test("a committed slot is promoted with all its bytes and routed again", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const bytes = dataSet();
    await commit(spool, bytes);
    // The process ends here: the answer was sent, the rename was not done.
    const again = await directory.open();
    const routed: string[] = [];
    const entries = await again.recover(async (instance) => {
      const { identification } = await instance.identify();
      routed.push(`${instance.meta.sourceAeTitle} ${identification.modality}`);
      return ["x", "y"];
    });
    assert.deepEqual(routed, ["MODALITY CT"]);
    assert.equal(entries.length, 1);
    assert.deepEqual(tails(directory.listing()), ["queue/<000001>.x.y.dcm"]);
    assert.equal(hex(await contentOf(again, entries[0]!)), hex(bytes));
    await again.close();
  }));

Deno.test("no slot gets the name of one that a start has just taken, though the clock says the time of then", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const { path } = await commit(spool);
    const slots = [...directory.files.list(dirname(path))];
    // As a killed process leaves it; the next one begins in the same millisecond.
    const { spool: again, entries } = await directory.start();
    assert.equal(entries.length, 1);
    const names = new Set(directory.files.list(dirname(path)));
    assert.deepEqual(slots.filter((name) => names.has(name)), []);
    await again.close();
  }));

Deno.test("a slot that was not committed, whole or in part, is removed", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const begun = await spool.begin(META);
    begun.write(noise(600_000));
    const empty = await spool.begin(META);
    assert.ok(begun.length === 600_000 && empty.length === 0);
    assert.equal(directory.listing().length, 1);
    const { entries, spool: again } = await directory.start();
    assert.deepEqual(entries, []);
    assert.deepEqual(directory.listing(), []);
    await again.close();
  }));

Deno.test("a torn slot never becomes an instance: without its record it is removed, with it set aside and reported", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const { path } = await commit(spool, noise(3000));
    const whole = Deno.readFileSync(path);
    await spool.close();
    const { dataSetOffset } = readFileMeta(whole);
    const torn: Uint8Array[] = [];
    for (const length of [0, 1, 127, 128, dataSetOffset, whole.length - 1]) {
      torn.push(whole.slice(0, length));
    }
    for (let sector = 0; sector < whole.length; sector += 512) {
      const zeroed = whole.slice();
      zeroed.fill(0, sector, sector + 512);
      torn.push(zeroed);
    }
    const flipped = whole.slice();
    flipped[whole.length - 5]! ^= 1;
    torn.push(flipped);
    for (const [n, bytes] of torn.entries()) {
      Deno.writeFileSync(path, bytes);
      const { entries, spool: again } = await directory.start();
      await again.close();
      assert.deepEqual(entries, [], `torn ${n}`);
      const recordIsWhole = bytes.length >= 128 && bytes[0] !== 0;
      const kept = directory.listing().filter((name) => name.endsWith(".dcm"));
      assert.deepEqual(kept.length, recordIsWhole ? 1 : 0, `torn ${n}`);
      assert.equal(directory.reports.length, recordIsWhole ? 1 : 0, `torn ${n}`);
      for (const name of directory.listing()) Deno.removeSync(join(directory.path, name));
      directory.reports.length = 0;
      Deno.writeFileSync(path, whole);
    }
  }));

Deno.test("a committed slot whose file meta is damaged is set aside and does not stop the start", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const { path } = await commit(spool);
    await spool.close();
    const damaged = Deno.readFileSync(path);
    damaged[129]! ^= 0xff; // in "DICM", which no checksum covers
    Deno.writeFileSync(path, damaged);
    const { entries, spool: again } = await directory.start();
    assert.deepEqual(entries, []);
    const kept = directory.listing().filter((each) => each.endsWith(".dcm"));
    assert.equal(kept.length, 1);
    assert.match(kept[0]!, /^corrupt\//);
    const name = kept[0]!.slice("corrupt/".length);
    assert.ok(parseName(name) !== undefined, `${name} is a name that status counts`);
    assert.match(directory.reports.join("\n"), /file meta does not match its checksum/);
    await again.close();
  }));

Deno.test("sequences go on behind all that are in use, so no name comes twice", () =>
  withSpool(async (directory) => {
    const first = await directory.start();
    await store(first.spool, ["a"]);
    const failing = await store(first.spool, ["a"]);
    await first.spool.fail(failing, "a", REFUSED);
    first.spool.close();
    const second = await directory.start();
    const third = await store(second.spool, ["a"]);
    assert.equal(parseName(`${third.base}.dcm`)!.identity.sequence, 3);
    await commit(second.spool); // stays a slot
    const last = await directory.start();
    const fifth = await store(last.spool, ["a"]);
    assert.equal(parseName(`${fifth.base}.dcm`)!.identity.sequence, 5);
    last.spool.close();
  }));

Deno.test("no name comes twice and none is lost, however the clock jumps while instances come in and over a start", () =>
  withSpool(async (directory) => {
    const bases = new Set<string>();
    let { spool } = await directory.start();
    const began = directory.time;
    for (const time of [began, began - 86_400_000, began, 5, began + 400 * 86_400_000, began]) {
      directory.time = time;
      for (let n = 0; n < 3; n++) bases.add((await store(spool, ["a"])).base);
    }
    assert.equal(bases.size, 18);
    directory.time = began - 3_600_000;
    await spool.close();
    let entries;
    ({ spool, entries } = await directory.start());
    assert.deepEqual(new Set(entries.map((entry) => entry.base)), bases);
    bases.add((await store(spool, ["a"])).base);
    assert.equal(bases.size, 19);
    await spool.close();
  }));

Deno.test("files that are not the spool's are left alone and reported", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    await spool.close();
    const strange = ["queue/00/readme.txt", "queue/00/1763900000000-000001-00000000-00000000.dcm"];
    for (const path of strange) Deno.writeTextFileSync(join(directory.path, path), "x");
    const { entries } = await directory.start();
    assert.deepEqual(entries, []);
    assert.deepEqual(directory.listing(), strange.toSorted());
    for (const path of strange) {
      const shown = join(directory.path, path);
      assert.ok(directory.reports.some((report) => report.includes(shown)), path);
    }
  }));

Deno.test("a spool of another version is refused and not touched; an empty version file is a first start's", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a"]);
    await spool.close();
    const version = join(directory.path, "VERSION");
    assert.equal(Deno.readTextFileSync(version), "1\n");
    for (const other of ["2\n", "1.1\n", "one", "0"]) {
      Deno.writeTextFileSync(version, other);
      const before = directory.listing();
      await assert.rejects(directory.open(), (error: unknown) => {
        assert.ok(error instanceof SpoolError);
        assert.match(error.message, /version .* reads version 1/);
        return true;
      });
      assert.equal(Deno.readTextFileSync(version), other);
      assert.deepEqual(directory.listing(), before);
    }
    Deno.writeTextFileSync(version, "");
    const { entries } = await directory.start();
    assert.equal(entries[0]!.base, entry.base);
    assert.equal(Deno.readTextFileSync(version), "1\n");
  }));

// What people do to the files.

Deno.test("a destination taken out by hand while it refuses takes the instance from no other one", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a", "b"]);
    const [item] = [...listItems(directory.files, directory.path)].filter((one) =>
      one.destination === "b"
    );
    removeItem(directory.files, item!);
    assert.equal(spool.countTry(entry, "b"), 1);
    await spool.fail(entry, "b", { kind: "refused", reason: "no", when: "", tries: 1 });
    assert.ok(entry.waitsFor("a"));
    assert.match(directory.listing().join(" "), /^queue\/\S+\.a\.dcm$/);
    await spool.close();
  }));

Deno.test("a file removed by hand is no longer there to be sent, for any destination", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a", "b"]);
    Deno.removeSync(entry.path);
    assert.equal(spool.openEntry(entry, true), undefined);
    assert.equal(entry.queued, false);
    assert.equal(entry.waitsFor("b"), false);
    await spool.close();
  }));

Deno.test("a destination taken out of the name by hand is taken out of the entry", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a", "b"]);
    const renamed = entry.path.replace(".a.b.", ".b.");
    Deno.renameSync(entry.path, renamed);
    const instance = spool.openEntry(entry, true);
    instance?.close();
    assert.equal(entry.waitsFor("a"), false);
    assert.equal(entry.waitsFor("b"), true);
    assert.equal(entry.path, renamed);
    await spool.close();
  }));

Deno.test("what lies in retry/ comes back for its destination, an unrouted one is routed anew", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const base: string[] = [];
    for (const [n, destination] of ["a", UNROUTED].entries()) {
      const entry = await store(spool, [destination], noise(100, n + 1));
      await spool.fail(entry, destination, REFUSED);
      base.push(entry.base);
      Deno.renameSync(
        entry.path,
        join(directory.path, "retry", `${entry.base}.${destination}.dcm`),
      );
    }
    const adopted = await spool.adoptRetries(() => Promise.resolve(["x", "y"]), UNROUTED);
    const byBase = new Map(adopted.map((entry) => [entry.base, entry]));
    assert.deepEqual(byBase.get(base[0]!)!.waiting, [{ destination: "a", tries: 0 }]);
    assert.deepEqual(byBase.get(base[1]!)!.waiting.map((one) => one.destination), ["x", "y"]);
    for (const entry of adopted) await contentOf(spool, entry);
    assert.deepEqual(await spool.adoptRetries(() => Promise.resolve([]), UNROUTED), []);
    await spool.close();
  }));

Deno.test("a damaged file in retry/ is set aside and keeps none of the others from coming back", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    for (let n = 0; n < 5; n++) {
      const entry = await store(spool, [UNROUTED], noise(100, n + 1));
      await spool.fail(entry, UNROUTED, REFUSED);
      if (n === 2) Deno.truncateSync(entry.path, 50);
      Deno.renameSync(entry.path, join(directory.path, "retry", `${entry.base}.${UNROUTED}.dcm`));
    }
    const adopted = await spool.adoptRetries(() => Promise.resolve(["x"]), UNROUTED);
    assert.equal(adopted.length, 4);
    assert.equal(directory.listing().filter((path) => path.startsWith("corrupt/")).length, 2);
    await spool.close();
  }));

Deno.test("a file put into retry/ without a destination is routed rather than lost", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a"]);
    await spool.fail(entry, "a", REFUSED);
    Deno.renameSync(entry.path, join(directory.path, "retry", `${entry.base}.dcm`));
    const [adopted] = await spool.adoptRetries(() => Promise.resolve(["x"]), UNROUTED);
    assert.deepEqual(adopted!.waiting, [{ destination: "x", tries: 0 }]);
    await spool.close();
  }));

Deno.test("a retry that cannot be moved is adopted once, when it can be", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a"]);
    await spool.fail(entry, "a", REFUSED);
    Deno.renameSync(entry.path, join(directory.path, "retry", `${entry.base}.a.dcm`));
    directory.files.fault = (operation) =>
      operation === "rename" ? new Deno.errors.PermissionDenied("no") : undefined;
    const adopted: Entry[] = [];
    for (let n = 0; n < 3; n++) {
      adopted.push(...await spool.adoptRetries(() => Promise.resolve([]), UNROUTED));
    }
    directory.files.fault = () => undefined;
    adopted.push(...await spool.adoptRetries(() => Promise.resolve([]), UNROUTED));
    assert.equal(adopted.length, 1);
    await contentOf(spool, adopted[0]!);
    await spool.close();
  }));

Deno.test("what failed for a destination no longer configured comes back with it, and nothing else does", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const gone = await store(spool, ["old"]);
    await spool.fail(gone, "old", { ...REFUSED, kind: "not-configured" });
    const refused = await store(spool, ["old"], noise(99));
    await spool.fail(refused, "old", REFUSED);
    assert.deepEqual(spool.restoreConfigured(new Set(["a"])), []);
    const restored = spool.restoreConfigured(new Set(["a", "old"]));
    assert.deepEqual(restored.map((entry) => entry.base), [gone.base]);
    assert.deepEqual(tails(directory.listing()), [
      "failed/old/<000002>.dcm",
      "failed/old/<000002>.json",
      "queue/<000001>.old.dcm",
    ]);
    await spool.close();
  }));
