/*
 * Stored files on their way out: what was changed behind the spool's back is never sent as if it were whole.
 */

import assert from "node:assert/strict";
import { CorruptError } from "../../src/spool/stored_instance.ts";
import { noise } from "../helpers/hex.ts";
import { store, withSpool } from "../helpers/spools.ts";

Deno.test("a stored file changed in any byte is corrupt or not vouched for", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a"], noise(200));
    const whole = Deno.readFileSync(entry.path);
    let unnoticed = 0;
    for (let at = 0; at < whole.length; at++) {
      const changed = whole.slice();
      changed[at]! ^= 0x01;
      Deno.writeFileSync(entry.path, changed);
      try {
        const instance = spool.openEntry(entry, true)!;
        const into = new Uint8Array(instance.length);
        await instance.read(into);
        if (instance.vouch()) {
          // Only a value of the file meta may differ, never a byte of the data set.
          assert.ok(at >= 132 && at < instance.record.dataSetOffset, `byte ${at}`);
          unnoticed++;
        }
        instance.close();
      } catch (error) {
        assert.ok(error instanceof CorruptError, String(error));
      }
    }
    assert.ok(unnoticed < 250);
    for (const length of [0, 10, 128, whole.length - 1]) {
      Deno.writeFileSync(entry.path, whole.subarray(0, length));
      assert.throws(() => spool.openEntry(entry, true), CorruptError, `${length} bytes`);
    }
    await spool.close();
  }));

Deno.test("an instance read only in part, or whose file shrinks meanwhile, is not vouched for", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    for (const hot of [true, false]) {
      const entry = await store(spool, ["a"], noise(1000));
      const part = spool.openEntry(entry, hot)!;
      await part.read(new Uint8Array(999));
      assert.equal(part.vouch(), false);
      part.close();
      const shrinking = spool.openEntry(entry, hot)!;
      await shrinking.read(new Uint8Array(500));
      Deno.truncateSync(entry.path, 600);
      await shrinking.read(new Uint8Array(500));
      assert.equal(shrinking.vouch(), false);
      shrinking.close();
    }
    await spool.close();
  }));
