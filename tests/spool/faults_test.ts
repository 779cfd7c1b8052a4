/*
 * A disk that fails: what is committed is never lost, what is not is never promised, and the spool tells.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { hashStudy } from "../../src/spool/entry_name.ts";
import { lockSpool, spoolIsLocked } from "../../src/spool/lock.ts";
import { SpoolError } from "../../src/spool/version.ts";
import { systemError } from "../helpers/faulty_files.ts";
import { noise } from "../helpers/hex.ts";
import { commit, LITTLE_ROOM, META, store, withSpool } from "../helpers/spools.ts";

Deno.test("after a failed sync the slot is gone, never synced again, and nothing new is taken until a probe passes", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const delivered = await store(spool, ["a"]);
    directory.files.calls.length = 0;
    directory.files.fault = (operation) =>
      operation === "syncData" ? systemError("EIO") : undefined;
    await assert.rejects(commit(spool), { code: "EIO" });
    assert.equal(directory.files.count("syncData"), 1);
    assert.equal(directory.listing().length, 1, "only the earlier instance is left");
    assert.match(spool.refusesNew()!, /failed to sync/);
    await spool.maintain();
    assert.match(spool.refusesNew()!, /failed to sync/, "the probe failed, too");
    spool.delivered(delivered, "a");
    await spool.settled();
    assert.deepEqual(directory.listing().filter((path) => path.endsWith(".dcm")), []);
    directory.files.fault = () => undefined;
    await spool.maintain();
    assert.equal(spool.refusesNew(), undefined);
    await store(spool, ["a"]);
    await spool.close();
  }));

for (const at of [1, 2, 3]) {
  Deno.test(`a disk full at write ${at} of an instance is an error with its code, and leaves no file`, () =>
    withSpool(async (directory) => {
      const { spool } = await directory.start();
      let writes = 0;
      directory.files.fault = (operation) =>
        operation === "write" && ++writes === at ? systemError("ENOSPC") : undefined;
      const incoming = await spool.begin(META);
      await assert.rejects(async () => {
        try {
          for (let n = 0; n < 10; n++) incoming.write(noise(50_000));
          await incoming.commit(hashStudy("1"));
        } catch (error) {
          incoming.discard();
          incoming.discard();
          throw error;
        }
      }, { code: "ENOSPC" });
      assert.deepEqual(directory.listing(), []);
      assert.equal(spool.refusesNew(), undefined, "a full disk is no broken disk");
      await store(spool, ["a"]);
      await spool.close();
    }));
}

Deno.test("a rename that fails after the commit leaves the instance deliverable, and a start finds it", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    directory.files.fault = (operation) => operation === "rename" ? systemError("EIO") : undefined;
    const entry = await store(spool, ["a", "b"]);
    assert.match(directory.reports.join(), /Cannot rename/);
    assert.match(entry.path, /incoming/);
    const instance = spool.openEntry(entry, true)!;
    await instance.read(new Uint8Array(instance.length));
    assert.equal(instance.vouch(), true);
    instance.close();
    directory.files.fault = () => undefined;
    const { entries, spool: again } = await directory.start(["a", "b"]);
    assert.equal(entries.length, 1);
    assert.equal(entries[0]!.base, entry.base, "the same instance under the same name");
    await again.close();
  }));

Deno.test("a rename that fails when one of two is served goes on in memory and says at worst too much", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a", "b"]);
    directory.files.fault = (operation) => operation === "rename" ? systemError("EIO") : undefined;
    spool.delivered(entry, "a");
    await spool.settled();
    assert.equal(entry.waitsFor("a"), false);
    directory.files.fault = () => undefined;
    spool.delivered(entry, "b");
    await spool.settled();
    assert.deepEqual(directory.listing(), []);
    await spool.close();
  }));

Deno.test("a delivered file that cannot be removed is removed later", () =>
  withSpool(async (directory) => {
    directory.files.free = LITTLE_ROOM;
    const { spool } = await directory.start();
    const entry = await store(spool, ["a"]);
    directory.files.fault = (operation, path) =>
      operation === "remove" && path === entry.path ? systemError("EBUSY") : undefined;
    spool.delivered(entry, "a");
    await spool.settled();
    assert.equal(entry.queued, false);
    await spool.maintain();
    assert.equal(directory.listing().length, 1);
    directory.files.fault = () => undefined;
    await spool.maintain();
    assert.deepEqual(directory.listing(), []);
    const removals = directory.files.count("remove");
    await spool.maintain();
    assert.equal(directory.files.count("remove"), removals, "and is forgotten then");
    await spool.close();
  }));

Deno.test("a failing move to failed/ keeps the instance in the queue", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a"]);
    directory.files.fault = (operation, path) =>
      operation === "rename" && path.includes("failed") ? systemError("EIO") : undefined;
    const reason = { kind: "refused", reason: "x", when: "", tries: 1 } as const;
    await assert.rejects(spool.fail(entry, "a", reason), { code: "EIO" });
    assert.equal(entry.waitsFor("a"), true);
    assert.ok(spool.openEntry(entry, true)?.close() === undefined);
    directory.files.fault = () => undefined;
    await spool.fail(entry, "a", reason);
    assert.equal(entry.queued, false);
    await spool.close();
  }));

Deno.test("without room for the reason the instance still goes to failed/", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a"]);
    directory.files.fault = (operation, path) =>
      operation === "write" && path.endsWith(".json") ? systemError("ENOSPC") : undefined;
    await spool.fail(entry, "a", { kind: "refused", reason: "x", when: "", tries: 1 });
    assert.match(entry.path, /failed.a/);
    assert.match(directory.reports.join(), /Cannot write the reason/);
    await spool.close();
  }));

Deno.test("slots that cannot be made are an error for who wants one, and come back with the disk", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    directory.files.fault = (operation, path) => {
      if (operation !== "open" || !path.endsWith(".part")) return undefined;
      try {
        Deno.statSync(path);
        return undefined;
      } catch {
        return systemError("EMFILE");
      }
    };
    let taken = 0;
    await assert.rejects(async () => {
      for (; taken < 100; taken++) await store(spool, ["a"], noise(10, taken + 1));
    }, { code: "EMFILE" });
    assert.equal(taken, 32, "all that were ready were used");
    directory.files.fault = () => undefined;
    await store(spool, ["a"]);
    await spool.close();
  }));

Deno.test("where only a few slots can be made, those serve: none of them is thrown away for the rest", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    for (let n = 0; n < 16; n++) await store(spool, ["a"], noise(10, n + 1));
    await spool.settled();
    // No more than four can be made at a time, half of which are let go for others.
    let made = 0;
    directory.files.fault = (operation, path) => {
      if (operation === "syncDirectory") made = 0;
      if (operation !== "open" || !path.endsWith(".part") || directory.files.exists(path)) {
        return undefined;
      }
      return made++ < 4 ? undefined : systemError("EMFILE");
    };
    for (let n = 0; n < 40; n++) await store(spool, ["a"], noise(10, n + 100));
    await spool.close();
  }));

Deno.test("below the minimum of free space nothing new is taken, and the reason names figure and key", () =>
  withSpool(async (directory) => {
    const spool = await directory.open(1000);
    directory.files.free = 999;
    assert.match(spool.refusesNew()!, /999 bytes .* minimum_free_space is 1000/);
    directory.files.free = 1000;
    assert.ok(spool.refusesNew() !== undefined, "asked for at most every 250 ms");
    directory.time += 250;
    assert.equal(spool.refusesNew(), undefined);
    directory.files.free = undefined;
    directory.time += 250;
    assert.equal(spool.refusesNew(), undefined, "a file system without the figure has room");
    await spool.close();
  }));

Deno.test("a disk that does not sync refuses the start", () =>
  withSpool(async (directory) => {
    directory.files.fault = (operation) =>
      operation === "syncData" ? systemError("EIO") : undefined;
    await assert.rejects(directory.open(), (error: unknown) => {
      assert.ok(error instanceof SpoolError);
      assert.match(error.message, /cannot be written and synced/);
      return true;
    });
  }));

for (const operation of ["makeDirectory", "write", "syncDirectory"] as const) {
  Deno.test(`a disk that has no room to make a spool (${operation}) refuses the start as the spool's trouble, not the program's`, () =>
    withSpool(async (directory) => {
      directory.files.fault = (each) => each === operation ? systemError("ENOSPC") : undefined;
      await assert.rejects(directory.open(), (error: unknown) => {
        assert.ok(error instanceof SpoolError, String(error));
        assert.match(error.message, /The spool .* cannot be written and synced/);
        return true;
      });
    }));
}

Deno.test("closing removes the slots that wait, and one that a person removed is no matter", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const incoming = join(directory.path, "incoming");
    const slots = [...Deno.readDirSync(incoming)];
    assert.equal(slots.length, 32);
    Deno.removeSync(join(incoming, slots[10]!.name));
    await spool.close();
    assert.deepEqual([...Deno.readDirSync(incoming)], []);
  }));

Deno.test("a lock is held against a second process for as long as the first lives, and no longer", () =>
  withSpool(async (directory) => {
    assert.equal(spoolIsLocked(directory.path), false);
    const held = await lockSpool(directory.path);
    assert.equal(spoolIsLocked(directory.path), true);
    const module = new URL("../../src/spool/lock.ts", import.meta.url).href;
    const script = join(directory.path, "second.ts");
    Deno.writeTextFileSync(
      script,
      `import { lockSpool } from ${JSON.stringify(module)};
       try {
         await lockSpool(${JSON.stringify(directory.path)});
         console.log("locked");
         setInterval(() => {}, 1000);
       } catch (error) {
         console.log(error.name + ": " + error.message);
       }`,
    );
    const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
    const second = () =>
      new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-lock", "--config", config, script],
        stdout: "piped",
        stderr: "inherit",
      });
    const { stdout } = await second().output();
    assert.match(new TextDecoder().decode(stdout), /SpoolError: .* in use by another/);

    held.release();
    assert.equal(spoolIsLocked(directory.path), false);
    const child = second().spawn();
    const reader = child.stdout.getReader();
    assert.match(new TextDecoder().decode((await reader.read()).value), /^locked/);
    assert.equal(spoolIsLocked(directory.path), true);
    await assert.rejects(lockSpool(directory.path), SpoolError);
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    const again = await lockSpool(directory.path);
    again.release();
  }));

for (const length of [52_000, 300_000]) {
  Deno.test(`an instance of ${length} bytes whose process dies in the middle of any write was never committed, and is not damaged`, async () => {
    for (let at = 1; at <= 4; at++) {
      await withSpool(async (directory) => {
        const { spool } = await directory.start();
        let writes = 0;
        const error = systemError("KILLED");
        // What a killed process had written of it is whole pages.
        directory.files.cut = (_, bytes) =>
          ++writes === at ? { after: Math.min(32_768, bytes >> 1) & ~4095, error } : undefined;
        // A process that is dead does not tidy up either.
        directory.files.fault = (operation) => operation === "remove" ? error : undefined;
        const bytes = noise(length);
        const died = await commit(spool, bytes).then(() => false, () => true);
        directory.files.cut = () => undefined;
        directory.files.fault = () => undefined;
        const { spool: again, entries } = await directory.start();
        assert.equal(entries.length, died ? 0 : 1);
        assert.deepEqual([...directory.files.list(join(directory.path, "corrupt"))], []);
        await again.close();
      });
    }
  });
}
