/*
 * Delivered files that become slots: what is written over, what never is, and what a start makes of what a crash left.
 */

import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { putCommitRecord, readCommitRecord } from "../../src/spool/commit_record.ts";
import { hashStudy } from "../../src/spool/entry_name.ts";
import { linksTold } from "../../src/spool/file_system.ts";
import { whereabouts } from "../../src/spool/inspect.ts";
import { LONGEST_USED } from "../../src/spool/slots.ts";
import type { Spool } from "../../src/spool/spool.ts";
import { sha256 } from "../helpers/hashes.ts";
import { hex, noise } from "../helpers/hex.ts";
import {
  commit,
  LITTLE_ROOM,
  META,
  type SpoolDirectory,
  store,
  withSpool,
} from "../helpers/spools.ts";
import { systemError } from "../helpers/faulty_files.ts";

/** How many are delivered so that a batch of slots is made of them. */
const ENOUGH = 20;

function inodeOf(path: string): number {
  return Deno.statSync(path).ino!;
}

function partsIn(directory: SpoolDirectory): string[] {
  return [...Deno.readDirSync(join(directory.path, "incoming"))].map((entry) => entry.name);
}

/** Receives and delivers so many, and tells the inodes of their files. */
async function deliverAll(spool: Spool, length = 3000, count = ENOUGH): Promise<Set<number>> {
  const inodes = new Set<number>();
  const entries = [];
  for (let n = 0; n < count; n++) {
    const entry = await store(spool, ["a"], noise(length));
    inodes.add(inodeOf(entry.path));
    entries.push(entry);
  }
  for (const entry of entries) spool.delivered(entry, "a");
  await spool.settled();
  return inodes;
}

/** Receives until a file comes whose inode is one of these. */
async function receiveInto(
  spool: Spool,
  inodes: ReadonlySet<number>,
  bytes: Uint8Array,
): Promise<string> {
  for (let n = 0; n < 100; n++) {
    const { path } = await store(spool, ["a"], bytes);
    if (inodes.has(inodeOf(path))) return path;
  }
  throw new Error("No file was used again");
}

for (
  const [how, before, after] of [
    ["shorter", 9000, 4000],
    ["longer", 4000, 9000],
    ["of the same length", 5000, 5000],
    ["shorter, both of several writes,", 900_000, 600_000],
  ] as const
) {
  Deno.test(`an instance ${how} than the one whose file it gets is kept whole, with nothing of the other`, () =>
    withSpool(async (directory) => {
      const { spool } = await directory.start();
      const inodes = await deliverAll(spool, before);
      const bytes = noise(after, 7);
      const path = await receiveInto(spool, inodes, bytes);
      const file = Deno.readFileSync(path);
      assert.equal(hex(file.subarray(-after)), hex(bytes));
      await spool.close();
      const { entries, spool: again } = await directory.start();
      const entry = entries.find((one) => one.path === path);
      const instance = again.openEntry(entry!, true)!;
      assert.equal(instance.length, after);
      assert.equal(await instance.readThrough(), true);
      instance.close();
      await again.close();
    }));
}

Deno.test("a delivered file that has a second name, as in an archive, is never written into", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const archived: { path: string; bytes: string }[] = [];
    for (let n = 0; n < ENOUGH; n++) {
      const entry = await store(spool, ["a"], noise(3000, n));
      const path = join(directory.path, `archived-${n}`);
      Deno.linkSync(entry.path, path);
      archived.push({ path, bytes: hex(Deno.readFileSync(path)) });
      spool.delivered(entry, "a");
    }
    for (let n = 0; n < 100; n++) await store(spool, ["a"], noise(3000, 1000 + n));
    for (const { path, bytes } of archived) assert.equal(hex(Deno.readFileSync(path)), bytes);
    await spool.close();
  }));

Deno.test("a delivered file that gets a second name while it waits to be used again is not written into", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    await deliverAll(spool);
    const copies = partsIn(directory).flatMap((name) => {
      const path = join(directory.path, "incoming", name);
      if (Deno.statSync(path).size === 0) return [];
      const copy = join(directory.path, `copy-of-${name}`);
      Deno.linkSync(path, copy);
      return [{ copy, bytes: hex(Deno.readFileSync(copy)) }];
    });
    assert.equal(copies.length, ENOUGH);
    for (let n = 0; n < 100; n++) await store(spool, ["a"], noise(3000, 1000 + n));
    for (const { copy, bytes } of copies) assert.equal(hex(Deno.readFileSync(copy)), bytes);
    await spool.close();
  }));

Deno.test("a file that somebody still reads when it is delivered is removed, and read to its end as it was", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a", "b"], noise(3000, 5));
    const reading = spool.openEntry(entry, false)!;
    spool.delivered(entry, "a");
    spool.delivered(entry, "b");
    await spool.settled();
    assert.deepEqual(directory.listing(), []);
    assert.equal(partsIn(directory).some((name) => sizeOf(directory, name) > 0), false);
    assert.equal(await reading.readThrough(), true);
    reading.close();
    await spool.close();
  }));

