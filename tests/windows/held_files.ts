/*
 * To be run by hand on Windows, or in a lab under wine (`held_files.sh`): a spool on real files beside another program that
 * really holds them. Says what it has proved, a line each, and ends with 1 where something is otherwise.
 *
 *     deno run -A tests/windows/held_files.ts SCANNER.EXE [INSTANCES]
 */

// deno-lint-ignore-file no-console

import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { LaneGroup } from "../../src/delivery/lane_group.ts";
import { openForDelivery } from "../../src/delivery/open_entry.ts";
import { hashStudy } from "../../src/spool/entry_name.ts";
import { realFileSystem } from "../../src/spool/file_system.ts";
import { listItems } from "../../src/spool/inspect.ts";
import { lockSpool } from "../../src/spool/lock.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import { Spool } from "../../src/spool/spool.ts";
import { judgeVolume } from "../../src/spool/volume.ts";
import { probeVolume } from "../../src/spool/volume_probe.ts";
import { DELIVERED, ScriptedDestination } from "../helpers/scripted_destination.ts";
import { commit, META, store } from "../helpers/spools.ts";
import { pass, until } from "../helpers/until.ts";

const MOST_MS = 2_000;
const SEED = 20_261_125;
const LARGE = new Uint8Array(150_000);

const [scanner, instances = "500"] = Deno.args;
if (Deno.build.os !== "windows" || scanner === undefined) {
  console.log("skipped: this is about Windows, and wants the path of scanner.exe");
  Deno.exit(0);
}
const scannerPath = scanner;

