/*
 * Files that another program holds: which errors say so, how long they are waited for, and what a spool makes of them.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { isHeld, patiently, waitAfter } from "../../src/spool/held.ts";
import { listItems, retryItem } from "../../src/spool/inspect.ts";
import { TryAgain } from "../../src/spool/try_again.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { systemError } from "../helpers/faulty_files.ts";
import { commit, store, withSpool } from "../helpers/spools.ts";
import { until } from "../helpers/until.ts";

const SHARING = new Error(
  "The process cannot access the file because it is being used by another process. (os error 32)",
);

for (
  const [what, error, windows, elsewhere] of [
    ["EBUSY", systemError("EBUSY"), true, true],
    ["EPERM", systemError("EPERM"), true, false],
    ["EACCES", systemError("EACCES"), true, false],
    ["a sharing violation", SHARING, true, false],
    ["a lock violation", new Error("Locked. (os error 33)"), true, false],
    ["access denied", new Error("Access is denied. (os error 5): remove 'C:\\x'"), true, false],
    ["a full disk", systemError("ENOSPC"), false, false],
    ["a failing disk", systemError("EIO"), false, false],
    ["a file that is not there", systemError("ENOENT"), false, false],
    ["a path that does not exist", new Error("No. (os error 3)"), false, false],
    ["an error of the program", new Error("32"), false, false],
    ["no error", undefined, false, false],
  ] as const
) {
  Deno.test(`${what} passes by waiting: on Windows ${windows}, elsewhere ${elsewhere}`, () => {
    assert.equal(isHeld(error, "windows"), windows);
    assert.equal(isHeld(error, "linux"), elsewhere);
    assert.equal(isHeld(error, "darwin"), elsewhere);
  });
}

Deno.test("waits grow from 10 to 100 ms and come to ten seconds", () => {
  const waits: number[] = [];
  for (let wait = waitAfter(1); wait !== undefined; wait = waitAfter(waits.length + 1)) {
    waits.push(wait);
  }
  assert.deepEqual(waits.slice(0, 6), [10, 20, 40, 80, 100, 100]);
  assert.equal(Math.max(...waits), 100);
  const all = waits.reduce((sum, wait) => sum + wait, 0);
  assert.ok(all > 9_900 && all <= 10_000, String(all));
});

Deno.test("a step is tried until its file is free, and given up after ten seconds", async () => {
  const clock = new FakeClock();
  const after = clock.after.bind(clock);
  let tries = 0;
  const freeAfter = (most: number) => () => {
    if (++tries <= most) throw systemError("EBUSY");
    return tries;
  };
  const soon = patiently(freeAfter(5), after);
  await clock.advance(250);
  assert.equal(await soon, 6);
  tries = 0;
  const never = assert.rejects(patiently(freeAfter(Infinity), after), { code: "EBUSY" });
  await clock.advance(10_000);
  await never;
  assert.ok(tries > 100 && tries < 110, String(tries));
  tries = 0;
  await assert.rejects(
    patiently(() => {
      tries++;
      throw systemError("EIO");
    }, after),
    { code: "EIO" },
  );
  assert.equal(tries, 1, "what does not pass is not waited for");
});

Deno.test("of steps to be done again the latest for one file counts, a round tries all, and closing leaves no timer", async () => {
  const clock = new FakeClock();
  const reports: string[] = [];
  const again = new TryAgain(clock.after.bind(clock), (message) => reports.push(message));
  const done: string[] = [];
  let busy = true;
  const step = (name: string) => () => {
    if (busy) throw systemError("EBUSY");
    done.push(name);
  };
  again.add("one", "Cannot do it", systemError("EBUSY"), step("first"));
  again.add("one", "Cannot do it", systemError("EBUSY"), step("second"));
  again.add("two", "Cannot do the other", systemError("EIO"), step("other"));
  assert.deepEqual(reports, ["Cannot do the other, will try again"], "what is held is told later");
  await clock.advance(20_000);
  assert.deepEqual(reports, [
    "Cannot do the other, will try again",
    "Cannot do it, will try again",
  ]);
  assert.equal(clock.waiting, 0, "housekeeping's from now on");
  await again.round();
  assert.deepEqual([again.size, reports.length], [2, 2]);
  busy = false;
  await again.round();
  assert.deepEqual([done, again.size], [["second", "other"], 0]);
  busy = true;
  again.add("three", "Cannot", systemError("EBUSY"), step("three"));
  await again.close();
  assert.deepEqual([clock.waiting, again.size], [0, 1]);
});

Deno.test("a committed instance whose slot is held goes into the queue when it is free, and is there to be sent meanwhile", () =>
  withSpool(async (directory) => {
    const clock = directory.clock = new FakeClock();
    const { spool } = await directory.start();
    let held = true;
    directory.files.fault = (operation) =>
      held && operation === "rename" ? systemError("EBUSY") : undefined;
    const entry = await store(spool, ["a"]);
    assert.match(entry.path, /incoming/);
    spool.openEntry(entry, true)!.close();
    await clock.advance(1_500);
    held = false;
    await clock.advance(100);
    assert.match(entry.path, /queue/);
    assert.equal(directory.files.exists(entry.path), true);
    assert.deepEqual(directory.reports, []);
    await spool.close();
  }));

Deno.test("a slot that is held while the spool starts becomes an entry once it can be read", () =>
  withSpool(async (directory) => {
    const { spool: earlier } = await directory.start();
    const { path, base } = await commit(earlier);
    const route = () => Promise.resolve(["a"]);
    const clock = directory.clock = new FakeClock();
    let held = true;
    directory.files.fault = (operation, opened) =>
      held && operation === "open" && opened === path ? systemError("EBUSY") : undefined;
    const spool = await directory.open();
    const starting = spool.recover(route);
    await until(() => clock.waiting > 0, 10_000, "the slot to be read and found held");
    for (let n = 0; n < 11; n++) await clock.advance(1_000);
    assert.deepEqual(await starting, []);
    assert.match(directory.reports.join(), /Cannot read all of .*incoming/);
    assert.deepEqual(await spool.recoverLate(route), []);
    held = false;
    const [entry] = await spool.recoverLate(route);
    assert.equal(entry?.base, base);
    assert.deepEqual(await spool.recoverLate(route), [], "once");
    await spool.close();
    await earlier.close();
  }));

Deno.test("what is put back while its file is held comes back when it is free, from retry/ and with a destination", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const when = "2026-11-25T12:00:00.000Z";
    const byHand = await store(spool, ["a"]);
    await spool.fail(byHand, "a", { kind: "refused", reason: "x", when, tries: 1 });
    const [item] = listItems(directory.files, directory.path);
    retryItem(directory.files, directory.path, item!);
    const unknown = await store(spool, ["old"]);
    await spool.fail(unknown, "old", { kind: "not-configured", reason: "x", when, tries: 0 });
    let held = true;
    directory.files.fault = (operation) =>
      held && operation === "rename" ? systemError("EBUSY") : undefined;
    const configured = new Set(["a", "old"]);
    const adopt = () => spool.adoptRetries(() => Promise.resolve(["a"]), "unrouted");
    assert.deepEqual(await adopt(), []);
    assert.deepEqual(spool.restoreConfigured(configured), []);
    assert.deepEqual(spool.restoreHeldBack(configured), []);
    assert.deepEqual(directory.reports, []);
    held = false;
    assert.deepEqual((await adopt()).map((one) => one.base), [byHand.base]);
    assert.deepEqual(spool.restoreHeldBack(configured).map((one) => one.base), [unknown.base]);
    directory.files.calls.length = 0;
    assert.deepEqual(spool.restoreHeldBack(configured), []);
    await spool.close();
  }));

for (const name of ["VERSION.part", "VERSION", "probe.part"]) {
  Deno.test(`a start waits for ${name} while it is held`, () =>
    withSpool(async (directory) => {
      const clock = directory.clock = new FakeClock();
      const path = join(directory.path, name);
      let looked = 0;
      directory.files.fault = (operation, to, from) => {
        if (!["rename", "remove"].includes(operation) || (from ?? to) !== path) return undefined;
        return ++looked <= 3 ? systemError("EBUSY") : undefined;
      };
      if (name === "VERSION") {
        await (await directory.open()).close();
        directory.files.fault = (operation, opened) =>
          operation === "open" && opened === path && ++looked <= 3
            ? systemError("EBUSY")
            : undefined;
      }
      let spool: { close(): Promise<void> } | undefined;
      const opening = directory.open().then((opened) => spool = opened);
      // Real files beside a clock that stands still: time goes on when the spool waits for it.
      while (spool === undefined) await clock.advance(100);
      await opening;
      assert.ok(looked > 3, `looked at ${looked} times`);
      await spool.close();
    }));
}