function sizeOf(directory: SpoolDirectory, slot: string): number {
  return Deno.statSync(join(directory.path, "incoming", slot)).size;
}

Deno.test("files are removed, not kept, where they are long, where they are many, and where room is short", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const kept = () => partsIn(directory).filter((name) => sizeOf(directory, name) > 0).length;
    await deliverAll(spool, LONGEST_USED, 1);
    assert.equal(kept(), 0, "long");
    await deliverAll(spool, 1000, 90);
    assert.equal(kept(), 64, "many");
    directory.files.free = LITTLE_ROOM;
    directory.time += 1000;
    await spool.maintain();
    assert.equal(kept(), 0, "short of room");
    await deliverAll(spool, 1000, 3);
    assert.equal(kept(), 0, "still short of room");
    await spool.close();
    assert.deepEqual(partsIn(directory), []);
  }));

Deno.test("a start after a kill takes no delivered instance out of a slot, and tells nobody that it waits", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    await deliverAll(spool);
    const slots = partsIn(directory).filter((name) => sizeOf(directory, name) > 0);
    assert.equal(slots.length, ENOUGH);
    assert.deepEqual([...whereabouts(directory.files, directory.path)], []);
    // No close: as a killed process leaves it.
    const { entries, spool: again } = await directory.start();
    assert.deepEqual(entries, []);
    assert.deepEqual(directory.reports, []);
    assert.deepEqual(directory.listing(), []);
    for (const name of slots) assert.equal(partsIn(directory).includes(name), false);
    await again.close();
    await spool.close();
  }));

Deno.test("what an older version received and this one delivered is removed: a start after a kill does not send it again", () =>
  withSpool(async (directory) => {
    const { spool: older } = await directory.start();
    const { path } = await store(older, ["a"], noise(3000));
    await older.close();
    const file = Deno.readFileSync(path);
    putCommitRecord(file, { ...readCommitRecord(file)!, slot: "" });
    Deno.writeFileSync(path, file);
    const { entries, spool } = await directory.start();
    assert.equal(entries.length, 1);
    spool.delivered(entries[0]!, "a");
    await spool.settled();
    assert.deepEqual([...whereabouts(directory.files, directory.path)], []);
    // No close: as a killed process leaves it.
    const { entries: left, spool: again } = await directory.start();
    assert.deepEqual(left, []);
    await again.close();
    await spool.close();
  }));

Deno.test("a file that this version received before a start is used again when it is delivered after it", () =>
  withSpool(async (directory) => {
    const { spool: before } = await directory.start();
    await store(before, ["a"], noise(3000));
    await before.close();
    const { entries, spool } = await directory.start();
    const inode = inodeOf(entries[0]!.path);
    spool.delivered(entries[0]!, "a");
    await spool.settled();
    const inodes = partsIn(directory).map((name) =>
      inodeOf(join(directory.path, "incoming", name))
    );
    assert.ok(inodes.includes(inode));
    await spool.close();
  }));

Deno.test("on Windows no file is known to have one name alone, so none is written over", () => {
  assert.equal(linksTold({ nlink: 1 }, "windows"), undefined);
  assert.equal(linksTold({ nlink: 1 }, "linux"), 1);
  assert.equal(linksTold({ nlink: null }, "linux"), undefined);
});

Deno.test("an instance cut off in the middle of a used file is nothing, though the file's end is still the former one's", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const inodes = await deliverAll(spool, 900_000);
    for (let n = 0; n < 100; n++) {
      const incoming = await spool.begin(META);
      incoming.write(noise(300_000));
    }
    const written = partsIn(directory).filter((name) =>
      inodes.has(inodeOf(join(directory.path, "incoming", name)))
    );
    assert.equal(written.length, ENOUGH);
    const { entries, spool: again } = await directory.start();
    assert.deepEqual(entries, []);
    assert.deepEqual(directory.reports, []);
    await again.close();
    await spool.close();
  }));

Deno.test("a slot longer than what was committed into it, as a crash may leave it, is cut and taken", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const bytes = noise(3000, 3);
    const { path } = await commit(spool, bytes);
    const whole = Deno.readFileSync(path);
    Deno.writeFileSync(path, Uint8Array.of(...whole, ...noise(500)));
    const { entries, spool: again } = await directory.start();
    assert.equal(entries.length, 1);
    assert.equal(hex(Deno.readFileSync(entries[0]!.path)), hex(whole));
    await again.close();
    await spool.close();
  }));

Deno.test("a name of the queue behind which another instance's file lies is set aside, not sent", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a"], noise(3000, 1));
    const other = await store(spool, ["a"], noise(3000, 2));
    Deno.copyFileSync(other.path, entry.path);
    assert.throws(() => spool.openEntry(entry, true), /holds another instance/);
    await spool.close();
  }));

