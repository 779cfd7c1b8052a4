/*
 * Files that a virus scanner holds, over simulated time and real files: nothing is lost, refused or sent twice, and nobody
 * waits for it.
 */

import assert from "node:assert/strict";
import { LaneGroup } from "../../src/delivery/lane_group.ts";
import { openForDelivery } from "../../src/delivery/open_entry.ts";
import { DEFAULT_BACK_OFF } from "../../src/delivery/retry.ts";
import type { EventTaker } from "../../src/ledger/event.ts";
import type { Entry } from "../../src/spool/entry.ts";
import { listFailed } from "../../src/spool/failed.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import type { Spool } from "../../src/spool/spool.ts";
import { randomFrom } from "../crash/random.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { systemError } from "../helpers/faulty_files.ts";
import { Scanner } from "../helpers/scanner.ts";
import { DELIVERED, ScriptedDestination } from "../helpers/scripted_destination.ts";
import { LITTLE_ROOM, SpoolDirectory, store, withSpool } from "../helpers/spools.ts";
import { until } from "../helpers/until.ts";

const LEDGER: EventTaker = { append: (_event, afterwards) => afterwards?.() };

/** A destination that opens each file as a real one does. */
function destinationOn(
  spool: Spool,
  clock: FakeClock,
  name: string,
  refuses: (entry: Entry) => boolean = () => false,
): ScriptedDestination {
  const destination = new ScriptedDestination(name, () => clock.now());
  destination.sessions = 2;
  destination.retryAttempts = 1;
  destination.answer = async (entry) => {
    const instance = openForDelivery(spool, entry, name, true);
    if ("kind" in instance) return instance;
    try {
      assert.equal(await instance.readThrough(), true);
    } finally {
      instance.close();
    }
    return refuses(entry) ? { kind: "refused", reason: "Cannot understand (C000)" } : DELIVERED;
  };
  return destination;
}

function groupOf(destination: ScriptedDestination, spool: Spool, clock: FakeClock): LaneGroup {
  return new LaneGroup(destination, {
    spool,
    ledger: LEDGER,
    clock,
    random: () => 0.5,
    backOff: DEFAULT_BACK_OFF,
    changed: () => {},
  });
}

async function onFakeTime(
  use: (directory: SpoolDirectory, clock: FakeClock, spool: Spool) => Promise<void>,
): Promise<void> {
  await withSpool(async (directory) => {
    const clock = directory.clock = new FakeClock();
    const { spool } = await directory.start();
    await use(directory, clock, spool);
  });
}

Deno.test("of 2,000 instances whose files a scanner holds for up to 2 s none is lost, refused or sent twice", () =>
  onFakeTime(async (directory, clock, spool) => {
    const { files } = directory;
    const scanner = new Scanner(files, clock, randomFrom(20_261_125), 2_000);
    const a = destinationOn(spool, clock, "a");
    const b = destinationOn(
      spool,
      clock,
      "b",
      (entry) => Number(entry.base.split("-")[1]) % 100 === 0,
    );
    const groups = [a, b].map((one) => groupOf(one, spool, clock));
    const all: string[] = [];
    for (let n = 0; n < 2_000; n++) {
      const entry = await store(spool, ["a", "b"]);
      all.push(entry.base);
      for (const group of groups) group.add([entry]);
      if (n % 20 === 0) await clock.advance(50);
    }
    // Opened by nobody else while it is held: a minute is enough for a few tries that count for nothing.
    for (let n = 0; n < 12; n++) {
      await clock.advance(10_000);
      await spool.settled();
    }
    assert.ok(scanner.refused > 2_000, `the scanner was in the way ${scanner.refused} times`);
    assert.deepEqual(a.delivered.toSorted(), all, "each once");
    const refused = all.filter((base) => Number(base.split("-")[1]) % 100 === 0);
    assert.deepEqual([...b.delivered, ...refused].sort(), all, "each once, but for those refused");
    const { failed } = spoolPaths(directory.path);
    const kept = () => [...listFailed(files, failed)].map((one) => one.base).sort();
    // The clock is simulated, the files are real: what they do takes its own time.
    await until(() => kept().length === refused.length, 5000, "the last one to be given up");
    assert.deepEqual(kept(), refused);
    const left = directory.listing().filter((path) => !path.startsWith("failed"));
    assert.deepEqual(left, [], "everything delivered has left the disk");
    assert.deepEqual(directory.reports, [], "and nothing of it was worth a line");
    await Promise.all([...groups.map((group) => group.stop(0)), clock.advance(1)]);
    await spool.close();
  }));

Deno.test("a delivered file held for five minutes is not sent again, told of once, and removed when it is free", () =>
  onFakeTime(async (directory, clock, spool) => {
    let held = true;
    directory.files.free = LITTLE_ROOM;
    directory.files.fault = (operation, path) =>
      held && operation === "remove" && path.endsWith(".dcm") ? systemError("EBUSY") : undefined;
    const a = destinationOn(spool, clock, "a");
    const group = groupOf(a, spool, clock);
    const entry = await store(spool, ["a"]);
    group.add([entry]);
    for (let second = 0; second < 300; second += 5) {
      await clock.advance(5_000);
      await spool.settled();
      await spool.maintain();
    }
    assert.deepEqual(a.attempted, [entry.base]);
    assert.deepEqual(directory.listing().length, 1);
    assert.equal(directory.reports.length, 1, directory.reports.join("\n"));
    assert.match(directory.reports[0]!, /Cannot remove .*, will try again/);
    assert.ok(directory.files.count("remove") < 200, "ten seconds of tries, then one a round");
    const next = await store(spool, ["a"]);
    assert.notEqual(next.path, entry.path, "its name is not used again");
    held = false;
    await spool.maintain();
    assert.equal(directory.files.exists(entry.path), false);
    await group.stop(0);
    await spool.close();
  }));

Deno.test("an instance given up while its file is held waits by itself: the others are delivered meanwhile", () =>
  onFakeTime(async (directory, clock, spool) => {
    let held = "";
    directory.files.fault = (operation, _path, from) =>
      operation === "rename" && from === held ? systemError("EBUSY") : undefined;
    const entries: Entry[] = [];
    for (let n = 0; n < 9; n++) entries.push(await store(spool, ["a"]));
    held = entries[0]!.path;
    const a = destinationOn(spool, clock, "a", (entry) => entry === entries[0]);
    a.sessions = 1;
    a.retryAttempts = 0;
    const group = groupOf(a, spool, clock);
    group.add(entries);
    await clock.advance(2_000);
    // The clock is simulated, the files are real: what they do takes its own time.
    await until(
      () => a.delivered.length === 8,
      5000,
      "the others, for which two seconds are enough",
    );
    assert.equal(entries[0]!.waitsFor("a"), true);
    held = "";
    await clock.advance(200);
    await until(() => !entries[0]!.queued, 5000, "the instance to be given up");
    assert.match(entries[0]!.path, /failed/);
    assert.equal(a.attempted.length, 9, "and it was not sent again for it");
    await group.stop(0);
    await spool.close();
  }));
