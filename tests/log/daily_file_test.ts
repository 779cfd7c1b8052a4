import assert from "node:assert/strict";
import { join } from "node:path";
import {
  DailyFile,
  type DailyFileOptions,
  logFileName,
  outdated,
} from "../../src/log/daily_file.ts";

const DAY = "20261123";

/** A log in a folder of its own, closed and removed at the end, with what it told on stderr. */
async function withLog(
  run: (log: DailyFile, dir: string, told: string[]) => Promise<void>,
  options: Partial<DailyFileOptions> = {},
): Promise<void> {
  const root = await Deno.makeTempDir();
  const dir = join(root, "logs");
  const told: string[] = [];
  const log = new DailyFile({
    dir,
    retentionDays: 30,
    report: (text) => told.push(text),
    notice: (text) => `NOTICE ${text}\n`,
    ...options,
  });
  try {
    await run(log, dir, told);
  } finally {
    await log.close();
    await Deno.remove(root, { recursive: true });
  }
}

function read(dir: string, day = DAY): Promise<string> {
  return Deno.readTextFile(join(dir, logFileName(day)));
}

/** Waits until the day's file has `text`; each change of the folder is an occasion to look. */
async function appears(dir: string, text: string): Promise<void> {
  using watcher = Deno.watchFs(dir);
  const timer = setTimeout(() => watcher.close(), 10_000);
  const there = async () => (await read(dir).catch(() => "")).includes(text);
  try {
    if (await there()) return;
    for await (const _ of watcher) {
      if (await there()) return;
    }
    assert.fail(`"${text}" was not written within 10 s`);
  } finally {
    clearTimeout(timer);
  }
}

Deno.test("lines of a day are in that day's file, in their order, in a folder made for them", async () => {
  await withLog(async (log, dir) => {
    log.append("20261123", "one\n", false);
    log.append("20261123", "two\n", true);
    log.append("20261124", "three\n", false);
    await log.flush();
    assert.equal(await read(dir, "20261123"), "one\ntwo\n");
    assert.equal(await read(dir, "20261124"), "three\n");
  });
});

Deno.test("a line is written soon without anybody asking, an urgent one at once", async () => {
  await withLog(async (log, dir) => {
    await Deno.mkdir(dir);
    const began = performance.now();
    log.append(DAY, "patient\n", false);
    await appears(dir, "patient\n");
    const waited = performance.now() - began;
    assert(waited > 500, `lines are not batched: ${waited} ms`);
    log.append(DAY, "urgent\n", true);
    const urgent = performance.now();
    await appears(dir, "urgent\n");
    assert(performance.now() - urgent < 900, "an urgent line waited for the batch");
  });
});

Deno.test("lines that come while a write is under way follow it, none twice and none lost", async () => {
  await withLog(async (log, dir) => {
    let expected = "";
    for (let i = 0; i < 500; i++) {
      const line = `line ${i} ${"x".repeat(i)}\n`;
      expected += line;
      log.append(DAY, line, i % 7 === 0);
      if (i % 11 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await log.flush();
    assert.equal(await read(dir), expected);
  });
});

Deno.test("a file or folder deleted while we run comes back with the next line", async () => {
  await withLog(async (log, dir, told) => {
    log.append(DAY, "before\n", false);
    await log.flush();
    await Deno.remove(dir, { recursive: true });
    log.append(DAY, "after\n", false);
    await log.flush();
    assert.equal(await read(dir), "after\n");
    assert.deepEqual(told, []);
  });
});

Deno.test({
  name: "a log file cannot be read by everybody on the machine",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await withLog(async (log, dir) => {
      log.append(DAY, "DOE^JOHN\n", false);
      await log.flush();
      assert.equal((await Deno.stat(join(dir, logFileName(DAY)))).mode! & 0o007, 0);
    });
  },
});

Deno.test("an existing file of the day is continued", async () => {
  await withLog(async (log, dir) => {
    await Deno.mkdir(dir);
    await Deno.writeTextFile(join(dir, logFileName(DAY)), "earlier\n");
    log.append(DAY, "later\n", false);
    await log.flush();
    assert.equal(await read(dir), "earlier\nlater\n");
  });
});

Deno.test("a folder that cannot be written is told once, and lines kept arrive when it can", async () => {
  await withLog(async (log, dir, told) => {
    await Deno.writeTextFile(dir, "a file where the folder should be");
    for (const line of ["one\n", "two\n", "three\n"]) {
      log.append(DAY, line, true);
      await log.flush();
    }
    assert.equal(told.length, 1);
    assert.match(told[0]!, /cannot be written: .*tried again every second/);
    await Deno.remove(dir);
    await log.flush();
    assert.match(await read(dir), /^one\ntwo\nthree\nNOTICE .*no line is missing here\.\n$/);
    assert.equal(told.length, 2);
    assert.match(told[1]!, /could not be written for a while/);
  });
});

Deno.test({
  name:
    "on a full volume lines beyond the limit are dropped, and their number is told when there is room",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await withLog(async (log, dir, told) => {
      const path = join(dir, logFileName(DAY));
      await Deno.mkdir(dir);
      await Deno.symlink("/dev/full", path);
      for (let i = 0; i < 20; i++) log.append(DAY, `line ${i}`.padEnd(99) + "\n", true);
      await log.flush();
      assert.equal(told.length, 1);
      assert.match(told[0]!, /ENOSPC|No space left/);
      await Deno.remove(path);
      await log.flush();
      const text = await read(dir);
      assert.equal(text.match(/^line /gm)?.length, 10);
      assert.match(text, /NOTICE .*No space left.*: 10 lines are missing here\.\n/);
      assert.match(told[1]!, /10 lines are missing here/);
      log.append(DAY, "room again\n", true);
      await log.flush();
      assert.match(await read(dir), /room again\n$/);
      assert.equal(told.length, 2);
    }, { maxWaiting: 1000 });
  },
});