Deno.test("names of used files are on the disk before they are written into, the former ones gone", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const inodes = await deliverAll(spool);
    directory.files.calls.length = 0;
    const path = await receiveInto(spool, inodes, noise(3000));
    const { calls } = directory.files;
    const { slot } = readCommitRecord(Deno.readFileSync(path))!;
    const written = calls.findIndex((call) =>
      call.operation === "write" && basename(call.path) === slot
    );
    const synced = (folder: string) =>
      calls.findIndex((call) => call.operation === "syncDirectory" && call.path === folder);
    assert.ok(written > 0);
    assert.ok(synced(join(directory.path, "incoming")) < written);
    const bucket = join(path, "..");
    assert.ok(synced(bucket) >= 0 && synced(bucket) < written);
    await spool.close();
  }));

for (const broken of ["open", "read", "rename", "syncDirectory", "truncate"] as const) {
  Deno.test(`where the ${broken} of a used file fails, what comes in is kept all the same or refused, never lost`, () =>
    withSpool(async (directory) => {
      const { spool } = await directory.start();
      await deliverAll(spool, 5000);
      let failures = 5;
      directory.files.fault = (operation, path) =>
        operation === broken && path.includes("incoming") && failures-- > 0
          ? systemError("EIO")
          : undefined;
      const kept: string[] = [];
      for (let n = 0; n < 60; n++) {
        try {
          const entry = await store(spool, ["a"], noise(3000, n));
          kept.push(entry.base);
        } catch (error) {
          assert.match(String(error), /os error 5/);
        }
      }
      assert.ok(kept.length >= 50, `${kept.length} were kept`);
      directory.files.fault = () => undefined;
      await spool.close();
      const { entries, spool: again } = await directory.start();
      assert.deepEqual(entries.map((entry) => entry.base).sort(), kept.sort());
      for (const entry of entries) {
        const instance = again.openEntry(entry, true)!;
        assert.equal(await instance.readThrough(), true);
        instance.close();
      }
      await again.close();
    }));
}

Deno.test("an instance of more than one sync is durable as a whole: each byte is synced after it was written", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const { files } = directory;
    files.calls.length = 0;
    const incoming = await spool.begin(META);
    for (let n = 0; n < 80; n++) incoming.write(noise(250_000, n));
    const syncsBefore = files.count("syncData");
    assert.ok(syncsBefore >= 1, "the disk is at work while the instance comes");
    const committed = await incoming.commit(hashStudy("1.2.3"));
    const last = files.calls.findLastIndex((call) => call.operation === "write");
    const synced = files.calls.findLastIndex((call) => call.operation === "syncData");
    assert.ok(synced > last);
    assert.equal(committed.length, 20_000_000);
    await spool.close();
  }));

Deno.test("an instance of which a sync ahead failed is refused, whatever the last sync says", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    let fails = true;
    directory.files.fault = (operation, path) => {
      if (operation !== "syncData" || !path.endsWith(".part") || !fails) return undefined;
      fails = false;
      return systemError("EIO");
    };
    const incoming = await spool.begin(META);
    for (let n = 0; n < 80; n++) incoming.write(noise(250_000, n));
    await assert.rejects(incoming.commit(hashStudy("1.2.3")), { code: "EIO" });
    assert.match(spool.refusesNew()!, /failed to sync/);
    assert.deepEqual(directory.listing(), []);
    await spool.close();
  }));

Deno.test("where no second handle can be had, a long instance is kept all the same, by the one sync at its end", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    directory.files.calls.length = 0;
    const incoming = await spool.begin(META);
    directory.files.fault = (operation) => operation === "open" ? systemError("EMFILE") : undefined;
    for (let n = 0; n < 80; n++) incoming.write(noise(250_000, n));
    assert.equal(directory.files.count("syncData"), 0);
    directory.files.fault = () => undefined;
    const committed = await incoming.commit(hashStudy("1.2.3"));
    assert.equal(committed.length, 20_000_000);
    assert.equal(directory.files.calls.at(-1)?.operation, "syncData");
    await spool.close();
  }));

Deno.test("a queue's name that a person made a link is not written through", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a"], noise(3000, 1));
    const elsewhere = join(directory.path, "elsewhere.dcm");
    Deno.renameSync(entry.path, elsewhere);
    const hash = sha256(Deno.readFileSync(elsewhere));
    Deno.symlinkSync(elsewhere, entry.path);
    spool.delivered(entry, "a");
    await deliverAll(spool);
    for (let n = 0; n < 100; n++) await store(spool, ["a"], noise(3000, 1000 + n));
    assert.equal(sha256(Deno.readFileSync(elsewhere)), hash);
    await spool.close();
  }));
