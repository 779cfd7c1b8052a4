/* Whether a node is asked for asynchronous operations, and how many are outstanding after a loss: decisions, no sockets. */

import assert from "node:assert/strict";
import { afterRequest, asks, UNASKED } from "../../src/delivery/operations_asking.ts";
import {
  afterLoss,
  type Caution,
  isCautious,
  NO_CAUTION,
} from "../../src/delivery/operations_caution.ts";

/** The ends of requests in turn; returns which of them asked, and whether the next one would. */
function asked(...ends: ("answered" | "broken-off" | "by the item")[]): boolean[] {
  let asking = UNASKED;
  const found: boolean[] = [];
  for (const end of ends) {
    const has = asks(asking);
    found.push(has);
    // A node that cannot bear the item answers what has none.
    const kind = end !== "by the item" ? end : has ? "broken-off" : "answered";
    asking = afterRequest(asking, has, kind);
  }
  return [...found, asks(asking)];
}

Deno.test("a node that answers is asked from then on, however often it breaks off later", () => {
  assert.deepEqual(asked("answered", "broken-off", "broken-off"), [true, true, true, true]);
});

Deno.test("a node that breaks off at the item, and at nothing else, is no longer asked after the second time", () => {
  const item = "by the item";
  assert.deepEqual(
    asked(item, item, item, item, item, item),
    [true, false, true, false, false, false, false],
  );
});

Deno.test("a node that breaks off whatever it is asked is asked again when it is back", () => {
  for (let down = 0; down < 8; down++) {
    const ends = new Array<"broken-off">(down).fill("broken-off");
    assert.equal(asked(...ends, "answered", "answered").at(-1), true, `${down} times down`);
  }
});

Deno.test("two associations that ask at a time and are broken off count as what they are", () => {
  const once = afterRequest(UNASKED, true, "broken-off");
  assert.deepEqual(afterRequest(once, true, "broken-off"), once);
  assert.equal(asks(once), false);
});

/** Losses at these times; returns how long each makes instances go one at a time. */
function whiles(...times: number[]): number[] {
  let caution: Caution = NO_CAUTION;
  return times.map((now) => {
    caution = afterLoss(caution, now);
    return caution.until - now;
  });
}

const START = 1_763_900_000_000;
const MINUTE = 60_000;

Deno.test("after a loss instances go one at a time for a minute, twice as long after each further one, up to an hour", () => {
  assert.equal(isCautious(NO_CAUTION, START), false);
  const times = [START];
  for (let n = 0; n < 8; n++) times.push(times.at(-1)! + 2 ** n * MINUTE + (n > 6 ? 0 : 1));
  const minutes = whiles(...times).map((ms) => ms / MINUTE);
  assert.deepEqual(minutes.slice(0, 7), [1, 2, 4, 8, 16, 32, 60]);
});

Deno.test("losses in one moment on several associations are one loss", () => {
  assert.deepEqual(whiles(START, START + 5, START + 9), [60_000, 59_995, 59_991]);
});

Deno.test("a loss long after the others begins at a minute again", () => {
  assert.deepEqual(whiles(START, START + MINUTE + 1, START + 300 * MINUTE), [
    MINUTE,
    2 * MINUTE,
    MINUTE,
  ]);
});

Deno.test("a clock that is set back by a day makes instances go one at a time no longer", () => {
  const caution = afterLoss(NO_CAUTION, START);
  assert.equal(isCautious(caution, START + 30_000), true);
  assert.equal(isCautious(caution, START + MINUTE), false);
  assert.equal(isCautious(caution, START - 86_400_000), false);
});
