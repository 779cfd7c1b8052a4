/*
 * Spools at short and long paths, with blanks and letters of all kinds in them.
 */

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { lockSpool } from "../../src/spool/lock.ts";
import { realFileSystem } from "../../src/spool/file_system.ts";
import { Spool } from "../../src/spool/spool.ts";
import { judgeVolume, LONGEST_ROOT } from "../../src/spool/volume.ts";
import { probeVolume } from "../../src/spool/volume_probe.ts";
import { Scratch } from "../helpers/scratch.ts";
import { commit, store } from "../helpers/spools.ts";

const TWELVE = Array.from({ length: 12 }, (_, n) => `destination-${1000 + n}`);

/** A path below `above` of so many characters, no folder's name longer than 40 of them. */
function rootOf(above: string, filler: string, length: number): string {
  const room = length - above.length - 1;
  const text = filler.repeat(room).slice(0, room - 1);
  const folders = text.replace(/(.{40})./g, "$1/").replace(/ \/|\/ /g, "x/");
  return join(above, `${folders}y`);
}

for (
  const [what, filler] of [["x", "x"], ["blanks", "a b"], ["ü", "ü"], ["CJK", "医療"]] as const
) {
  for (const long of [false, true]) {
    Deno.test(`a spool whose path has ${long ? LONGEST_ROOT : "few"} characters, of ${what}, works from start to start`, async () => {
      await using scratch = await Scratch.make();
      const length = long ? LONGEST_ROOT : scratch.path.length + 5;
      const directory = rootOf(scratch.path, filler, length);
      assert.ok(directory.length <= LONGEST_ROOT && (!long || directory.length > 140));
      const open = () =>
        Spool.open({
          directory,
          files: realFileSystem,
          now: Date.now,
          minimumFreeSpace: 0,
          report: (message, error) => {
            throw new Error(message, { cause: error });
          },
        });
      (await lockSpool(directory)).release();
      assert.notEqual(judgeVolume(probeVolume(directory)).kind, "unusable");
      const spool = await open();
      await spool.recover(() => Promise.resolve([]));
      const entry = await store(spool, TWELVE);
      assert.equal(dirname(dirname(dirname(entry.path))), directory);
      const reason = { kind: "refused", reason: "x", when: "", tries: 1 } as const;
      await spool.fail(entry, TWELVE[0]!, reason);
      for (const name of TWELVE.slice(1)) spool.delivered(entry, name);
      await spool.settled();
      const { base } = await commit(spool);
      await spool.close();
      const again = await open();
      const [recovered, ...more] = await again.recover(() => Promise.resolve(["a"]));
      assert.deepEqual([recovered?.base, more.length], [base, 0]);
      await again.close();
    });
  }
}
