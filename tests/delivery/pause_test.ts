/*
 * Destinations that are paused, tried at once, changed and taken away while they work, over simulated time.
 */

import assert from "node:assert/strict";
import { DestinationError, type Outcome } from "../../src/delivery/outcome.ts";
import { inHouse } from "../helpers/delivery_house.ts";
import { settled } from "../helpers/fake_clock.ts";
import { DELIVERED, DOWN, entries, entry } from "../helpers/scripted_destination.ts";

const BY = { since: 1, by: "a test" };

Deno.test("a paused destination finishes what is under way, gives its session back, and takes nothing more until it goes on", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    const answer = Promise.withResolvers<Outcome>();
    pacs.answer = () => answer.promise;
    const group = house.group(pacs);
    group.add(entries(5));
    await house.clock.advance(0);
    assert.equal(pacs.attempted.length, 1);
    group.pause(BY);
    await house.clock.advance(1000);
    assert.equal(pacs.openNow, 1, "what is under way goes on");
    answer.resolve(DELIVERED);
    await house.clock.advance(86_400_000);
    assert.deepEqual(pacs.delivered, [entries(1)[0]!.base]);
    assert.equal(pacs.openNow, 0);
    assert.deepEqual(group.snapshot().paused, BY);
    assert.equal(group.snapshot().since, 1);
    group.add([entry("late")]);
    await house.clock.advance(1000);
    assert.equal(pacs.attempted.length, 1);
    assert.equal(house.clock.waiting, 0, "nothing polls");
    group.resume();
    await house.clock.advance(1000);
    assert.deepEqual(pacs.delivered, [...entries(5).map((one) => one.base), "late"]);
    assert.equal(group.snapshot().paused, null);
  }));

Deno.test("an idle session is released at once by a pause", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    const group = house.group(pacs);
    group.add(entries(1));
    await house.clock.advance(100);
    assert.equal(pacs.openNow, 1);
    group.pause(BY);
    await settled();
    assert.equal(pacs.openNow, 0);
  }));

Deno.test("what breaks off while a destination is paused counts as it always does, and waits", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    const answer = Promise.withResolvers<Outcome>();
    pacs.answer = () => answer.promise;
    const group = house.group(pacs);
    group.add(entries(2));
    await house.clock.advance(0);
    group.pause(BY);
    answer.resolve({ kind: "interrupted", reason: "the association was lost" });
    await house.clock.advance(1000);
    assert.equal(group.snapshot().waiting, 2);
    pacs.answer = () => DELIVERED;
    group.resume();
    await house.clock.advance(600_000);
    assert.equal(pacs.delivered.length, 2);
  }));

Deno.test("a pause and its end in one moment lose nothing and open no session beyond the limit", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    const group = house.group(pacs);
    group.add(entries(40));
    for (let n = 0; n < 10; n++) {
      await settled();
      group.pause(BY);
      group.resume();
    }
    await house.clock.advance(60_000);
    assert.deepEqual(new Set(pacs.delivered), new Set(entries(40).map((one) => one.base)));
    assert.equal(pacs.delivered.length, 40);
    assert.equal(pacs.mostOpen, 1);
  }));

Deno.test("tried now, a destination that is down is tried at once, and backs off from the beginning", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.unreachable = DOWN;
    const group = house.group(pacs);
    group.add(entries(3));
    await house.clock.advance(600_000);
    const before = pacs.opened.length;
    group.tryNow();
    await house.clock.advance(0);
    assert.equal(pacs.opened.length, before + 1);
    await house.clock.advance(4_999);
    assert.equal(pacs.opened.length, before + 1);
    await house.clock.advance(1);
    assert.equal(pacs.opened.length, before + 2);
    pacs.unreachable = undefined;
    group.tryNow();
    await house.clock.advance(0);
    assert.equal(pacs.delivered.length, 3);
  }));

Deno.test("tried now, one that did not let us in is asked at once", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.unreachable = new DestinationError("misconfigured", "called AE title not recognised");
    const group = house.group(pacs);
    group.add(entries(1));
    await house.clock.advance(1000);
    assert.equal(group.snapshot().health.state, "misconfigured");
    pacs.unreachable = undefined;
    group.tryNow();
    await house.clock.advance(0);
    assert.equal(pacs.delivered.length, 1);
  }));

Deno.test("other settings take over when the attempt under way is over, and never beside it", () =>
  inHouse(async (house) => {
    const before = house.destination();
    const answer = Promise.withResolvers<Outcome>();
    before.answer = () => answer.promise;
    const after = house.destination();
    after.description = "another node";
    const group = house.group(before);
    group.add(entries(10));
    await house.clock.advance(0);
    group.replace(after, 60_000);
    assert.equal(group.snapshot().description, "another node");
    await house.clock.advance(10_000);
    assert.equal(after.opened.length, 0);
    answer.resolve(DELIVERED);
    await house.clock.advance(0);
    assert.equal(before.openNow, 0);
    assert.deepEqual(before.delivered, [entries(1)[0]!.base]);
    assert.deepEqual(after.delivered, entries(10).slice(1).map((one) => one.base));
    assert.equal(group.snapshot().delivered, 10);
  }));

Deno.test("an attempt that does not end is aborted in its time, and its instance goes by the new settings", () =>
  inHouse(async (house) => {
    const before = house.destination();
    before.answer = () => new Promise(() => {});
    const after = house.destination();
    const group = house.group(before);
    group.add(entries(3));
    await house.clock.advance(0);
    group.replace(after, 5_000);
    await house.clock.advance(4_999);
    assert.equal(after.delivered.length, 0);
    await house.clock.advance(2);
    assert.deepEqual(
      new Set(after.delivered),
      new Set(entries(3).map((one) => one.base)),
    );
    assert.equal(group.snapshot().waiting, 0);
  }));

Deno.test("a destination that is down is tried at once when its address changes, however long it would have waited", () =>
  inHouse(async (house) => {
    const before = house.destination();
    before.unreachable = DOWN;
    const group = house.group(before);
    group.add(entries(3));
    await house.clock.advance(3_600_000);
    const after = house.destination();
    after.description = "another node";
    group.replace(after, 5_000);
    await house.clock.advance(0);
    assert.equal(after.delivered.length, 3);
    assert.equal(group.snapshot().health.state, "up");
  }));

Deno.test("that the former node may have an instance says nothing of the new one: a duplicate there is a refusal", () =>
  inHouse(async (house) => {
    const before = house.destination();
    before.answer = () => ({ kind: "interrupted", reason: "the association was lost" });
    const group = house.group(before);
    group.add(entries(1));
    await house.clock.advance(0);
    const after = house.destination();
    after.description = "another node";
    after.answer = () => ({ kind: "duplicate", answer: "Duplicate SOP Instance (0111)" });
    group.replace(after, 5_000);
    await house.clock.advance(3_600_000);
    assert.equal(group.snapshot().delivered, 0);
    assert.equal(group.snapshot().failed, 1);
  }));

Deno.test("a destination that goes gives back what waits: in the line, for a time, and under way", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.answer = (one) =>
      one.base === entries(1)[0]!.base
        ? { kind: "refused", reason: "Cannot understand (C000)" }
        : new Promise(() => {});
    const group = house.group(pacs);
    group.add(entries(6));
    await house.clock.advance(0);
    assert.equal(pacs.attempted.length, 2);
    const left = group.stop(1_000);
    await house.clock.advance(1_000);
    assert.deepEqual(
      new Set((await left).map((one) => one.base)),
      new Set(entries(6).map((one) => one.base)),
    );
  }));
