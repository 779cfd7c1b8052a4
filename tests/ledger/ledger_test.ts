/*
 * Writing the ledger: lines are on the disk before what they allow is done, whatever the disk does, and delivery never
 * waits for a disk that does not take them.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { systemError } from "../helpers/faulty_files.ts";
import { atDesk, removed } from "./desk.ts";

Deno.test("lines that come together are synced together, and what they allow is done after the sync", () =>
  atDesk(async (desk) => {
    const ledger = desk.open();
    const done: string[] = [];
    desk.files.calls.length = 0;
    for (let n = 0; n < 10; n++) {
      ledger.append(removed(n), () => {
        done.push(desk.files.calls.map((call) => call.operation).join(" "));
      });
    }
    assert.deepEqual(done, []);
    await desk.clock.advance(49);
    assert.deepEqual(done, [], "others are waited for");
    await desk.clock.advance(1);
    await ledger.flush();
    assert.equal(done.length, 10);
    assert.match(done[0]!, /write syncData syncDirectory$/);
    assert.equal(desk.files.count("syncData"), 1);
    assert.deepEqual((await desk.read()).ids, Array.from({ length: 10 }, (_, n) => `id-${n}`));
    ledger.append(removed(10));
    await ledger.close();
    assert.equal(desk.files.count("syncDirectory"), 1, "the file's name is on the disk already");
    assert.equal((await desk.read()).ids.length, 11);
  }));

Deno.test("a thousand lines do not wait for the timer", () =>
  atDesk(async (desk) => {
    const ledger = desk.open();
    for (let n = 0; n < 999; n++) ledger.append(removed(n));
    assert.equal(desk.files.count("syncData"), 0);
    ledger.append(removed(999));
    assert.equal(desk.files.count("syncData"), 1);
    await ledger.close();
    assert.equal((await desk.read()).ids.length, 1000);
  }));

Deno.test("each UTC day has a file, and the time of a line is the day it is in", () =>
  atDesk(async (desk) => {
    const ledger = desk.open();
    ledger.append(removed(1));
    await ledger.flush();
    await desk.clock.advance(12 * 3_600_000);
    ledger.append(removed(2));
    await ledger.close();
    assert.deepEqual(desk.names(), ["20260115.jsonl", "20260116.jsonl"]);
    const second = Deno.readTextFileSync(join(desk.directory, "20260116.jsonl"));
    assert.match(second, /^\{"event":"removed","id":"id-2","at":"2026-01-16T00:00:00/);
  }));

Deno.test("a line that a crash cut short does not spoil the next one", () =>
  atDesk(async (desk) => {
    const first = desk.open();
    first.append(removed(1));
    await first.close();
    const path = join(desk.directory, "20260115.jsonl");
    Deno.writeTextFileSync(path, '{"event":"removed","id":"id-', { append: true });
    const second = desk.open();
    second.append(removed(2));
    await second.close();
    assert.deepEqual(await desk.read(), { ids: ["id-1", "id-2"], unreadable: 1 });
  }));

Deno.test("after a failed sync the same lines go into another file, and nothing they allow is done before", () =>
  atDesk(async (desk) => {
    const ledger = desk.open();
    ledger.append(removed(1));
    await ledger.flush();
    let syncs = 0;
    let done = 0;
    desk.files.fault = (operation) =>
      operation === "syncData" && ++syncs === 1 ? systemError("EIO") : undefined;
    ledger.append(removed(2), () => done = syncs);
    await ledger.flush();
    assert.equal(done, 2);
    ledger.append(removed(3));
    await ledger.close();
    assert.deepEqual(desk.names(), ["20260115.jsonl", "20260115-2.jsonl"]);
    assert.deepEqual((await desk.read()).ids, ["id-1", "id-2", "id-2", "id-3"]);
    assert.deepEqual(desk.reports, []);
    // The next process goes on in the newest file of the day.
    const next = desk.open();
    next.append(removed(4));
    await next.close();
    assert.equal(desk.names().length, 2);
  }));

Deno.test("a full disk costs the reserve, and the reserve comes back with the room", () =>
  atDesk(async (desk) => {
    const ledger = desk.open();
    const reserve = join(desk.directory, "RESERVE");
    assert.equal(Deno.statSync(reserve).size, 256 * 1024);
    desk.files.fault = (operation, path) =>
      operation === "write" && path.endsWith(".jsonl") && desk.files.exists(reserve)
        ? systemError("ENOSPC")
        : undefined;
    let done = false;
    ledger.append(removed(1), () => done = true);
    await ledger.flush();
    assert.equal(done, true);
    assert.deepEqual(desk.reports, []);
    assert.deepEqual((await desk.read()).ids, ["id-1"]);
    desk.files.free = 1024;
    ledger.maintain();
    assert.equal(desk.files.exists(reserve), false, "there is no room yet");
    desk.files.fault = () => undefined;
    desk.files.free = 1 << 30;
    ledger.maintain();
    assert.equal(desk.files.exists(reserve), true);
    await ledger.close();
  }));

for (const code of ["ENOSPC", "EIO", "EMFILE"]) {
  Deno.test(`while the ledger cannot be written (${code}) delivery goes on, and its lines are written when it can`, () =>
    atDesk(async (desk) => {
      const ledger = desk.open();
      desk.files.fault = (operation, path) =>
        ["write", "open"].includes(operation) && path.endsWith(".jsonl")
          ? systemError(code)
          : undefined;
      let done = 0;
      for (let n = 1; n <= 3; n++) {
        ledger.append(removed(n), () => done++);
        await ledger.flush();
      }
      assert.equal(done, 3);
      assert.equal(desk.reports.length, 1, "told once");
      assert.match(desk.reports[0]!, /ledger cannot be written; delivery goes on/);
      desk.files.fault = () => undefined;
      await desk.clock.advance(1000);
      await ledger.flush();
      assert.match(desk.reports[1]!, /written again; nothing of it is lost/);
      assert.deepEqual((await desk.read()).ids, ["id-1", "id-2", "id-3"]);
      assert.equal(desk.names().length, 1, "no file is left of each attempt");
      assert.equal(done, 3, "nothing is done twice");
      await ledger.close();
    }));
}

Deno.test("part of a batch that a full disk took is a broken line, and the batch comes whole behind it", () =>
  atDesk(async (desk) => {
    const ledger = desk.open();
    ledger.append(removed(1));
    await ledger.flush();
    const path = join(desk.directory, "20260115.jsonl");
    let failed = false;
    desk.files.fault = (operation, file) => {
      if (operation !== "write" || file !== path || failed) return undefined;
      failed = true;
      Deno.writeTextFileSync(path, '{"event":"rem', { append: true });
      return systemError("ENOSPC");
    };
    ledger.append(removed(2));
    await ledger.close();
    assert.deepEqual(await desk.read(), { ids: ["id-1", "id-2"], unreadable: 1 });
  }));

Deno.test("files older than the retention go, and nothing else in the folder", () =>
  atDesk(async (desk) => {
    Deno.mkdirSync(desk.directory);
    for (const name of ["20251231.jsonl", "20260104.jsonl", "20260105-2.jsonl", "notes.txt"]) {
      Deno.writeTextFileSync(join(desk.directory, name), "");
    }
    const ledger = desk.open(10);
    assert.deepEqual(desk.names(), ["20260105-2.jsonl"]);
    assert.ok(desk.files.exists(join(desk.directory, "notes.txt")));
    await ledger.close();
  }));

Deno.test("two writers on one file leave every line of both whole", () =>
  atDesk(async (desk) => {
    const daemon = desk.open();
    const person = desk.open();
    for (let n = 0; n < 50; n++) {
      daemon.append(removed(n));
      person.append(removed(1000 + n));
      await Promise.all([daemon.flush(), person.flush()]);
    }
    await daemon.close();
    await person.close();
    const { ids, unreadable } = await desk.read();
    assert.equal(new Set(ids).size, 100);
    assert.equal(unreadable, 0);
  }));

Deno.test("a folder that cannot be made keeps nobody from starting", () =>
  atDesk(async (desk) => {
    desk.files.fault = (operation) =>
      operation === "makeDirectory" ? systemError("ENOSPC") : undefined;
    const ledger = desk.open();
    assert.match(desk.reports[0]!, /Cannot tidy the ledger's folder/);
    let done = false;
    ledger.append(removed(1), () => done = true);
    await ledger.flush();
    assert.equal(done, true);
    desk.files.fault = () => undefined;
    await ledger.close();
    assert.deepEqual((await desk.read()).ids, ["id-1"]);
  }));
