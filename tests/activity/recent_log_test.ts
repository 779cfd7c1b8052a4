/*
 * The last lines of the log in memory: as the file has them, in their order, and no more than five hundred.
 */

import assert from "node:assert/strict";
import { LINES, RecentLog } from "../../src/activity/recent_log.ts";
import { closeLogging, configureLogging, getLog, listenToLog } from "../../src/log.ts";
import { contentsOf, Scratch } from "../helpers/scratch.ts";

Deno.test("the latest lines are kept, the oldest first, whatever number is asked for", () => {
  const recent = new RecentLog();
  assert.deepEqual(recent.read(10), []);
  for (let n = 0; n < LINES + 37; n++) recent.take(n, "info", `line ${n}`);
  assert.equal(recent.read(10_000).length, LINES);
  assert.deepEqual(recent.read(2).map(({ text }) => text), ["line 535", "line 536"]);
  assert.equal(recent.read(10_000)[0]!.text, "line 37");
  assert.deepEqual(recent.read(0), []);
});

for (const json of [false, true]) {
  Deno.test(`a listener gets each line as a sentence on one line, ${json ? "also where the file has JSON" : "as in the file"}`, async () => {
    await using scratch = await Scratch.make();
    const recent = new RecentLog();
    const stop = listenToLog((at, level, text) => recent.take(at, level, text));
    await configureLogging({
      dir: scratch.path,
      level: "debug",
      retentionDays: 1,
      console: false,
      json,
    });
    const before = Date.now();
    getLog("receiver").warn("Refused: {reason}", {
      reason: "evil\n2026-01-01 FAKE \x1b[2J",
      from: "\u202eAE TITLE",
    });
    getLog("daemon").debug("quiet");
    stop();
    getLog("daemon").info("not heard any more");
    await closeLogging();
    const lines = recent.read(10);
    assert.deepEqual(lines.map(({ level, text }) => [level, text]), [
      [
        "warning",
        'receiver  Refused: evil\\x0a2026-01-01 FAKE \\x1b[2J  from="\\u{202e}AE TITLE"',
      ],
      ["debug", "daemon    quiet"],
    ]);
    assert.ok(lines[0]!.at >= before && lines[0]!.at <= Date.now());
    if (json) return;
    const file = Deno.readTextFileSync(scratch.at(contentsOf(scratch.path)[0]!));
    for (const { text } of lines) assert.ok(file.includes(` ${text}\n`), text);
  });
}
