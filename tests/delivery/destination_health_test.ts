/*
 * A destination's health, event by event.
 */

import assert from "node:assert/strict";
import {
  FRESH,
  type Health,
  onAnswer,
  onExhausted,
  onInterrupted,
  onMisconfigured,
  onSuccess,
  onUnreachable,
} from "../../src/delivery/destination_health.ts";
import { DEFAULT_BACK_OFF } from "../../src/delivery/retry.ts";

const NOW = 1_000_000;

function up(sessions: number, interruptions = 0, exhaustions = 0, grewAt = 0): Health {
  return { state: "up", sessions, interruptions, exhaustions, grewAt };
}

function unreachable(health: Health, now = NOW, random = 1): Health {
  return onUnreachable(health, "refused", now, DEFAULT_BACK_OFF, random);
}

const DOWN = unreachable(FRESH);
const MISCONFIGURED = onMisconfigured(FRESH, "who are you", NOW);

Deno.test("a new destination gets one session", () => {
  assert.deepEqual(FRESH, up(1));
});

Deno.test("each success is worth one more session, up to the limit, and clears what was held against it", () => {
  assert.deepEqual(onSuccess(up(1), 4, NOW), up(2, 0, 0, NOW));
  assert.deepEqual(onSuccess(up(3, 1, 1), 4, NOW), up(4, 0, 0, NOW));
  assert.deepEqual(onSuccess(up(4, 1), 4, NOW), up(4));
  assert.deepEqual(onSuccess(up(1, 0, 2), 1, NOW), up(1));
  const full = up(4);
  assert.equal(onSuccess(full, 4, NOW), full, "nothing changed is told by the same object");
});

Deno.test("successes that come fast add a session every half second, not all of them at once", () => {
  let health = onSuccess(DOWN, 32, NOW);
  const grew: number[] = [];
  for (let now = NOW; now < NOW + 3000; now += 10) {
    const next = onSuccess(health, 32, now);
    if (next !== health) grew.push(now - NOW);
    health = next;
  }
  assert.deepEqual(grew, [500, 1000, 1500, 2000, 2500]);
  // A clock that was set back by a day does not put the next one off by a day.
  assert.deepEqual(onSuccess(health, 32, NOW - 86_400_000), up(7, 0, 0, NOW - 86_400_000));
});

Deno.test("a success after an outage begins with one session again", () => {
  assert.deepEqual(onSuccess(DOWN, 4, NOW), up(1, 0, 0, NOW));
  assert.deepEqual(onSuccess(MISCONFIGURED, 4, NOW), up(1, 0, 0, NOW));
});

Deno.test("any answer shows that the destination is there", () => {
  assert.deepEqual(onAnswer(DOWN), up(1));
  assert.deepEqual(onAnswer(MISCONFIGURED), up(1));
  assert.deepEqual(onAnswer(up(3, 2, 1)), up(3, 0, 1));
  const well = up(3, 0, 1);
  assert.equal(onAnswer(well), well);
});

Deno.test("unreachable: 5 s doubling to 300 s, and since when is remembered", () => {
  let health: Health = up(4);
  const waits: number[] = [];
  for (let n = 0; n < 10; n++) {
    health = unreachable(health, NOW + n);
    assert.ok(health.state === "down");
    waits.push((health.nextAt - NOW - n) / 1000);
    assert.equal(health.since, NOW);
    assert.equal(health.attempts, n + 1);
    assert.equal(health.reason, "refused");
  }
  assert.deepEqual(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300, 300]);
});

Deno.test("the wait is anything from 0.5 s to its ceiling, evenly by chance", () => {
  let health: Health = FRESH;
  for (let n = 0; n < 12; n++) {
    const ceiling = Math.min(300_000, 5_000 * 2 ** n);
    for (const random of [0, 0.01, 0.25, 0.5, 0.999]) {
      const next = unreachable(health, NOW, random);
      assert.ok(next.state === "down");
      assert.equal(next.nextAt - NOW, Math.max(500, Math.round(random * ceiling)));
    }
    health = unreachable(health);
  }
  assert.ok(health.state === "down");
});

Deno.test("a back-off shorter than half a second is respected", () => {
  const next = onUnreachable(FRESH, "x", NOW, { firstMs: 20, mostMs: 100 }, 0);
  assert.ok(next.state === "down");
  assert.equal(next.nextAt, NOW + 20);
});

Deno.test("misconfigured is looked at every 300 s, and begins anew after being down", () => {
  let health = onMisconfigured(DOWN, "rejected", NOW + 50);
  assert.deepEqual(health, {
    state: "misconfigured",
    since: NOW + 50,
    reason: "rejected",
    attempts: 1,
    nextAt: NOW + 300_050,
  });
  health = onMisconfigured(health, "rejected still", NOW + 300_050);
  assert.deepEqual(health, {
    state: "misconfigured",
    since: NOW + 50,
    reason: "rejected still",
    attempts: 2,
    nextAt: NOW + 600_050,
  });
  const down = unreachable(health, NOW + 600_050);
  assert.ok(down.state === "down");
  assert.equal(down.attempts, 1);
  assert.equal(down.since, NOW + 600_050);
});

for (
  const [name, event, counter] of [
    ["attempts without an answer", onInterrupted, "interruptions"],
    ["answers out of resources", onExhausted, "exhaustions"],
  ] as const
) {
  Deno.test(`two ${name} are put up with, the third in a row shows that the destination is down`, () => {
    const next = (health: Health) => event(health, "why", NOW, DEFAULT_BACK_OFF, 1);
    const first = next(up(3));
    assert.ok(first.state === "up");
    assert.equal(first[counter], 1);
    const second = next(first);
    assert.ok(second.state === "up");
    const third = next(second);
    assert.ok(third.state === "down");
    assert.equal(third.attempts, 1);
    assert.equal(third.nextAt, NOW + 5_000);
    const fourth = event(third, "why", NOW + 5_000, DEFAULT_BACK_OFF, 1);
    assert.ok(fourth.state === "down");
    assert.equal(fourth.attempts, 2);
    assert.equal(fourth.nextAt, NOW + 15_000);
    // A success in between begins the row anew.
    const between = next(next(onSuccess(second, 3, NOW)));
    assert.equal(between.state, "up");
  });
}

Deno.test("an interruption leaves one session, an answer out of resources is an answer", () => {
  assert.deepEqual(onInterrupted(up(4), "x", NOW, DEFAULT_BACK_OFF, 1), up(1, 1));
  assert.deepEqual(onExhausted(up(4, 2), "x", NOW, DEFAULT_BACK_OFF, 1), up(4, 0, 1));
});

for (
  const [name, event] of [
    ["attempts without an answer", onInterrupted],
    ["answers out of resources", onExhausted],
  ] as const
) {
  Deno.test(`${name} that were under way when the destination went down make it no longer down; a later one does`, () => {
    let health: Health = up(4);
    const fail = (now: number) => health = event(health, "why", now, DEFAULT_BACK_OFF, 1);
    for (let n = 0; n < 16; n++) fail(NOW);
    assert.ok(health.state === "down");
    assert.deepEqual([health.attempts, health.nextAt], [1, NOW + 5_000]);
    fail(NOW + 5_000);
    assert.deepEqual([health.attempts, health.nextAt], [2, NOW + 15_000]);
    // The clock is set back by a day: what is tried then counts, or the next attempt would be a day away.
    fail(NOW - 86_400_000);
    assert.deepEqual([health.attempts, health.nextAt], [3, NOW - 86_400_000 + 20_000]);
  });
}
