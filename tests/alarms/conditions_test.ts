/* What is wrong, told from how the forwarder is: a row for each way it can be. */

import assert from "node:assert/strict";
import { type Condition, conditionsOf } from "../../src/alarms/conditions.ts";
import type { AlarmSnapshot } from "../../src/alarms/snapshot.ts";
import { type AlarmsConfig } from "../../src/config/alarms.ts";
import { configFrom } from "../../src/config/load.ts";

const NOW = new Date(2026, 10, 23, 12, 0).getTime();
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function settings(alarms: Record<string, unknown> = {}): AlarmsConfig {
  return configFrom({ pacs_host: "pacs.example", alarms }, "/srv").alarms;
}

type Destination = AlarmSnapshot["destinations"][number];

function destination(more: Partial<Destination> = {}): Destination {
  return {
    name: "pacs",
    description: "PACS at 10.0.0.1:104",
    state: "up",
    since: null,
    reason: "",
    queued: 0,
    failed: 0,
    oldest: null,
    lastAnswerAt: NOW,
    ...more,
  };
}

function snapshot(more: Partial<AlarmSnapshot> = {}): AlarmSnapshot {
  return {
    now: NOW,
    failed: 0,
    corrupt: 0,
    missing: 0,
    destinations: [destination()],
    disk: { free: 100e9, reserve: 1e9, refuses: null },
    configuration: null,
    seen: [],
    certificates: [],
    failures: [],
    ...more,
  };
}

function found(more: Partial<AlarmSnapshot>, alarms: Record<string, unknown> = {}): Condition[] {
  return conditionsOf(snapshot(more), settings(alarms));
}

/** The only condition that is not doubtful. */
function only(more: Partial<AlarmSnapshot>, alarms: Record<string, unknown> = {}): Condition {
  const certain = found(more, alarms).filter((one) => !one.doubtful);
  assert.equal(certain.length, 1, JSON.stringify(certain));
  return certain[0]!;
}

Deno.test("a forwarder that is well has nothing wrong", () => {
  assert.deepEqual(found({}), []);
  assert.deepEqual(found({ missing: null, disk: { free: null, reserve: 1e9, refuses: null } }), []);
});

Deno.test("a destination that is down is critical after its minutes, with since when, why and what to do", () => {
  const down = destination({
    state: "down",
    since: NOW - 7 * MINUTE,
    reason: "connection refused.",
    queued: 3,
  });
  const one = only({ destinations: [down] }, { destination_down_minutes: 10 });
  assert.deepEqual(
    [one.key, one.severity, one.title, one.since, one.afterMs],
    ["destination-down pacs", "critical", "pacs is down", NOW - 7 * MINUTE, 10 * MINUTE],
  );
  assert.match(
    one.text,
    /^Destination pacs \(PACS at 10\.0\.0\.1:104\) has been down since 2026-11-23 11:53 /,
  );
  assert.match(one.text, /\(connection refused\) and 3 images wait for it: check that it runs/);
});

Deno.test("a destination that rejects us is critical at once", () => {
  const rejecting = destination({
    state: "misconfigured",
    since: NOW,
    reason: "calling AE title not recognised",
  });
  const one = only({ destinations: [rejecting] });
  assert.deepEqual([one.key, one.severity, one.afterMs], ["misconfigured pacs", "critical", 0]);
  assert.match(one.text, /calling AE title not recognised.*make the AE titles/);
});

Deno.test("a destination that a start knows nothing of yet keeps what was wrong, and is no alarm itself", () => {
  const unknown = found({ destinations: [destination({ lastAnswerAt: null })] });
  assert.deepEqual(
    unknown.map((one) => [one.key, one.doubtful]),
    [["destination-down pacs", true], ["misconfigured pacs", true]],
  );
});

Deno.test("a destination that a person paused is not down, but what waits too long for it is told", () => {
  const paused = destination({
    state: "paused",
    since: NOW,
    reason: "by web",
    queued: 1,
    oldest: NOW - 2 * HOUR,
  });
  assert.match(
    only({ destinations: [paused] }).text,
    /wait for pacs \(it is paused\) came at 2026-11-23 10:00, 2 hours ago/,
  );
});

Deno.test("the oldest that waits is told beyond its minutes, not at them, and not where it is off", () => {
  const waiting = (ms: number) => [destination({ queued: 12, oldest: NOW - ms })];
  assert.deepEqual(found({ destinations: waiting(HOUR) }), []);
  assert.deepEqual(found({ destinations: waiting(9 * DAY) }, { oldest_age_minutes: 0 }), []);
  const one = only({ destinations: waiting(HOUR + 1) });
  assert.deepEqual([one.key, one.severity], ["oldest pacs", "warning"]);
  assert.match(one.text, /The oldest of 12 images/);
});

