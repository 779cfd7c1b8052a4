import assert from "node:assert/strict";
import { Turns } from "../../src/web/turns.ts";

/** Time that passes when it is told to. */
function heldTime() {
  let now = 0;
  const timers: { at: number; callback: () => void }[] = [];
  return {
    clock: {
      now: () => now,
      after(ms: number, callback: () => void) {
        timers.push({ at: now + ms, callback });
        return () => {};
      },
    },
    elapsed: () => now,
    async pass(ms: number) {
      now += ms;
      for (const timer of timers.splice(0)) {
        if (timer.at <= now) timer.callback();
        else timers.push(timer);
      }
      for (let n = 0; n < 10; n++) await Promise.resolve();
    },
  };
}

Deno.test("a look begins when the one before is over and twice its time has passed", async () => {
  const time = heldTime();
  const turns = new Turns(time.clock, time.elapsed);
  const first = Promise.withResolvers<string>();
  const begun: string[] = [];
  const one = turns.take(() => (begun.push("one"), first.promise));
  const two = turns.take(() => (begun.push("two"), "2"));
  await time.pass(0);
  await time.pass(30);
  assert.deepEqual(begun, ["one"]);
  first.resolve("1");
  assert.equal(await one, "1");
  await time.pass(59);
  assert.deepEqual(begun, ["one"]);
  await time.pass(1);
  assert.equal(await two, "2");
});

Deno.test("a look that fails is told to who asked, and the next has its turn", async () => {
  const time = heldTime();
  const turns = new Turns(time.clock, time.elapsed);
  await assert.rejects(turns.take(() => Promise.reject(new Error("no"))), /no/);
  const next = turns.take(() => "yes");
  await time.pass(0);
  assert.equal(await next, "yes");
});

Deno.test("no pause is longer than half a second", async () => {
  const time = heldTime();
  const turns = new Turns(time.clock, time.elapsed);
  const slow = Promise.withResolvers<void>();
  const one = turns.take(() => slow.promise);
  await time.pass(0);
  await time.pass(60_000);
  slow.resolve();
  await one;
  const two = turns.take(() => "soon");
  await time.pass(500);
  assert.equal(await two, "soon");
});
