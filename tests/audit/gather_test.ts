/*
 * Instances gathered into messages: how many messages, when, and that every instance is in exactly one.
 */

import assert from "node:assert/strict";
import type { Gathered } from "../../src/audit/events.ts";
import { Gatherer, type Group, readGroups, type Told } from "../../src/audit/gather.ts";
import { FakeClock } from "../helpers/fake_clock.ts";

function house() {
  const clock = new FakeClock();
  const told: Gathered[] = [];
  const facts = new Map<string, NonNullable<Told["facts"]>>();
  const gatherer = new Gatherer(clock, (one) => told.push(one), (study) => facts.get(study));
  const add = (more: Partial<Told> = {}) =>
    gatherer.add({
      deed: "received",
      by: "",
      reason: "",
      session: "10.0.0.7:1001",
      study: "aaaaaaaa",
      facts: { studyInstanceUid: "1.2", patientId: "P", patientName: "N", accession: "A" },
      sopClass: "1.2.840.1",
      place: { kind: "node", aeTitles: ["CT"], address: "10.0.0.7" },
      at: clock.now(),
      ...more,
    });
  const counts = () =>
    told.map(({ classes }) => Object.values(classes).reduce((sum, one) => sum + one, 0));
  return { clock, told, gatherer, add, counts, facts };
}

Deno.test("one message for a study and an association, when that is over", () => {
  const { told, gatherer, add, counts } = house();
  for (let n = 0; n < 300; n++) add({ sopClass: n % 3 === 0 ? "1.2.840.2" : "1.2.840.1" });
  add({ study: "bbbbbbbb", facts: { ...FACTS, studyInstanceUid: "1.3" } });
  add({ session: "10.0.0.8:1001" });
  assert.equal(told.length, 0);
  gatherer.end("10.0.0.7:1001");
  assert.deepEqual(counts(), [300, 1]);
  assert.deepEqual(told[0]!.classes, { "1.2.840.2": 100, "1.2.840.1": 200 });
  gatherer.flush();
  assert.deepEqual(counts(), [300, 1, 1]);
});

const FACTS = { studyInstanceUid: "1.2", patientId: "P", patientName: "N", accession: "A" };

Deno.test("a message has 1,000 instances at most, and an open group is told after a minute", async () => {
  const { clock, gatherer, add, counts } = house();
  for (let n = 0; n < 2_500; n++) add();
  assert.deepEqual(counts(), [1000, 1000]);
  for (let n = 0; n < 58; n++) {
    await clock.advance(1000);
    add();
  }
  assert.equal(counts().length, 2);
  await clock.advance(4000);
  assert.deepEqual(counts(), [1000, 1000, 558]);
  assert.equal(gatherer.size, 0);
  assert.equal(clock.waiting, 0, "no timer without a group");
});

Deno.test("what has no association is told when it has been quiet, its beginning before what came of it", async () => {
  const { clock, told, add } = house();
  const out = { session: "", place: { kind: "node", aeTitles: ["PACS"], address: "p" } } as const;
  add({ deed: "sent", ...out });
  add({ deed: "begun", ...out, at: clock.now() - 2000 });
  await clock.advance(3000);
  add({ deed: "sent", ...out });
  await clock.advance(3000);
  assert.equal(told.length, 1);
  await clock.advance(4000);
  assert.deepEqual(told.map(({ deed }) => deed), ["begun", "sent"]);
});

Deno.test("another patient under the same study UID is another message", () => {
  const { gatherer, told, add } = house();
  add();
  add({ facts: { ...FACTS, patientId: "Q" } });
  gatherer.flush();
  assert.deepEqual(told.map(({ facts }) => facts.patientId), ["P", "Q"]);
});

Deno.test("what is not known of a study when the instance comes is asked for when it is told", () => {
  const { gatherer, told, add, facts } = house();
  add({ facts: undefined });
  add({ study: "cccccccc", facts: undefined });
  facts.set("aaaaaaaa", FACTS);
  gatherer.flush();
  assert.deepEqual(told.map((one) => [one.facts.patientId, ...one.accessions]), [["P", "A"], [""]]);
});

Deno.test("memory is bounded: many SOP classes, accession numbers and groups make more messages", () => {
  const { gatherer, told, add, counts } = house();
  for (let n = 0; n < 100; n++) add({ sopClass: `1.2.${n}` });
  for (let n = 0; n < 30; n++) add({ facts: { ...FACTS, accession: `A${n}` } });
  for (let n = 0; n < 2_500; n++) add({ study: String(n) });
  assert.ok(gatherer.size <= 2_000, `${gatherer.size} groups are open`);
  gatherer.flush();
  assert.equal(counts().reduce((sum, one) => sum + one), 2_630);
  assert.ok(told.every(({ classes }) => Object.keys(classes).length <= 40));
  assert.ok(told.every(({ accessions }) => accessions.length <= 10));
});

Deno.test("what was gathered when a process was killed is told by the next one", () => {
  const before = house();
  for (let n = 0; n < 7; n++) before.add();
  const note = JSON.stringify(before.gatherer.changes());
  assert.equal(before.gatherer.changes(), undefined, "asked again, nothing differs");
  const after = house();
  after.gatherer.restore(readGroups(note));
  assert.deepEqual(after.counts(), [7]);
  assert.equal(after.told[0]!.facts.patientId, "P");
});

Deno.test("a note that a crash cut short, or that is none, tells nothing and breaks nothing", () => {
  const { gatherer, add } = house();
  add();
  const note = JSON.stringify(gatherer.changes());
  for (let length = 0; length < note.length; length++) readGroups(note.slice(0, length));
  for (const text of ["null", "7", "{}", "[null]", "[{}]", '[{"told":7}]', "\0\0"]) {
    assert.deepEqual(readGroups(text) as Group[], []);
  }
});
