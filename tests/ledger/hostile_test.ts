/*
 * The ledger among files, disks, clocks and callers that do it no favour: what can be written is written where it is
 * found again, and nothing of it reaches delivery.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { systemError } from "../helpers/faulty_files.ts";
import { atDesk, NOON, removed } from "./desk.ts";

const TODAY = "20260115.jsonl";

Deno.test("a folder of the day's name is passed over, in writing and in reading", () =>
  atDesk(async (desk) => {
    Deno.mkdirSync(join(desk.directory, TODAY), { recursive: true });
    Deno.mkdirSync(join(desk.directory, "20260101.jsonl"));
    const ledger = desk.open();
    ledger.append(removed(1));
    await ledger.close();
    assert.deepEqual(desk.reports, []);
    assert.deepEqual(await desk.read(), { ids: ["id-1"], unreadable: 0 });
  }));

Deno.test("a file of the day that cannot be opened, as one left by another user, is passed over", () =>
  atDesk(async (desk) => {
    Deno.mkdirSync(desk.directory);
    Deno.writeTextFileSync(join(desk.directory, TODAY), "");
    const ledger = desk.open();
    desk.files.fault = (operation, path) =>
      operation === "open" && path.endsWith(TODAY) ? systemError("EACCES") : undefined;
    ledger.append(removed(1));
    await ledger.flush();
    ledger.append(removed(2));
    await ledger.close();
    assert.deepEqual(desk.reports, []);
    assert.deepEqual(desk.names(), [TODAY, "20260115-2.jsonl"]);
    assert.deepEqual((await desk.read()).ids, ["id-1", "id-2"]);
  }));

Deno.test("a file of the day whose end cannot be read is passed over, and not left open", () =>
  atDesk(async (desk) => {
    Deno.mkdirSync(desk.directory);
    Deno.writeTextFileSync(join(desk.directory, TODAY), "x");
    const ledger = desk.open();
    desk.files.fault = (operation, path) =>
      operation === "read" && path.endsWith(TODAY) ? systemError("EIO") : undefined;
    ledger.append(removed(1));
    await ledger.close();
    assert.deepEqual((await desk.read()).ids, ["id-1"]);
    assert.equal(desk.files.opened, desk.files.closed);
  }));

Deno.test("one thing that cannot be done after its line keeps back none of the others", () =>
  atDesk(async (desk) => {
    const ledger = desk.open();
    let done = 0;
    ledger.append(removed(1), () => {
      throw systemError("EMFILE");
    });
    ledger.append(removed(2), () => done++);
    await ledger.flush();
    assert.equal(done, 1);
    assert.match(desk.reports.join(), /EMFILE|failed/);
    ledger.append(removed(3), () => done++);
    await ledger.close();
    assert.equal(done, 2);
    assert.deepEqual((await desk.read()).ids, ["id-1", "id-2", "id-3"]);
  }));

Deno.test("lines go on into a new file when the day's was removed under the ledger", () =>
  atDesk(async (desk) => {
    const ledger = desk.open();
    ledger.append(removed(1));
    await ledger.flush();
    Deno.removeSync(desk.directory, { recursive: true });
    ledger.append(removed(2));
    await ledger.close();
    assert.deepEqual((await desk.read()).ids, ["id-2"]);
  }));

Deno.test("half a line that another process left while the ledger was open spoils none of the next", () =>
  atDesk(async (desk) => {
    const ledger = desk.open();
    ledger.append(removed(1));
    await ledger.flush();
    Deno.writeTextFileSync(join(desk.directory, TODAY), '{"event":"remo', { append: true });
    ledger.append(removed(2));
    await ledger.close();
    assert.deepEqual(await desk.read(), { ids: ["id-1", "id-2"], unreadable: 1 });
  }));

Deno.test("a disk that has room for a little takes what is owed bit by bit, and no line again and again", () =>
  atDesk(async (desk) => {
    desk.files.free = 0;
    const ledger = desk.open();
    desk.files.fault = (operation, path) =>
      operation === "write" && path.endsWith(".jsonl") ? systemError("ENOSPC") : undefined;
    for (let n = 0; n < 5000; n++) ledger.append(removed(n));
    await ledger.flush();
    // Room for 1500 lines a second, of which a write takes what it can before it fails.
    for (let second = 0; second < 10; second++) {
      let room = 150_000;
      desk.files.cut = (path, bytes) => {
        if (!path.endsWith(".jsonl")) return undefined;
        const taken = Math.min(bytes, room);
        room -= taken;
        desk.files.free = room;
        return taken === bytes ? undefined : { after: taken, error: systemError("ENOSPC") };
      };
      desk.files.fault = () => undefined;
      desk.files.free = room;
      await desk.clock.advance(1000);
      await ledger.flush();
    }
    desk.files.cut = () => undefined;
    await ledger.close();
    const { ids } = await desk.read();
    assert.equal(ids.length, 5000);
    assert.equal(new Set(ids).size, 5000);
    const size = Deno.statSync(join(desk.directory, TODAY)).size;
    assert.ok(size < 5000 * 110, `${size} bytes`);
  }));

const DAY_MS = 86_400_000;

Deno.test("lines of a clock that starts in 1970 are kept, and in their order", () =>
  atDesk(async (desk) => {
    const before = desk.open();
    before.append(removed(1));
    await before.close();
    desk.clock.correct(-desk.clock.now());
    const ledger = desk.open();
    ledger.append(removed(2));
    await ledger.flush();
    desk.clock.correct(NOON + DAY_MS);
    ledger.append(removed(3));
    await ledger.flush();
    ledger.maintain();
    await ledger.close();
    assert.deepEqual((await desk.read()).ids, ["id-1", "id-2", "id-3"]);
    assert.deepEqual(desk.names(), [TODAY, "20260116.jsonl"]);
  }));

Deno.test("a clock that starts in 1970 writes a first ledger that is not too old for a right one", () =>
  atDesk(async (desk) => {
    desk.clock.correct(-desk.clock.now());
    const ledger = desk.open();
    ledger.append(removed(1));
    await ledger.flush();
    desk.clock.correct(NOON);
    ledger.append(removed(2));
    await ledger.flush();
    ledger.maintain();
    await ledger.close();
    assert.deepEqual((await desk.read()).ids, ["id-1", "id-2"]);
  }));

Deno.test("a clock that jumps ahead by years takes nothing of the ledger away", () =>
  atDesk(async (desk) => {
    const ledger = desk.open();
    ledger.append(removed(1));
    await ledger.flush();
    desk.clock.correct(70 * 365 * DAY_MS);
    ledger.append(removed(2));
    await ledger.flush();
    ledger.maintain();
    desk.clock.correct(-70 * 365 * DAY_MS);
    ledger.append(removed(3));
    await ledger.close();
    assert.deepEqual((await desk.read()).ids.sort(), ["id-1", "id-2", "id-3"]);
  }));

Deno.test("a folder with an old day's name keeps no old file from going", () =>
  atDesk(async (desk) => {
    Deno.mkdirSync(join(desk.directory, "20251201.jsonl", "notes"), { recursive: true });
    for (const name of ["20251202.jsonl", "20260114.jsonl"]) {
      Deno.writeTextFileSync(join(desk.directory, name), "");
    }
    const ledger = desk.open(10);
    assert.deepEqual(desk.names(), ["20251201.jsonl", "20260114.jsonl"]);
    await ledger.close();
  }));

Deno.test("a line of any length is one that cannot be read, and what it ends with is no line", () =>
  atDesk(async (desk) => {
    Deno.mkdirSync(desk.directory);
    const line = JSON.stringify({ ...removed(7), at: "" });
    const path = join(desk.directory, TODAY);
    // Read in pieces of 128 KiB: the event begins where one ends.
    const junk = "x".repeat(256 * 1024);
    Deno.writeTextFileSync(path, `${junk}${line}\n${junk}\n${line}\n`);
    assert.deepEqual(await desk.read(), { ids: ["id-7"], unreadable: 2 });
  }));
