/*
 * Every cell of PS3.8 Table 9-10, against a transcription of the printed table.
 */

import assert from "node:assert/strict";
import { type State, step } from "../../src/ul/state.ts";
import { CELLS, NEXT, ORDER } from "../helpers/state_table.ts";

Deno.test("the printed table has 19 rows, 13 columns and 123 cells", () => {
  assert.equal(CELLS.length, 19);
  for (const cells of CELLS) assert.equal(cells.length, 13);
  assert.equal(CELLS.flat().filter((cell) => cell !== ".").length, 123);
});

for (const [row, event] of ORDER.entries()) {
  Deno.test(`Table 9-10, ${event}: all 13 states, both roles`, () => {
    for (let state = 1; state <= 13; state++) {
      const cell = CELLS[row]![state - 1]!;
      for (const [n, role] of (["requestor", "acceptor"] as const).entries()) {
        const where = `Sta${state}, ${event}, ${role}`;
        const found = step(state as State, event, role);
        if (cell === ".") assert.equal(found, undefined, where);
        else {
          const next = NEXT[cell]!;
          const wanted = typeof next === "number" ? next : next[n];
          assert.deepEqual(found, { action: cell, next: wanted }, where);
        }
      }
    }
  });
}
