/*
 * A start on a disk that fails: one sentence about the spool, which the program answers with exit code 4, not a defect.
 */

import assert from "node:assert/strict";
import { SpoolError } from "../../src/spool/version.ts";
import { FaultyFiles, type Operation, systemError } from "../helpers/faulty_files.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { Scratch } from "../helpers/scratch.ts";
import { store, withSpool } from "../helpers/spools.ts";

const FAULTS: readonly (readonly [Operation, RegExp, string])[] = [
  ["open", /VERSION/, "the version cannot be written"],
  ["makeDirectory", /queue$/, "a folder cannot be made"],
  ["syncDirectory", /queue$/, "a folder cannot be synced"],
  ["syncData", /probe\.part$/, "the probe cannot be synced"],
];

for (const [operation, where, what] of FAULTS) {
  Deno.test(`a start where ${what} fails with a sentence about the spool`, async () => {
    await using scratch = await Scratch.make();
    const files = new FaultyFiles();
    files.fault = (done, path) =>
      done === operation && where.test(path) ? systemError("EIO", "the disk is gone") : undefined;
    const settings = { destinations: [nodeAt("pacs", 104)] };
    await assert.rejects(Forwarder.start(scratch.path, settings, { files }), (error) => {
      assert.ok(error instanceof SpoolError, String(error));
      assert.match(error.message, /^The spool .*spool cannot be .*: the disk is gone/);
      return true;
    });
    // The lock is let go: the next attempt has a chance.
    files.fault = () => undefined;
    await (await Forwarder.start(scratch.path, settings, { files })).stop();
  });
}

Deno.test("a full quota, which the runtime has no name for, is no room: what waits is served, nothing new is taken", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const waiting = await store(spool, ["a"]);
    await spool.close();
    const numbers: Partial<Record<typeof Deno.build.os, number>> = {
      linux: 122,
      darwin: 69,
      windows: 1295,
    };
    const exceeded = new Error(`Disk quota exceeded (os error ${numbers[Deno.build.os]})`);
    directory.files.fault = (operation, path) =>
      operation === "write" && path.endsWith("probe.part") ? exceeded : undefined;
    const { spool: again, entries } = await directory.start();
    assert.deepEqual(entries.map((entry) => entry.base), [waiting.base]);
    assert.match(again.refusesNew() ?? "", /there is no room/);
    await again.close();
  }));