/** Starts the scanner; resolves when it has said its first line. */
async function start(...args: string[]) {
  const child = new Deno.Command(scannerPath, { args, stdin: "null", stdout: "piped" }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const first = (await lines.read()).value?.trim();
  let last = first;
  const reading = (async () => {
    for (let read = await lines.read(); !read.done; read = await lines.read()) {
      last = read.value.trim().split(/\s+/).at(-1);
    }
  })();
  assert.match(first ?? "", /watching|held/, `the scanner says ${first}`);
  return {
    /** Ends it; what it said last. */
    async end(): Promise<string | undefined> {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
      await child.status;
      await reading;
      return last;
    },
    ended: child.status,
  };
}

const reports: string[] = [];

function open(directory: string): Promise<Spool> {
  return Spool.open({
    directory,
    files: realFileSystem,
    now: Date.now,
    minimumFreeSpace: 0,
    report: (message, error) => reports.push(`${message}: ${error}`),
  });
}

function destinationOf(spool: Spool, name: string): ScriptedDestination {
  const destination = new ScriptedDestination(name, Date.now);
  destination.answer = async (entry) => {
    const instance = openForDelivery(spool, entry, name, true);
    if ("kind" in instance) return instance;
    try {
      assert.equal(await instance.readThrough(), true);
    } finally {
      instance.close();
    }
    return DELIVERED;
  };
  return destination;
}

function groupOf(destination: ScriptedDestination, spool: Spool): LaneGroup {
  return new LaneGroup(destination, {
    spool,
    ledger: { append: (_event, afterwards) => afterwards?.() },
    clock: systemClock,
    random: Math.random,
    backOff: { firstMs: 500, mostMs: 2_000 },
    changed: () => {},
  });
}

function left(directory: string): string[] {
  const { queue, incoming, failed } = spoolPaths(directory);
  const found = [...listItems(realFileSystem, directory)].map((item) => item.path);
  for (const folder of [incoming, queue, failed]) {
    for (const name of realFileSystem.list(folder)) {
      const path = join(folder, name);
      if (name.endsWith(".part") && Deno.statSync(path).size > 0) found.push(path);
    }
  }
  return found;
}

async function manyHeld(root: string, wanted: number): Promise<void> {
  const directory = join(root, "many");
  const spool = await open(directory);
  await spool.recover(() => Promise.resolve([]));
  const { incoming, queue } = spoolPaths(directory);
  const watching = [
    await start("watch", incoming, String(MOST_MS), String(SEED)),
    await start("watch", queue, String(MOST_MS), String(SEED + 1)),
  ];
  const destinations = ["a", "b"].map((name) => destinationOf(spool, name));
  const groups = destinations.map((one) => groupOf(one, spool));
  const all: string[] = [];
  let slowest = 0;
  for (let n = 0; n < wanted; n++) {
    // Long enough to be in the file before it is complete, as from a network, so that the scanner is there first.
    const receiving = await spool.begin({ ...META, sopInstanceUid: `1.2.3.${n}` });
    receiving.write(LARGE);
    receiving.write(LARGE);
    await pass(20);
    const begun = performance.now();
    // Studies of their own, so that the queue's folders stay small.
    const committed = await receiving.commit(hashStudy(`1.2.${n}`));
    slowest = Math.max(slowest, performance.now() - begun);
    const entry = spool.enqueue(committed, ["a", "b"]);
    all.push(entry.base);
    systemClock.after(n % 3 * 100, () => {
      for (const group of groups) group.add([entry]);
    });
  }
  const done = () => destinations.every((one) => one.delivered.length >= wanted);
  await until(done, 120_000, () => `${destinations.map((one) => one.delivered.length)}`);
  const held = await Promise.all(watching.map((one) => one.end()));
  await until(
    async () => {
      await spool.settled();
      await spool.maintain();
      return left(directory).length === 0;
    },
    30_000,
    () => `files to go: ${left(directory).slice(0, 3)}`,
  );
  for (const one of destinations) assert.deepEqual(one.delivered.toSorted(), all.toSorted());
  const times = held.reduce((sum, one) => sum + (Number(one) || 0), 0);
  assert.ok(times > wanted / 2, `the scanners held ${held} files`);
  await Promise.all(groups.map((group) => group.stop(0)));
  await spool.close();
  console.log(
    `proved: ${wanted} instances for two destinations, ${times}+ times a file held for up to ${MOST_MS} ms: ` +
      `0 lost, 0 refused, 0 sent twice; slowest commit ${
        Math.round(slowest)
      } ms; ${reports.length} lines for the log`,
  );
  for (const report of reports.splice(0).slice(0, 5)) console.log(`  ${report}`);
}

async function oneHeld(root: string): Promise<void> {
  const directory = join(root, "one");
  const spool = await open(directory);
  await spool.recover(() => Promise.resolve([]));
  const entry = await store(spool, ["a"]);
  const holding = await start("hold", entry.path, "15000");
  const destination = destinationOf(spool, "a");
  const group = groupOf(destination, spool);
  group.add([entry]);
  await until(() => destination.delivered.length === 1, 5_000, "the delivery");
  await pass(12_000);
  assert.deepEqual(destination.attempted, [entry.base]);
  assert.equal(realFileSystem.exists(entry.path), true);
  assert.equal(reports.length, 1, reports.join("\n"));
  await spool.maintain();
  await holding.ended;
  await spool.maintain();
  assert.equal(realFileSystem.exists(entry.path), false);
  assert.equal(reports.splice(0).length, 1);
  await group.stop(0);
  await spool.close();
  console.log(
    "proved: a delivered file held for 15 s is sent once, told of once, and removed when it is free",
  );
}

/** A start, an instance through the queue to `failed/`, and a second start; the longest path in it. */
async function passesThrough(directory: string): Promise<number> {
  const names = Array.from({ length: 12 }, (_, n) => `destination-${1000 + n}`);
  (await lockSpool(directory)).release();
  const spool = await open(directory);
  await spool.recover(() => Promise.resolve([]));
  const entry = await store(spool, names);
  const longest = entry.path.length;
  spool.countTry(entry, names[0]!);
  const reason = { kind: "refused", reason: "x", when: "", tries: 1 } as const;
  await spool.fail(entry, names[0]!, reason);
  for (const name of names.slice(1)) spool.delivered(entry, name);
  await spool.settled();
  const committed = await commit(spool);
  assert.equal(realFileSystem.exists(committed.path), true);
  const again = await open(directory);
  const [recovered] = await again.recover(() => Promise.resolve(["a"]));
  assert.equal(recovered?.base, committed.base);
  again.delivered(recovered!, "a");
  await again.close();
  await spool.close();
  assert.deepEqual(reports.splice(0), []);
  return longest;
}

async function roots(root: string): Promise<void> {
  for (const [what, filler] of [["plain", "x"], ["blanks", "a b"], ["ü", "ü"], ["CJK", "医療"]]) {
    for (const length of [root.length + 5, 150, 200, 259]) {
      const room = length - root.length - 1;
      const text = filler!.repeat(room).slice(0, room - 1);
      // No folder's name may be longer than 255 bytes where wine keeps it.
      const folders = text.replace(/(.{40})./g, "$1\\").replaceAll(" \\", "x\\").replaceAll(
        "\\ ",
        "\\x",
      );
      const directory = join(root, `${folders}y`);
      assert.equal(directory.length, length);
      const longest = await passesThrough(directory);
      const { kind } = judgeVolume(probeVolume(directory));
      assert.equal(kind, length > 150 ? "unusable" : "sound");
      console.log(`proved: a root of ${length} (${what}) works, longest path ${longest}: ${kind}`);
    }
  }
}

const root = Deno.makeTempDirSync({ prefix: "held-" });
try {
  await roots(root);
  await oneHeld(root);
  await manyHeld(root, Number(instances));
} finally {
  try {
    Deno.removeSync(root, { recursive: true });
  } catch {
    // Somebody still has a file of it open.
  }
}
