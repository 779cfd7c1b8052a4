/*
 * A start on a disk that fails: one sentence about the spool, which the program answers with exit code 4, not a defect.
 */

import assert from "node:assert/strict";
import { SpoolError } from "../../src/spool/version.ts";
import { FaultyFiles, type Operation, systemError } from "../helpers/faulty_files.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { Scratch } from "../helpers/scratch.ts";

const FAULTS: readonly (readonly [Operation, RegExp, string])[] = [
  ["open", /VERSION$/, "the version cannot be written"],
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
