/* When alarms begin, are told again and end: tables, and whatever chance comes up with. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Condition } from "../../src/alarms/conditions.ts";
import {
  type AlarmEvent,
  EMPTY,
  holdMs,
  look,
  type MachineState,
} from "../../src/alarms/machine.ts";
import { NOTHING_KEPT, readState, stateText } from "../../src/alarms/state_file.ts";

const START = 1_763_900_000_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const LOOK = 5_000;

function condition(more: Partial<Condition> = {}): Condition {
  return {
    key: "destination-down pacs",
    severity: "critical",
    title: "pacs is down",
    text: "It is down.",
    since: null,
    afterMs: 0,
    level: 0,
    doubtful: false,
    ...more,
  };
}

/** A machine that is looked at every five seconds. */
class Run {
  state: MachineState = EMPTY;
  now = START;
  readonly events: AlarmEvent[] = [];
  readonly #repeatMs: number;

  constructor(repeatMs = 0) {
    this.#repeatMs = repeatMs;
  }

  /** Looks for so long, at least once. */
  for(ms: number, conditions: readonly Condition[], everyMs = LOOK): this {
    for (const end = this.now + ms;;) {
      const { state, events } = look(this.state, conditions, this.now, this.#repeatMs);
      this.state = state;
      this.events.push(...events);
      this.now += everyMs;
      if (this.now > end || ms === 0) return this;
    }
  }

  /** A stop and a start: only what is kept goes on. */
  restart(awayMs: number): this {
    this.now += awayMs;
    this.state = readState(stateText({ ...NOTHING_KEPT, machine: this.state }))!.machine;
    return this;
  }

  /** As `begin 0`, with the minutes since the start. */
  get told(): string[] {
    return this.events.map(({ event, at }) => `${event} ${Math.round((at - START) / MINUTE)}`);
  }
}

Deno.test("a condition that goes on is told once when it begins and once when it is over", () => {
  const run = new Run().for(HOUR, [condition()]).for(HOUR, []);
  assert.deepEqual(run.told, ["begin 0", "end 61"]);
  const [begin, end] = run.events;
  assert.equal(begin!.text, "It is down.");
  assert.match(end!.text, /^Over: pacs is down\. It began at \d{4}-.* and ended at \d{4}-/);
});

Deno.test("a condition that has to last is no alarm before, and begins its time anew after a gap", () => {
  const slow = condition({ afterMs: 5 * MINUTE });
  assert.deepEqual(new Run().for(4 * MINUTE, [slow]).for(HOUR, []).told, []);
  assert.deepEqual(
    new Run().for(4 * MINUTE, [slow]).for(10_000, []).for(4 * MINUTE, [slow]).told,
    [],
  );
  assert.deepEqual(new Run().for(6 * MINUTE, [slow]).told, ["begin 5"]);
});

Deno.test("an alarm is repeated at its interval and only then, never where that is 0", () => {
  assert.deepEqual(new Run(DAY).for(2.5 * DAY, [condition()], 10_000).told, [
    "begin 0",
    "repeat 1440",
    "repeat 2880",
  ]);
  assert.deepEqual(new Run(0).for(2.5 * DAY, [condition()], 10_000).told, ["begin 0"]);
});

Deno.test("a gap shorter than a minute is no end", () => {
  const run = new Run().for(MINUTE, [condition()]).for(50_000, []).for(MINUTE, [condition()]);
  assert.deepEqual(run.told, ["begin 0"]);
});

Deno.test("what comes and goes every two minutes for a day is one alarm after its first end, and told with how often it did", () => {
  const run = new Run(DAY);
  for (let n = 0; n < 360; n++) run.for(2 * MINUTE, [condition()]).for(2 * MINUTE, []);
  assert.deepEqual(run.told, ["begin 0", "end 3", "begin 4", "repeat 1446"]);
  run.for(5 * HOUR, []);
  assert.equal(run.events.at(-1)!.event, "end");
  assert.match(run.events.at(-1)!.text, /It had come and gone \d+ times/);
});

Deno.test("however it flaps, one key is told of less than fifty times a day", () => {
  // The worst there is: back in the very moment in which its alarm is over.
  const run = new Run(0);
  for (const end = START + 3 * DAY; run.now < end;) {
    const active = run.state.watched.some((one) => one.active);
    run.for(0, active ? [] : [condition()]);
  }
  const [first, second, third] = [0, 1, 2].map((day) =>
    run.events.filter(({ at }) => Math.floor((at - START) / DAY) === day).length
  );
  assert.ok(first! <= 55 && second! <= 50 && third! <= 50, `${first}, ${second}, ${third}`);
});

Deno.test("the time until an end grows with each recent begin, up to an hour", () => {
  assert.deepEqual([0, 1, 2, 3, 4].map(holdMs), [MINUTE, MINUTE, 4 * MINUTE, 16 * MINUTE, HOUR]);
});

Deno.test("what gets critical is told at once, what merely gets more is told once an hour", () => {
  const low = condition({ key: "disk-space", severity: "warning", level: 1 });
  const full = condition({ key: "disk-space", severity: "critical", level: 2 });
  assert.deepEqual(new Run().for(MINUTE, [low]).for(MINUTE, [full]).told, ["begin 0", "repeat 1"]);
  const failed = new Run();
  for (let level = 1; level <= 150; level++) {
    failed.for(MINUTE, [condition({ severity: "warning", level })]);
  }
  assert.deepEqual(failed.told.slice(0, 3), ["begin 0", "repeat 60", "repeat 120"]);
});

Deno.test("what gets fewer and then more again is told of as more", () => {
  const of = (level: number) => [condition({ severity: "warning", level })];
  const run = new Run().for(2 * HOUR, of(10)).for(MINUTE, of(2)).for(MINUTE, of(5));
  assert.deepEqual(run.told, ["begin 0", "repeat 121"]);
});

Deno.test("a restart neither tells an alarm again nor forgets that it ends", () => {
  const goesOn = new Run().for(MINUTE, [condition()]).restart(HOUR).for(HOUR, [
    condition({ since: START + HOUR }),
  ]);
  assert.deepEqual(goesOn.told, ["begin 0"]);
  assert.equal(goesOn.state.watched[0]!.since, START, "since the time before the restart");
  const over = new Run().for(MINUTE, [condition()]).restart(HOUR).for(HOUR, []);
  assert.deepEqual(over.events.map((one) => one.event), ["begin", "end"]);
});

Deno.test("what nobody knows yet after a restart keeps an alarm up, and begins none", () => {
  const unknown = [condition({ doubtful: true })];
  const run = new Run().for(MINUTE, [condition()]).restart(MINUTE).for(DAY, unknown).for(HOUR, [
    condition(),
  ]);
  assert.deepEqual(run.told, ["begin 0"]);
  assert.deepEqual(new Run().for(DAY, unknown).told, []);
  assert.deepEqual(new Run().for(DAY, unknown).state.watched, []);
});

Deno.test("a clock that jumps neither begins nor ends anything, and nothing takes longer for it", () => {
  const slow = condition({ afterMs: 5 * MINUTE });
  for (const jump of [-30 * DAY, 30 * DAY]) {
    const run = new Run(0).for(MINUTE, [slow]);
    run.now += jump;
    run.for(MINUTE, [slow]);
    assert.equal(run.events.length, 0, `begun by a jump of ${jump}`);
    run.for(4 * MINUTE, [slow]);
    assert.deepEqual(run.events.map((one) => one.event), ["begin"]);
    run.now -= jump;
    run.for(0, []);
    run.now += jump;
    run.for(30_000, []);
    assert.equal(run.events.length, 1, "ended by a jump");
    run.for(2 * MINUTE, []);
    assert.deepEqual(run.events.map((one) => one.event), ["begin", "end"]);
  }
});

Deno.test("what is watched is bounded, and an alarm is never dropped for it", () => {
  const many = Array.from({ length: 2000 }, (_, n) => condition({ key: `k${n}`, afterMs: HOUR }));
  const run = new Run().for(0, [condition()]).for(MINUTE, [condition(), ...many]);
  assert.equal(run.state.watched.length, 500);
  assert.ok(run.state.watched.some((one) => one.active));
});

/** One look of chance: how far the clock goes, what is wrong, and whether there is a restart before. */
const chance = fc.array(
  fc.record({
    step: fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 0, max: 20_000 }) },
      { weight: 1, arbitrary: fc.integer({ min: -DAY, max: 30 * DAY }) },
    ),
    restart: fc.nat({ max: 9 }).map((n) => n === 0),
    wrong: fc.array(
      fc.record({
        key: fc.constantFrom("a", "b", "c"),
        severity: fc.constantFrom("warning" as const, "critical" as const),
        level: fc.nat({ max: 4 }),
        afterMs: fc.constantFrom(0, 0, 20_000, 5 * MINUTE),
        doubtful: fc.nat({ max: 5 }).map((n) => n === 0),
        since: fc.option(fc.integer({ min: START - DAY, max: START + DAY })),
      }),
      { maxLength: 3 },
    ),
    /** Looked at for so many times. */
    times: fc.integer({ min: 1, max: 40 }),
  }),
  { maxLength: 60 },
);