Deno.test("failed images are counted by destination, with the commonest reason and how to put them back", () => {
  const failures = [
    { destination: "pacs", reason: "Out of resources (A700)", count: 1 },
    { destination: "pacs", reason: "Cannot understand (C000)", count: 2 },
    { destination: "other", reason: "Something else", count: 9 },
  ];
  const one = only({ failed: 3, failures, destinations: [destination({ failed: 3 })] });
  assert.deepEqual([one.key, one.severity, one.level], ["failed pacs", "warning", 3]);
  assert.match(
    one.text,
    /3 images could not .* mostly because: Cannot understand \(C000\): mend .* --destination pacs/,
  );
  assert.deepEqual(
    found({ failed: 3, destinations: [destination({ failed: 3 })] }, { failed: false }),
    [],
  );
});

Deno.test("images that failed because they are bound for nowhere are told apart", () => {
  const one = only({ failed: 2, destinations: [destination()] });
  assert.equal(one.key, "failed-nowhere");
  assert.match(one.text, /2 images wait in the folder failed .* no route matches/);
});

Deno.test("a disk is a warning below twice the reserve and critical below it", () => {
  const disk = (free: number, refuses: string | null = null) => ({
    disk: { free, reserve: 1e9, refuses },
  });
  assert.deepEqual(found(disk(2e9)), []);
  const low = only(disk(2e9 - 1));
  const full = only(disk(1e9 - 1, "only 999999999 bytes are free"));
  assert.deepEqual([low.key, low.severity, low.level], ["disk-space", "warning", 1]);
  assert.deepEqual([full.key, full.severity, full.level], ["disk-space", "critical", 2]);
  assert.match(full.text, /Only 1000\.0 MB are free .* minimum_free_space is 1\.0 GB/);
});

