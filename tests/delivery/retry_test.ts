/*
 * What follows a failed attempt, as a table.
 */

import assert from "node:assert/strict";
import {
  afterTrouble,
  DEFAULT_BACK_OFF,
  noTroubles,
  type Troubles,
} from "../../src/delivery/retry.ts";

function step(
  kind: keyof Troubles,
  count: number,
  { attempts = 3, othersPass = true, random = 1 } = {},
) {
  const met = { counts: { ...noTroubles(), [kind]: count }, attempts: count, othersPass };
  return afterTrouble(kind, met, attempts, DEFAULT_BACK_OFF, random);
}

/** kind, attempts granted by the configuration, whether others pass, last count that is tried again. */
const LAST: readonly [keyof Troubles, number, boolean, number][] = [
  ["refused", 0, true, 0],
  ["refused", 3, true, 3],
  ["refused", 3, false, 3],
  ["refused", 10, true, 10],
  ["outOfResources", 3, true, 9],
  ["outOfResources", 3, false, Infinity],
  ["protocolErrors", 3, true, 2],
  ["protocolErrors", 99, false, 2],
  ["nonAnswers", 3, true, 4],
  ["nonAnswers", 0, false, 4],
  ["interrupted", 0, true, 3],
  ["interrupted", 3, true, 3],
  ["interrupted", 8, true, 8],
  ["interrupted", 3, false, Infinity],
];

for (const [kind, attempts, othersPass, last] of LAST) {
  Deno.test(`${kind}, ${attempts} tries granted, others ${othersPass ? "" : "do not "}pass: again up to ${last}`, () => {
    for (let count = 1; count <= 30; count++) {
      assert.equal(
        step(kind, count, { attempts, othersPass }).kind,
        count <= last ? "again" : "give-up",
        `after ${count}`,
      );
    }
    if (last === Infinity) assert.equal(step(kind, 1e6, { attempts, othersPass }).kind, "again");
  });
}

Deno.test("one kind of trouble does not spend the tries of another", () => {
  const counts = { ...noTroubles(), refused: 3, protocolErrors: 2, nonAnswers: 1 };
  const met = { counts, attempts: 1, othersPass: true };
  const next = afterTrouble("nonAnswers", met, 3, DEFAULT_BACK_OFF, 1);
  assert.deepEqual(next, { kind: "again", delayMs: 5_000 });
});

Deno.test("the wait doubles from 5 s to 300 s, half of it fixed and half by chance", () => {
  const ceilings = [5, 10, 20, 40, 80, 160, 300, 300, 300];
  for (const [n, ceiling] of ceilings.entries()) {
    for (const [random, share] of [[0, 0.5], [0.5, 0.75], [1, 1]] as const) {
      assert.deepEqual(step("outOfResources", n + 1, { othersPass: false, random }), {
        kind: "again",
        delayMs: ceiling * 1000 * share,
      });
    }
  }
  assert.deepEqual(step("outOfResources", 5000, { othersPass: false }), {
    kind: "again",
    delayMs: 300_000,
  });
});
