/*
 * Names a power cut could take back, and with them what was promised: each is on the disk before anything rests on it.
 */

import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import { listItems, removeItem } from "../../src/spool/inspect.ts";
import { Spool } from "../../src/spool/spool.ts";
import { type Operation, systemError } from "../helpers/faulty_files.ts";
import { commit, type SpoolDirectory, store, withSpool } from "../helpers/spools.ts";
import { SpoolError } from "../../src/spool/version.ts";

/** Opens a spool in folders that do not exist yet. */
function openBelow(directory: SpoolDirectory): { path: string; opening: Promise<Spool> } {
  const path = join(directory.path, "new", "spool");
  const opening = Spool.open({
    directory: path,
    files: directory.files,
    now: () => directory.time,
    minimumFreeSpace: 0,
    report: () => {},
  });
  return { path, opening };
}

/** Paths of the calls of one kind, in order. */
function pathsOf(directory: SpoolDirectory, operation: Operation): string[] {
  return directory.files.calls.filter((call) => call.operation === operation)
    .map((call) => call.path);
}

Deno.test("a new spool is not lost with the folders above it: their names are synced, too", () =>
  withSpool(async (directory) => {
    const { path, opening } = openBelow(directory);
    const spool = await opening;
    const synced = pathsOf(directory, "syncDirectory");
    for (let at = path; dirname(at) !== at; at = dirname(at)) {
      assert.ok(synced.includes(at), `${at} of ${synced}`);
    }
    await spool.close();
  }));

Deno.test("a folder above the spool that may not be opened stops no start, one that fails to sync does", () =>
  withSpool(async (directory) => {
    const failing = (error: Error) => {
      directory.files.fault = (operation, path) =>
        operation === "syncDirectory" && path === dirname(directory.path) ? error : undefined;
    };
    for (const error of [new Deno.errors.PermissionDenied("no"), systemError("EINVAL")]) {
      failing(error);
      const { spool } = await directory.start();
      await spool.close();
    }
    failing(systemError("EIO"));
    await assert.rejects(directory.open(), (error) => {
      assert.ok(error instanceof SpoolError);
      assert.equal((error.cause as { code?: string }).code, "EIO");
      return true;
    });
  }));

Deno.test("a crash cannot leave half a version: the file has its name when its text is on the disk", () =>
  withSpool(async (directory) => {
    const { path, opening } = openBelow(directory);
    const spool = await opening;
    const version = join(path, "VERSION");
    const steps = directory.files.calls.filter((call) => call.path.startsWith(version))
      .map((call) => call.operation);
    assert.deepEqual(steps, ["open", "write", "syncData", "rename"]);
    assert.equal(Deno.readTextFileSync(version), "1\n");
    await spool.close();
  }));

Deno.test("a version file of zeros, as a crash left it of an earlier program, is a first start's", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    await spool.close();
    const version = join(directory.path, "VERSION");
    Deno.writeFileSync(version, new Uint8Array(2));
    const { spool: again } = await directory.start();
    assert.equal(Deno.readTextFileSync(version), "1\n");
    await again.close();
  }));

const REASON = { kind: "refused", reason: "Refused: A700", when: "", tries: 1 } as const;

Deno.test("where the name of failed/<destination> cannot be synced, the queue keeps the instance for it", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a", "b"]);
    directory.files.fault = (operation, path) =>
      operation === "syncDirectory" && path.endsWith("failed") ? systemError("EIO") : undefined;
    await assert.rejects(spool.fail(entry, "b", REASON), { code: "EIO" });
    assert.ok(entry.waitsFor("b"));
    assert.match(entry.path, /\.a\.b\.dcm$/);
    await spool.close();
  }));

Deno.test("an instance that waits for another destination is not moved to failed/ for one taken out by hand", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a", "b"]);
    const [, forB] = [...listItems(directory.files, directory.path)];
    removeItem(directory.files, forB!);
    assert.equal(spool.countTry(entry, "b"), 1);
    await spool.fail(entry, "b", REASON);
    assert.ok(entry.waitsFor("a"));
    assert.deepEqual(directory.listing().map((path) => path.replace(/.*(\d{6})-.{17}/, "$1")), [
      "000001.a.dcm",
    ]);
    await spool.close();
  }));

Deno.test("what lies in failed/ stays when an instance of its name is to replace it and is not there", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a", "b"]);
    const earlier = join(directory.path, "failed", "b", `${entry.base}.dcm`);
    Deno.mkdirSync(dirname(earlier));
    Deno.linkSync(entry.path, earlier);
    Deno.removeSync(entry.path);
    await assert.rejects(spool.fail(entry, "b", REASON), Deno.errors.NotFound);
    assert.ok(directory.files.exists(earlier));
    await spool.close();
  }));

Deno.test("the second name of an instance replaces an earlier one, and leaves no third", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a", "b"]);
    const earlier = join(directory.path, "failed", "b", `${entry.base}.dcm`);
    Deno.mkdirSync(dirname(earlier));
    Deno.linkSync(entry.path, earlier);
    await spool.fail(entry, "b", REASON);
    assert.deepEqual(directory.listing().map((path) => path.replace(/\d{13}.*-.{8}/, "")), [
      "failed/b/.dcm",
      "failed/b/.json",
      `queue/${entry.base.slice(-17, -15)}/.a.dcm`,
    ]);
    await spool.close();
  }));

Deno.test("sequences go on behind those in retry/, in corrupt/ and of damaged slots, too", async () => {
  for (const where of ["retry", "corrupt", "slot"]) {
    await withSpool(async (directory) => {
      const { spool } = await directory.start();
      const entry = await store(spool, ["a"]);
      const slot = await commit(spool);
      await spool.close();
      if (where === "slot") {
        Deno.removeSync(entry.path);
        const bytes = Deno.readFileSync(slot.path);
        bytes[bytes.length - 1]! ^= 1;
        Deno.writeFileSync(slot.path, bytes);
      } else {
        Deno.removeSync(slot.path);
        Deno.renameSync(entry.path, join(directory.path, where, basename(entry.path)));
      }
      directory.time -= 1000;
      const { spool: again } = await directory.start();
      const used = where === "slot" ? 2 : 1;
      assert.equal(again.nextSequence(), used + 1, where);
      await again.close();
    });
  }
});

Deno.test("what a program was killed in syncing is synced by the start that takes it, before it is in the queue", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const { path } = await commit(spool);
    await spool.close();
    directory.files.calls.length = 0;
    const { spool: again, entries } = await directory.start();
    assert.equal(entries.length, 1);
    const steps = directory.files.calls.map((call) => `${call.operation} ${basename(call.path)}`);
    const synced = steps.indexOf(`syncData ${basename(path)}`);
    const queued = steps.indexOf(`rename ${basename(entries[0]!.path)}`);
    assert.ok(synced >= 0 && synced < queued, String(steps));
    await again.close();
  }));

Deno.test("a slot that cannot be synced again is taken all the same: it may have been answered", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const { path, base } = await commit(spool);
    await spool.close();
    directory.files.fault = (operation, file) =>
      operation === "syncData" && file === path ? systemError("EBADF") : undefined;
    const { spool: again, entries } = await directory.start();
    assert.deepEqual(entries.map((entry) => entry.base), [base]);
    await again.close();
  }));
