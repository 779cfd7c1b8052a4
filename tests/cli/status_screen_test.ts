/*
 * The status as lines: what is shown, and that it fits.
 */

import assert from "node:assert/strict";
import {
  type DestinationStatus,
  ratesOf,
  type Status,
  statusFrom,
} from "../../src/cli/status_facts.ts";
import { gatherStatus } from "../../src/cli/status.ts";
import { statusLine, statusScreen, wrap } from "../../src/cli/status_screen.ts";
import { picture } from "../../src/cli/status_watch.ts";
import { configFrom } from "../../src/config/load.ts";
import type { DestinationView, Overview, Throughput } from "../../src/control/views.ts";
import { lockSpool } from "../../src/spool/lock.ts";
import { Scratch } from "../helpers/scratch.ts";

const CONFIG = { spoolDir: "/var/spool/fwd", minimumFreeSpace: 1e9, localAeTitle: "FWD" };
const WIDE = { width: Infinity, colour: false };

const UP: DestinationStatus = {
  name: "pacs",
  queued: 0,
  failed: 0,
  held: 0,
  oldestMs: null,
  ages: [0, 0, 0, 0, 0, 0],
  health: "ok",
  state: "up",
  reason: "",
  sinceMs: null,
  nextAttemptMs: null,
  attempts: 0,
};

const DOWN: DestinationStatus = {
  ...UP,
  name: "archive-site",
  queued: 1234,
  oldestMs: 7_380_000,
  ages: [600, 400, 200, 34, 0, 0],
  health: "DOWN for 5 min 2 s: refused",
  state: "down",
  reason: "10.0.0.5:104 refused the connection: nothing listens on that port",
  sinceMs: 302_000,
  nextAttemptMs: 12_300,
  attempts: 7,
};

const STATUS: Status = {
  running: true,
  freeBytes: 80e9,
  corrupt: 0,
  putBack: 0,
  missing: 0,
  destinations: [{ ...UP, queued: 617, ages: [617, 0, 0, 0, 0, 0] }, DOWN],
  source: "forwarder",
  uptimeMs: 93_600_000,
  associations: 3,
  rates: {
    overMs: 10_000,
    receivedInstances: 12.34,
    receivedBytes: 6.2e6,
    deliveredInstances: 3,
    deliveredBytes: 1.5e6,
  },
  refuses: null,
  alarms: [],
  configuration: null,
};

function screen(status: Partial<Status>, look = WIDE): string[] {
  return statusScreen({ ...STATUS, ...status }, CONFIG, look);
}