Deno.test("whatever comes, begins and ends alternate for each key, over restarts, too, and every begin gets its end", () => {
  let ends = 0;
  fc.assert(
    fc.property(chance, (looks) => {
      const run = new Run(HOUR);
      for (const { step, restart, wrong, times } of looks) {
        if (restart) run.restart(0);
        const once = new Map(wrong.map((one) => [one.key, condition(one)]));
        for (let n = 0; n < times; n++) {
          run.for(0, [...once.values()], 0);
          run.now = Math.max(0, run.now + step);
        }
      }
      run.for(2 * HOUR, []);
      assert.ok(!run.state.watched.some((one) => one.active), "an alarm that never ended");
      for (const key of ["a", "b", "c"]) {
        let isUp = false;
        for (const { event } of run.events.filter((one) => one.key === key)) {
          assert.equal(isUp, event !== "begin", `${event} while ${isUp ? "up" : "down"}`);
          isUp = event !== "end";
          if (event === "end") ends++;
        }
        assert.ok(!isUp);
      }
    }),
    { numRuns: 300, seed: 6 },
  );
  assert.ok(ends > 300, `chance made ${ends} ends only`);
});

Deno.test("a state that is damaged or of another program is not taken", () => {
  const good = stateText({ ...NOTHING_KEPT, machine: new Run().for(MINUTE, [condition()]).state });
  assert.ok(readState(good) !== undefined);
  const bad = [
    "",
    "{",
    "null",
    "[]",
    good.slice(0, good.length / 2),
    good.replace('"version":1', '"version":2').replace('"version": 1', '"version": 2'),
    good.replace(/"active": ?true/, '"active": 1'),
    good.replace(/"since": ?\d+/, '"since": 1e300'),
  ];
  for (const text of bad) assert.equal(readState(text), undefined, text);
});