Deno.test("a spool that takes nothing although there is room is critical", () => {
  const one = only({
    disk: { free: 9e9, reserve: 1e9, refuses: "the spool's disk failed to sync" },
  });
  assert.deepEqual([one.key, one.severity], ["spool", "critical"]);
  assert.match(one.text, /because the spool's disk failed to sync: check the disk/);
});

Deno.test("damaged and missing images are critical, and more of them are worse", () => {
  const one = only({ corrupt: 1 });
  assert.deepEqual([one.key, one.severity, one.level], ["corrupt", "critical", 1]);
  assert.match(one.text, /^1 file in the spool no longer matches its checksum and was not sent/);
  const two = only({ missing: 2 });
  assert.deepEqual([two.key, two.severity, two.level], ["missing", "critical", 2]);
  assert.match(
    two.text,
    /^2 images were accepted and are neither delivered nor in the spool: say dicomforwarder verify/,
  );
});

Deno.test("a configuration file that was refused is a warning with the reason on one line", () => {
  const one = only({ configuration: "One setting is wrong:\n  pacs_port: 0" });
  assert.deepEqual([one.severity, one.afterMs], ["warning", 5 * MINUTE]);
  assert.match(one.text, /\(One setting is wrong: pacs_port: 0\)/);
});

Deno.test("a modality is silent after its hours, of which only those in its time count", () => {
  const silent = [{
    ae_title: "CT1",
    hours: 4,
    days: ["mon", "tue", "wed", "thu", "fri"],
    from: "07:00",
    to: "19:00",
  }];
  const at = (day: number, hour: number, minute = 0) =>
    new Date(2026, 10, day, hour, minute).getTime();
  // 2026-11-23 is a Monday.
  const rows: [string, number, number, boolean][] = [
    ["three hours on a Monday", at(23, 8), at(23, 11), false],
    ["four hours on a Monday", at(23, 8), at(23, 12), true],
    ["a night between", at(23, 18), at(24, 9, 59), false],
    ["a night between, and enough", at(23, 18), at(24, 10), true],
    ["a weekend", at(20, 17), at(23, 8, 59), false],
    ["a weekend, and enough", at(20, 17), at(23, 9), true],
    ["a clock that was set back", at(24, 8), at(23, 12), false],
  ];
  for (const [what, last, now, wanted] of rows) {
    const seen = [{ aeTitle: "CT1", at: last, heard: true }];
    assert.equal(found({ now, seen }, { silent }).length === 1, wanted, what);
  }
  const seen = [{ aeTitle: "CT1", at: at(23, 7, 30), heard: true }];
  const one = only({ now: at(23, 12), seen }, { silent });
  assert.deepEqual([one.key, one.severity], ["silent CT1", "warning"]);
  assert.match(
    one.text,
    /Nothing has come from CT1 since 2026-11-23 07:30, 4 hours or more of its hours: check/,
  );
  const never = only({ now: at(23, 12), seen: [{ ...seen[0]!, heard: false }] }, { silent });
  assert.match(never.text, /since it has been waited for/);
});

Deno.test("hours past midnight belong to the day on which they begin", () => {
  const silent = [{ ae_title: "CT1", hours: 2, days: ["mon"], from: "22:00", to: "06:00" }];
  const isSilent = (last: number, now: number) =>
    found({ now, seen: [{ aeTitle: "CT1", at: last, heard: true }] }, { silent }).length === 1;
  const at = (day: number, hour: number) => new Date(2026, 10, day, hour).getTime();
  assert.ok(isSilent(at(24, 1), at(24, 3)), "Tuesday morning is of Monday's night");
  assert.ok(!isSilent(at(23, 1), at(23, 5)), "Monday morning is of Sunday's night");
  assert.ok(
    !isSilent(at(24, 5), at(30, 22)),
    "one hour in the night, then none until the next Monday",
  );
  assert.ok(isSilent(at(24, 5), at(30, 23)), "and one more there");
});

Deno.test("a certificate is told 30, 7 and 1 days before it expires, worse each time", () => {
  const level = (ms: number) =>
    found({ certificates: [{ name: "of pacs", expires: NOW + ms }] }).map((
      one,
    ) => [one.level, one.severity]);
  assert.deepEqual(level(30 * DAY + 1), []);
  assert.deepEqual(level(30 * DAY), [[1, "warning"]]);
  assert.deepEqual(level(7 * DAY), [[2, "warning"]]);
  assert.deepEqual(level(DAY), [[3, "critical"]]);
  assert.deepEqual(level(-1), [[4, "critical"]]);
  const one = only({ certificates: [{ name: "of pacs", expires: NOW + 6 * DAY }] });
  assert.match(
    one.text,
    /^The certificate of pacs expires at 2026-11-29 12:00, in 6 days: have it renewed/,
  );
});

Deno.test("no text has what a destination says of an instance, unless the configuration lets it", () => {
  const says = [
    "Refused by PACS: Cannot understand (C000): DOE^JANE 1970-01-01",
    "Cannot write (os error 13): open '/archive/DOE JANE/1.2'",
    "Cannot rename the file /archive/DOE JANE/1.2/x.dcm",
    "Written as D:\\archive\\DOE JANE\\1.2",
  ];
  for (const reason of says) {
    const wrong = {
      failed: 1,
      failures: [{ destination: "pacs", reason, count: 1 }],
      destinations: [destination({ state: "misconfigured", since: NOW, reason, failed: 1 })],
    };
    const texts = found(wrong).map((one) => one.text + one.title);
    assert.ok(texts.every((text) => !/DOE|JANE/.test(text)), texts.join("\n"));
    assert.ok(texts.some((text) => /C000|os error 13|Cannot rename the file|Written/.test(text)));
    assert.ok(found(wrong, { patient_data: true }).some((one) => /DOE/.test(one.text)));
  }
});

Deno.test("a reason from the network is one line of bounded length without characters that hide text", () => {
  const reason = `a\r\nSubject: x\u202e\u0007 ${"y".repeat(5000)}`;
  const one = only({ destinations: [destination({ state: "misconfigured", reason })] });
  assert.doesNotMatch(one.text, /[\p{Cc}\p{Bidi_C}]/u);
  assert.ok(one.text.length < 700);
});

Deno.test("every text is one sentence that ends in a full stop", () => {
  const wrong = found({
    failed: 5,
    corrupt: 1,
    missing: 1,
    configuration: "x",
    disk: { free: 1.5e9, reserve: 1e9, refuses: "y" },
    certificates: [{ name: "of pacs", expires: NOW }],
    destinations: [
      destination({ state: "down", reason: "z", failed: 1, oldest: 1 }),
      destination({ state: "misconfigured", reason: "z", name: "b" }),
    ],
  }).filter((one) => !one.doubtful);
  assert.equal(wrong.length, 11);
  for (const { text } of wrong) assert.match(text, /^[A-Z0-9].*\.$/);
});

Deno.test("audit messages that wait for over an hour are a warning, dropped ones critical for a day", () => {
  const audit = { oldest: NOW - HOUR, dropped: 0, droppedAt: null, trouble: "connection refused" };
  assert.deepEqual(found({ audit }), []);
  const waiting = only({ audit: { ...audit, oldest: NOW - HOUR - 1 } });
  assert.deepEqual([waiting.key, waiting.severity], ["audit", "warning"]);
  assert.match(waiting.text, /since 2026-11-23 10:59 \(connection refused\): check that it runs/);
  assert.deepEqual(found({ audit: { ...audit, oldest: null } }), []);
  const dropped = { ...audit, oldest: null, dropped: 12, droppedAt: NOW - DAY + 1 };
  const lost = only({ audit: dropped });
  assert.deepEqual([lost.key, lost.severity], ["audit-dropped", "critical"]);
  assert.match(lost.text, /^12 audit messages had to be dropped, last at .*audit\.keep/);
  assert.deepEqual(found({ audit: { ...dropped, droppedAt: NOW - DAY } }), []);
});