function plain(line: string): string {
  // deno-lint-ignore no-control-regex
  return line.replace(/\x1b\[\d+m/g, "");
}

Deno.test("one screen: who runs since when, what comes in and goes out, and each destination", () => {
  assert.deepEqual(screen({}), [
    "Forwarder   running as FWD for 1 d 2 h, 3 associations in",
    "Spool       /var/spool/fwd",
    "Free space  80.0 GB",
    "In          12.3 images/s, 6.2 MB/s (last 10 s)",
    "Out         3.0 images/s, 1.5 MB/s (last 10 s)",
    "",
    "destination   queued                      oldest     failed  held  state",
    "pacs          617     [########--------]  -          0       0     ok",
    "archive-site  1234    [################]  2 h 3 min  0       0     DOWN for 5 min 2 s",
    "    10.0.0.5:104 refused the connection: nothing listens on that port",
    "    next attempt in 12 s, 7 failed attempts",
    "",
    "waiting for   5 min  15 min  1 h  4 h  1 day  longer",
    "pacs            617       -    -    -      -       -",
    "archive-site    600     400  200   34      -       -",
  ]);
});

Deno.test("what waits for its study to be complete is shown by its age, too, though none of it is to be sent yet", () => {
  const held = { ...UP, oldestMs: 4_000, ages: [5, 0, 0, 0, 0, 0] };
  assert.deepEqual(screen({ destinations: [held, { ...UP, name: "idle" }] }).slice(-2), [
    "waiting for  5 min  15 min  1 h  4 h  1 day  longer",
    "pacs             5       -    -    -      -       -",
  ]);
});

Deno.test("what needs a person is named", () => {
  const text = screen({
    running: false,
    freeBytes: 5e8,
    corrupt: 2,
    missing: 4,
    putBack: 1,
    refuses: "the disk failed",
    configuration: "config.json has changed",
    alarms: [{ severity: "critical", text: "pacs is down" }, { severity: "warning", text: "old" }],
  }).join("\n");
  for (
    const wanted of [
      /Forwarder +NOT RUNNING/,
      /500\.0 MB +TOO LITTLE/,
      /REFUSES +the disk failed/,
      /CORRUPT +2 damaged/,
      /MISSING +4: accepted, and not accounted for/,
      /Put back +1/,
      /CONFIG +config\.json has changed/,
      /ALARM +pacs is down/,
      /Warning +old/,
    ]
  ) assert.match(text, wanted);
  assert.match(screen({ missing: null }).join("\n"), /MISSING +not known/);
});

Deno.test("no line is wider than the terminal, and everything is said by words", () => {
  for (const width of [40, 60, 80, 100, 132]) {
    for (const colour of [false, true]) {
      const lines = screen({
        alarms: [{ severity: "critical", text: `${"long ".repeat(60)}${"x".repeat(200)}` }],
      }, { width, colour });
      for (const line of lines) {
        assert.ok(plain(line).length <= width, `${width}: ${line}`);
      }
      assert.equal(lines.some((line) => line.includes("\x1b")), colour);
      assert.match(lines.map(plain).join("\n"), /DOWN for 5 min 2 s/);
    }
  }
});

Deno.test("colour adds nothing but colour", () => {
  const look = { width: 100, colour: false };
  assert.deepEqual(screen({}, { ...look, colour: true }).map(plain), screen({}, look));
});

Deno.test("text from the network cannot move the cursor", () => {
  const hostile = "\x1b[2J\u202e\r\nowned";
  const text = screen({
    destinations: [{ ...DOWN, reason: hostile }],
    alarms: [{ severity: "warning", text: hostile }],
    refuses: hostile,
  }).join("\n");
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\u202e]/);
});

Deno.test("without a running forwarder the destinations' state is what is known", () => {
  const one = { ...UP, state: null, health: "not running", queued: 3 };
  const lines = screen({ running: false, destinations: [one], rates: null, source: "spool" });
  assert.match(lines.join("\n"), /pacs +3 .*not running/);
  assert.equal(lines.some((line) => line.startsWith("In ")), false);
});

Deno.test("a forwarder's answers become the status", () => {
  const view: DestinationView = {
    name: "pacs",
    type: "dicom",
    description: "PACS at h:1",
    state: "misconfigured",
    since: 1000,
    reason: "called AE title not recognised",
    attempts: 2,
    nextAttempt: 70_000,
    lastAnswer: "",
    lastAnswerAt: null,
    sessions: 0,
    queued: 5,
    failed: 1,
    held: 2,
    oldest: 4000,
    ages: [3, 2, 0, 0, 0, 0],
    delivered: 9,
    deliveredBytes: 10,
  };
  const overview: Overview = {
    version: "1",
    aeTitle: "FWD",
    listening: [],
    started: 0,
    now: 10_000,
    associations: 1,
    received: 0,
    receivedBytes: 0,
    refused: 0,
    rejected: 0,
    queued: 5,
    failed: 4,
    held: 2,
    corrupt: 1,
    heldForStudy: 0,
    missing: null,
    disk: { free: 7, reserve: 1, refuses: null, syncMedian: null, syncP99: null },
    destinations: [view],
    alarms: [{ key: "k", severity: "warning", text: "t", since: 0 }],
    configuration: null,
  };
  const step: Throughput = {
    until: 10_000,
    step: 1000,
    receivedInstances: [100, ...Array<number>(9).fill(0), 20],
    receivedBytes: [100, ...Array<number>(9).fill(0), 20],
    deliveredInstances: [100, ...Array<number>(9).fill(0), 30],
    deliveredBytes: [100, ...Array<number>(9).fill(0), 30],
  };
  const status = statusFrom(overview, step, {
    putBack: 3,
    failedElsewhere: new Map([["unrouted", 3]]),
  });
  assert.equal(status.uptimeMs, 10_000);
  assert.equal(status.rates!.receivedInstances, 2, "the mean of the last 10 s only");
  assert.equal(status.rates!.deliveredInstances, 3);
  const [pacs, unrouted] = status.destinations;
  assert.equal(pacs!.health, "WRONGLY CONFIGURED for 9.0 s: called AE title not recognised");
  assert.deepEqual([pacs!.oldestMs, pacs!.nextAttemptMs, pacs!.held], [6000, 60_000, 2]);
  assert.deepEqual([unrouted!.name, unrouted!.failed], ["unrouted", 3]);
  assert.equal(ratesOf({ ...step, receivedInstances: [] }), null);
});

