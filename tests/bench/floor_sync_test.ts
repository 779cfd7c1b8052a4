/* The floor of the disk writes what it says it writes. */

import assert from "node:assert/strict";
import { measureSyncFloor } from "../../bench/floor_sync.ts";
import { Scratch } from "../helpers/scratch.ts";

Deno.test("every byte of every file is written, through one buffer, also of more files than are open", async () => {
  await using scratch = await Scratch.make();
  const sizes = Array.from({ length: 70 }, (_, n) => n % 2 === 0 ? 5000 - n : n);
  const files = sizes.map((size, n) => {
    const path = scratch.at(`source-${n}`);
    Deno.writeFileSync(path, new Uint8Array(size).fill(n));
    return path;
  });
  const floor = measureSyncFloor(files, scratch.at("target"));
  assert.equal(floor.files, 70);
  assert.equal(floor.bytes, sizes.reduce((sum, size) => sum + size, 0));
  for (const [n, path] of files.entries()) {
    assert.deepEqual(Deno.readFileSync(scratch.at("target", `${n}.part`)), Deno.readFileSync(path));
  }
});
