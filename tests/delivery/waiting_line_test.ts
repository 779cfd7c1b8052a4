/*
 * The line of what waits, against a model that is too simple to be wrong.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { WaitingLine } from "../../src/delivery/waiting_line.ts";
import type { Entry } from "../../src/spool/entry.ts";
import { entry } from "../helpers/scripted_destination.ts";

interface Model {
  ready: string[];
  delayed: { dueAt: number; base: string }[];
}

type Move = (model: Model, line: WaitingLine, next: () => Entry) => void;

const bases = (entries: readonly Entry[]) => entries.map((each) => each.base);

const push = fc.nat(50).map((count): Move => (model, line, next) => {
  for (let n = 0; n < count; n++) {
    const each = next();
    model.ready.push(each.base);
    line.push(each);
  }
});
const take = fc.nat(60).map((most): Move => (model, line) => {
  assert.deepEqual(bases(line.take(most)), model.ready.splice(0, most));
});
const takeAndPutBack = fc.tuple(fc.nat(60), fc.nat(20)).map(
  ([most, kept]): Move => (model, line) => {
    const taken = line.take(most);
    assert.deepEqual(bases(taken), model.ready.splice(0, most));
    const back = taken.slice(kept);
    line.putBack(back);
    model.ready.unshift(...bases(back));
  },
);
const peek = fc.nat(60).map((most): Move => (model, line) => {
  assert.deepEqual(bases(line.peek(most)), model.ready.slice(0, most));
});
const delay = fc.array(fc.nat(1000), { maxLength: 20 }).map(
  (times): Move => (model, line, next) => {
    for (const time of times) {
      const each = next();
      // No two due at once: which goes first then is nobody's concern.
      const dueAt = time * 1_000_000 + Number(each.base);
      model.delayed.push({ dueAt, base: each.base });
      line.delay(each, dueAt);
    }
  },
);
const ripen = fc.nat(1100).map((time): Move => (model, line) => {
  const now = time * 1_000_000;
  const due = model.delayed.filter((each) => each.dueAt <= now).sort((a, b) => a.dueAt - b.dueAt);
  model.delayed = model.delayed.filter((each) => each.dueAt > now);
  model.ready.push(...due.map((each) => each.base));
  line.ripen(now);
});

Deno.test("the line does what a plain list would do, whatever is asked of it", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(push, take, takeAndPutBack, peek, delay, ripen), { maxLength: 60 }),
      (moves) => {
        const model: Model = { ready: [], delayed: [] };
        const line = new WaitingLine();
        let count = 0;
        for (const move of moves) {
          move(model, line, () => entry(String(count++)));
          assert.equal(line.ready, model.ready.length);
          assert.equal(line.length, model.ready.length + model.delayed.length);
          const dues = model.delayed.map((each) => each.dueAt);
          assert.equal(line.nextDueAt, dues.length === 0 ? undefined : Math.min(...dues));
        }
        assert.deepEqual(bases(line.take(1e6)), model.ready);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("a long line is moved up and put back at its front without losing its order", () => {
  const line = new WaitingLine();
  const all = Array.from({ length: 5000 }, (_, n) => entry(String(n)));
  for (const each of all) line.push(each);
  const first = line.take(3000);
  line.putBack(first);
  line.putBack([entry("front")]);
  assert.equal(line.ready, 5001);
  assert.deepEqual(bases(line.take(5001)), ["front", ...bases(all)]);
});

Deno.test("a million entries cost no more each than a few", () => {
  const line = new WaitingLine();
  const one = entry("x");
  const began = performance.now();
  for (let n = 0; n < 1_000_000; n++) line.push(one);
  while (line.ready > 0) {
    const taken = line.take(16);
    line.putBack(taken.slice(8));
  }
  const took = performance.now() - began;
  assert.ok(took < 3000, `${took} ms`);
});
