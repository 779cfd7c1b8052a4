/*
 * What a person does to what waits while it is delivered: no attempt begins on what is claimed, one under way is known, and
 * what is let go again goes in its turn.
 */

import assert from "node:assert/strict";
import type { Outcome } from "../../src/delivery/outcome.ts";
import { inHouse } from "../helpers/delivery_house.ts";
import { DELIVERED, entries } from "../helpers/scripted_destination.ts";

Deno.test("no attempt begins on what is claimed, the others go on, and it goes when it is given back", async () => {
  await inHouse(async (house) => {
    const pacs = house.destination();
    const group = house.group(pacs);
    const some = entries(4);
    group.control.claim([some[1]!, some[2]!]);
    group.add(some);
    await house.clock.advance(100);
    assert.deepEqual(pacs.delivered, ["e0", "e3"]);
    // One of them is taken away meanwhile.
    house.spool.delivered(some[1]!, "pacs");
    group.control.unclaim([some[1]!, some[2]!]);
    await house.clock.advance(100);
    assert.deepEqual(pacs.delivered, ["e0", "e3", "e2"]);
    assert.equal(group.snapshot().waiting, 0);
  });
});

Deno.test("an entry is busy until what came of its attempt is written down", async () => {
  await inHouse(async (house) => {
    const pacs = house.destination();
    const answer = Promise.withResolvers<Outcome>();
    pacs.answer = () => answer.promise;
    const append = house.ledger.append;
    let written: (() => void) | undefined;
    house.ledger.append = (event, afterwards) => {
      append.call(house.ledger, event);
      written = afterwards;
    };
    const group = house.group(pacs);
    const [entry] = entries(1);
    group.add([entry!]);
    await house.clock.advance(10);
    assert.ok(group.control.isBusy(entry!));
    answer.resolve(DELIVERED);
    await house.clock.advance(10);
    assert.ok(group.control.isBusy(entry!), "the line is not on the disk yet");
    const ended = group.control.nextEnd();
    written!();
    await ended;
    assert.ok(!group.control.isBusy(entry!));
    assert.ok(!entry!.queued);
  });
});

Deno.test("one that waits for its own time goes at once when it is hurried, and what it met is known", async () => {
  await inHouse(async (house) => {
    const pacs = house.destination();
    pacs.answer = () => ({ kind: "refused", reason: "Refused: A900" });
    const group = house.group(pacs);
    const [entry] = entries(1);
    group.add([entry!]);
    await house.clock.advance(10);
    const trouble = group.control.trouble(entry!);
    assert.equal(trouble!.reason, "Refused: A900");
    assert.ok(trouble!.dueAt! > house.clock.now());
    pacs.answer = () => DELIVERED;
    group.control.hurry(new Set([entry!]));
    await house.clock.advance(10);
    assert.deepEqual(pacs.delivered, ["e0"]);
    assert.equal(group.control.trouble(entry!), undefined);
  });
});

Deno.test("what a person took away is not counted as waiting, whether it was ready or waited for a time", async () => {
  await inHouse(async (house) => {
    const pacs = house.destination();
    pacs.answer = () => ({ kind: "refused", reason: "Refused: A900" });
    const group = house.group(pacs);
    const some = entries(3);
    group.add(some);
    await house.clock.advance(10);
    for (const entry of some.slice(0, 2)) house.spool.delivered(entry, "pacs");
    assert.equal(group.snapshot().waiting, 3);
    group.control.sweep();
    assert.equal(group.snapshot().waiting, 1);
  });
});
