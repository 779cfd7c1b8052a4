/*
 * Names a power cut could take back, and with them what was promised: each is on the disk before anything rests on it.
 */

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { Spool } from "../../src/spool/spool.ts";
import { type Operation, systemError } from "../helpers/faulty_files.ts";
import { type SpoolDirectory, withSpool } from "../helpers/spools.ts";

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
    await assert.rejects(directory.open(), { code: "EIO" });
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
