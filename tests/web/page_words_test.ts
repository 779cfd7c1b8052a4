/*
 * What the status pages say, without a browser: the sentence at the top, figures and times, the plot's columns, new lines.
 */

import assert from "node:assert/strict";
import type { Overview } from "../../src/control/views.ts";
import { bytes, duration, latency, personName, until } from "../../src/web/assets/format.js";
import { newLines } from "../../src/web/assets/log_lines.js";
import { columns, merge } from "../../src/web/assets/steps.js";
import { findings, gist } from "../../src/web/assets/verdict.js";
import { allWell, firstStart, pacsDown } from "./scenes.ts";

const NOW = 1_795_000_000_000;
const now = () => NOW;

function first(overview: Overview): string {
  return findings(overview, NOW)[0]!.text;
}

Deno.test("one sentence says that all is well, and how much is on its way", () => {
  const well = allWell({ now }).overview();
  assert.equal(first(well), "All is well: 3 destinations reachable, nothing waits.");
  assert.equal(
    first({ ...well, queued: 120, heldForStudy: 5 }),
    "All is well: 3 destinations reachable, 125 images are on the way, 5 of them until their study is complete.",
  );
  const [one, ...others] = well.destinations;
  const untried = { ...well, destinations: [{ ...one!, lastAnswerAt: null }, ...others] };
  assert.equal(
    first(untried),
    "All is well: 2 of 3 destinations reachable, the rest not tried yet, nothing waits.",
  );
  assert.match(first(firstStart({ now }).overview()), /^Ready\./);
  assert.equal(first({ ...well, destinations: [] }), "No destination is configured.");
});

Deno.test("one sentence says what is down, since when, why, what waits, and when it is tried next", () => {
  const down = pacsDown({ now }).overview();
  assert.equal(
    first(down),
    "pacs has been down for 12 min: PACS at 192.168.1.20:104 refused the connection: nothing listens there. " +
      "1,204 images wait; next attempt in 34 s.",
  );
  assert.equal(findings(down, NOW)[0]!.advice, "Start pacs, or check its port in the settings.");
  assert.match(findings(down, NOW + 34_000)[0]!.text, /; trying now\.$/);
});

Deno.test("what cannot be delivered comes before what waits for a person, and refusing before all", () => {
  const down = pacsDown({ now }).overview();
  const worst = {
    ...down,
    failed: 3,
    held: 1,
    corrupt: 1,
    missing: 2,
    configuration: "config.json is not valid",
    disk: { ...down.disk, free: 5e8, reserve: 1e9, refuses: "only 500 MB are free" },
  };
  assert.deepEqual(findings(worst, NOW).map(({ level, text }) => `${level} ${text.slice(0, 22)}`), [
    "bad Nothing new is accepte",
    "bad 2 images are missing f",
    "bad pacs has been down for",
    "bad 1 image is damaged and",
    "warn The settings need a lo",
    "warn 3 images have failed a",
    "warn 1 image is held back b",
  ]);
});

Deno.test("only another condition is worth telling by voice, not another figure", () => {
  const down = pacsDown({ now }).overview();
  assert.equal(gist(down), gist({ ...down, queued: 9999, received: 1 }));
  assert.notEqual(gist(down), gist(allWell({ now }).overview()));
  assert.notEqual(gist(down), gist({ ...down, failed: 1 }));
});

Deno.test("figures and times are said as people say them", () => {
  assert.deepEqual([0, 999, 1000, 526_338, 9_950_000, 83_412_000_000, 999_600_000].map(bytes), [
    "0 B",
    "999 B",
    "1.0 KB",
    "526 KB",
    "10 MB",
    "83 GB",
    "1.0 GB",
  ]);
  assert.deepEqual(
    [0, 34_000, 99_000, 720_000, 11_100_000, 187_200_000, 1_000_000_000].map(duration),
    [
      "0 s",
      "34 s",
      "99 s",
      "12 min",
      "3 h 5 min",
      "2 d 4 h",
      "11 d",
    ],
  );
  assert.deepEqual([0.42, 1.2, 12, 3004].map(latency), ["0.42 ms", "1.2 ms", "12 ms", "3.0 s"]);
  assert.equal(until(NOW + 34_000, NOW), "in 34 s");
  assert.equal(until(NOW - 1, NOW), "now");
});

Deno.test("a person name is shown whole, in each of its scripts", () => {
  assert.equal(personName("DOE^JANE^M^DR^JR"), "DOE, JANE M (DR JR)");
  assert.equal(personName("DOE"), "DOE");
  assert.equal(
    personName("Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "Yamada, Tarou = 山田, 太郎 = やまだ, たろう",
  );
  assert.equal(personName(""), "");
  assert.equal(personName("<b a=1>^^^^x^y"), "<b a = 1> (x y)");
});

Deno.test("new steps are put to those known, and what is older than ten minutes goes", () => {
  const known = new Map<number, number[]>();
  const told = (until: number, values: number[]) => ({
    until,
    step: 2000,
    receivedInstances: values,
    receivedBytes: values.map((value) => value * 10),
    deliveredInstances: values.map((value) => value + 1),
    deliveredBytes: values.map((value) => value * 5),
  });
  merge(known, told(NOW, [4, 6]));
  merge(known, told(NOW + 2000, [6, 8]));
  assert.deepEqual(columns(known, 2000, "instances"), [
    [NOW / 1000 - 2, NOW / 1000, NOW / 1000 + 2],
    [2, 3, 4],
    [2.5, 3.5, 4.5],
  ]);
  assert.deepEqual(columns(known, 2000, "bytes").slice(1), [[20, 30, 40], [10, 15, 20]]);
  merge(known, told(NOW + 600_000, [1]));
  assert.deepEqual(columns(known, 2000, "instances")[0], [NOW / 1000 + 2, NOW / 1000 + 600]);
});

Deno.test("each line of the log is taken once, however many are told again", () => {
  let n = 0;
  const key = () => `${n++}`;
  const line = (at: number, text = "same") => ({ at, level: "info", text });
  const known = newLines([], [line(1), line(2), line(2, "other")], key);
  assert.equal(known.length, 3);
  assert.deepEqual(newLines(known, [line(1), line(2), line(2, "other")], key), []);
  assert.deepEqual(newLines(known, [line(2), line(2, "other"), line(3)], key), [{
    ...line(3),
    key: "3",
  }]);
  assert.equal(newLines(known, [line(8), line(9)], key).length, 2, "all are new after a gap");
});
