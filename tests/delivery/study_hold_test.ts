/*
 * Studies held back until they are quiet, over simulated time.
 */

import assert from "node:assert/strict";
import { StudyHold } from "../../src/delivery/study_hold.ts";
import { Entry } from "../../src/spool/entry.ts";
import { formatBase, hashStudy } from "../../src/spool/entry_name.ts";
import { FakeClock } from "../helpers/fake_clock.ts";

const QUIET = 60_000;

class Ward {
  readonly clock = new FakeClock();
  readonly released: string[][] = [];
  readonly hold = new StudyHold(
    QUIET,
    this.clock,
    (entries) => this.released.push(entries.map((entry) => this.#names.get(entry)!)),
  );
  readonly #names = new Map<Entry, string>();
  #sequence = 0;

  receive(study: string, name: string, receivedMs = this.clock.now()): void {
    const base = formatBase({
      receivedMs,
      sequence: ++this.#sequence,
      studyHash: hashStudy(study),
      crc32: 0,
    });
    const entry = new Entry(base, [{ destination: "a", tries: 0 }], "");
    this.#names.set(entry, name);
    this.hold.add(entry);
  }
}

Deno.test("a study goes, whole and in order, when nothing new has come for the quiet time", async () => {
  const ward = new Ward();
  for (const name of ["1", "2", "3"]) {
    ward.receive("1.2", name);
    await ward.clock.advance(50_000);
  }
  assert.deepEqual(ward.released, []);
  assert.equal(ward.hold.length, 3);
  await ward.clock.advance(9_999);
  assert.deepEqual(ward.released, []);
  await ward.clock.advance(11);
  assert.deepEqual(ward.released, [["1", "2", "3"]]);
  assert.equal(ward.hold.length, 0);
  assert.equal(ward.clock.waiting, 0, "no timer is left");
});

Deno.test("a busy study does not hold up a quiet one", async () => {
  const ward = new Ward();
  ward.receive("1.2", "quiet");
  for (let n = 0; n < 30; n++) {
    ward.receive("1.3", String(n));
    await ward.clock.advance(10_000);
  }
  assert.deepEqual(ward.released, [["quiet"]]);
  await ward.clock.advance(60_000);
  assert.equal(ward.released[1]!.length, 30);
});

Deno.test("what comes after the release is held anew", async () => {
  const ward = new Ward();
  ward.receive("1.2", "first");
  await ward.clock.advance(QUIET + 10);
  ward.receive("1.2", "late");
  await ward.clock.advance(QUIET - 1);
  assert.deepEqual(ward.released, [["first"]]);
  await ward.clock.advance(11);
  assert.deepEqual(ward.released, [["first"], ["late"]]);
});

Deno.test("after a start a study is held for no longer than the quiet time", async () => {
  const ward = new Ward();
  ward.receive("1.2", "old", ward.clock.now() - 3_600_000);
  ward.receive("1.2", "from the future", ward.clock.now() + 3_600_000);
  await ward.clock.advance(QUIET + 10);
  assert.deepEqual(ward.released, [["old", "from the future"]]);
});

Deno.test("a clock set back meanwhile holds a study for no longer than another quiet time", async () => {
  const ward = new Ward();
  ward.receive("1.2", "1");
  await ward.clock.advance(10_000);
  ward.clock.correct(-86_400_000);
  await ward.clock.advance(2 * QUIET);
  assert.deepEqual(ward.released, [["1"]]);
});

Deno.test("a clock set forward meanwhile lets a study go whole, with what has come so far", async () => {
  const ward = new Ward();
  ward.receive("1.2", "1");
  await ward.clock.advance(10_000);
  ward.clock.correct(86_400_000);
  ward.receive("1.2", "2");
  await ward.clock.advance(2 * QUIET);
  assert.deepEqual(ward.released, [["1", "2"]]);
});

Deno.test("a stop releases nothing and leaves no timer", async () => {
  const ward = new Ward();
  ward.receive("1.2", "1");
  ward.hold.stop();
  assert.equal(ward.clock.waiting, 0);
  await ward.clock.advance(10 * QUIET);
  assert.deepEqual(ward.released, []);
});