/** As the forwarder's client rejects where there is no answer. */
class NoAnswer extends Error {
  override readonly name = "ClientError";
}

Deno.test("a forwarder that gives no answer leaves the spool to tell, and what it tells of pauses", async () => {
  await using scratch = await Scratch.make();
  const config = configFrom({ store_locally: true, pacs_host: "127.0.0.1" }, scratch.path);
  const lock = await lockSpool(config.spoolDir);
  try {
    const health = {
      state: "down",
      since: Date.now() - 5000,
      reason: "off",
      nextAt: 0,
      attempts: 1,
    };
    await Deno.writeTextFile(
      scratch.at("spool", "health.json"),
      JSON.stringify({
        missing: 0,
        configuration: "local_port waits for a restart",
        destinations: [
          { name: "pacs", health, paused: { since: Date.now() - 90_000, by: "web" } },
          { name: "archive", health: { state: "up" }, paused: null },
        ],
      }),
    );
    const silent = { overview: () => Promise.reject(new NoAnswer()) };
    const throughput = () => Promise.resolve({} as Throughput);
    const status = await gatherStatus(config, { ...silent, throughput });
    assert.equal(status.source, "spool");
    const text = statusScreen(status, config, WIDE).join("\n");
    assert.match(text, /CONFIG +local_port waits for a restart/);
    assert.match(text, /pacs .*PAUSED for 1 min 30 s\n +by web; DOWN for .*: off/);
    assert.match(text, /archive .*ok/);
    const broken = { overview: () => Promise.reject(new TypeError("a defect")) };
    await assert.rejects(gatherStatus(config, { ...broken, throughput }), /a defect/);
  } finally {
    lock.release();
  }
});

Deno.test("in one line: counts, rates, and who is not up", () => {
  assert.equal(
    statusLine(STATUS, new Date(Date.UTC(2026, 0, 2, 3, 4, 5))),
    "2026-01-02T03:04:05.000Z running queued=1851 oldest=7380s failed=0 held=0 in=12.3/s out=3.0/s archive-site=DOWN",
  );
});

Deno.test("a picture fills the terminal and no more, and counts what does not fit", () => {
  const lines = Array.from({ length: 30 }, (_, n) => `line ${n}`);
  const tall = picture(lines.slice(0, 3), "foot", 10).split("\r\n");
  assert.equal(tall.length, 10);
  assert.match(tall[9]!, /^foot/);
  const short = picture(lines, "foot", 10).split("\r\n");
  assert.equal(short.length, 10);
  assert.match(short[7]!, /and 23 lines more/);
});

Deno.test("words are kept whole where they fit", () => {
  assert.deepEqual(wrap("one two three", 7), ["one two", "three"]);
  assert.deepEqual(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
  assert.deepEqual(wrap("", 4), [""]);
  assert.deepEqual(wrap("as it is", Infinity), ["as it is"]);
});