Deno.test("lines that never could be written are counted on stderr at the end", async () => {
  await withLog(async (log, dir, told) => {
    await Deno.writeTextFile(dir, "a file where the folder should be");
    log.append(DAY, "one\n", false);
    log.append(DAY, "two\n", false);
    await log.close();
    assert.equal(told.length, 2);
    assert.match(told[1]!, /2 log lines were never written/);
  });
});

Deno.test("what is waiting when the process ends is written before it ends", async () => {
  await withLog(async (log, dir) => {
    log.append(DAY, "last words\n", false);
    log.flushAtExit();
    assert.equal(Deno.readTextFileSync(join(dir, logFileName(DAY))), "last words\n");
    await log.close();
    assert.equal(await read(dir), "last words\n");
  });
});

Deno.test("log files older than the retention are removed, and nothing else in the folder", async () => {
  const others = [
    "dicom_forwarder_20260101.log.gz",
    "dicom_forwarder_20260101.txt",
    "dicom_forwarder_2026010.log",
    "dicom_forwarder_20261301.log",
    "old_dicom_forwarder_20260101.log",
    "notes.log",
  ];
  await withLog(async (log, dir, told) => {
    await Deno.mkdir(join(dir, "dicom_forwarder_20260102.log"), { recursive: true });
    const logs = ["20260101", "20261020", "20261023", "20261024", "20261122"].map(logFileName);
    for (const name of [...others, ...logs]) await Deno.writeTextFile(join(dir, name), "x");
    log.append(DAY, "today\n", false);
    await log.flush();
    const left = await Array.fromAsync(Deno.readDir(dir), (entry) => entry.name);
    const kept = ["20261024", "20261122", DAY].map(logFileName);
    assert.deepEqual(left.sort(), [...others, ...kept, "dicom_forwarder_20260102.log"].sort());
    assert.deepEqual(told, []);
  });
});

Deno.test("retention is looked at again when the day changes", async () => {
  await withLog(async (log, dir) => {
    log.append("20261123", "x\n", false);
    await log.flush();
    log.append("20261124", "x\n", false);
    await log.flush();
    await assert.rejects(read(dir, "20261123"), Deno.errors.NotFound);
    assert.equal(await read(dir, "20261124"), "x\n");
  }, { retentionDays: 0 });
});

Deno.test("a clock set back by days puts lines into the files of those days and removes none of the later ones", async () => {
  await withLog(async (log, dir) => {
    for (const day of ["20261123", "20261101", "20261123", "20261124"]) {
      log.append(day, `written on ${day}\n`, false);
      await log.flush();
    }
    assert.equal(await read(dir, "20261101"), "written on 20261101\n");
    assert.equal(await read(dir, "20261123"), "written on 20261123\n".repeat(2));
    assert.equal(await read(dir, "20261124"), "written on 20261124\n");
  });
});

Deno.test("age is counted in calendar days, over months, years and leap days", () => {
  const names = ["20240228", "20240229", "20240301", "20231231"].map(logFileName);
  assert.deepEqual(outdated(names, "20240302", 1), [names[0], names[1], names[3]]);
  assert.deepEqual(outdated(names, "20240302", 62), []);
  assert.deepEqual(outdated(names, "20240302", 61), [names[3]]);
});
