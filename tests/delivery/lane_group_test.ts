/*
 * Delivery to one destination over simulated time: what is down waits, what is refused is counted, and nothing of one
 * destination shows at another.
 */

import assert from "node:assert/strict";
import { DestinationError, type Outcome } from "../../src/delivery/outcome.ts";
import { House, inHouse } from "../helpers/delivery_house.ts";
import { settled } from "../helpers/fake_clock.ts";
import { DELIVERED, DOWN, entries, entry } from "../helpers/scripted_destination.ts";

/** Gaps between attempts, in s. */
function gaps(times: readonly number[]): number[] {
  return times.slice(1).map((time, n) => (time - times[n]!) / 1000);
}

const REFUSED: Outcome = { kind: "refused", reason: "Cannot understand (C000)" };

Deno.test("instances go in their order over one session, which is closed after its idle time", () =>
  inHouse(async (house) => {
    const { clock } = house;
    const pacs = house.destination();
    const group = house.group(pacs);
    group.add(entries(30));
    await clock.advance(0);
    await clock.advance(9_000);
    assert.deepEqual(pacs.delivered, entries(30).map((each) => each.base));
    assert.equal(pacs.opened.length, 1);
    assert.equal(group.snapshot().waiting, 0);
    assert.equal(group.snapshot().delivered, 30);
    assert.equal(pacs.openNow, 1);
    group.add([entry("late")]);
    await clock.advance(9_000);
    assert.equal(pacs.delivered.at(-1), "late");
    assert.equal(pacs.opened.length, 1, "the idle session was used");
    await clock.advance(10_000);
    assert.equal(pacs.openNow, 0);
    assert.equal(group.snapshot().sessions, 0);
    assert.equal(clock.waiting, 0, "nothing polls");
  }));

Deno.test("a destination that is down is tried after 5 s, doubling to 300 s, and no instance pays for it", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.unreachable = DOWN;
    const group = house.group(pacs);
    const waiting = entries(50);
    group.add(waiting);
    await house.clock.advance(86_400_000);
    assert.deepEqual(gaps(pacs.opened).slice(0, 9), [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    assert.ok(gaps(pacs.opened).slice(6).every((gap) => gap === 300));
    assert.equal(pacs.attempted.length, 0);
    assert.equal(group.snapshot().waiting, 50);
    assert.equal(house.spool.failed.length, 0);
    pacs.unreachable = undefined;
    await house.clock.advance(300_000);
    assert.deepEqual(pacs.delivered, waiting.map((each) => each.base), "all, in their order");
    assert.ok(waiting.every((each) => each.waiting.length === 0));
  }));

Deno.test("new instances do not make a destination that is down be tried sooner", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.unreachable = DOWN;
    const group = house.group(pacs);
    for (let n = 0; n < 600; n++) {
      group.add([entry(`n${n}`)]);
      await house.clock.advance(100);
    }
    assert.deepEqual(gaps(pacs.opened), [5, 10, 20]);
  }));

Deno.test("back-off has full jitter and is never under half a second", () =>
  inHouse(async (house) => {
    house.random = 0;
    const pacs = house.destination();
    pacs.unreachable = DOWN;
    house.group(pacs).add(entries(1));
    await house.clock.advance(2600);
    assert.deepEqual(gaps(pacs.opened), [0.5, 0.5, 0.5, 0.5, 0.5]);
  }));

Deno.test("a destination that is back is met with one session, and one more for each success up to its limit", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.sessions = 4;
    pacs.batch = 1;
    pacs.unreachable = DOWN;
    const open: number[] = [];
    pacs.answer = async () => {
      open.push(pacs.openNow);
      await new Promise<void>((resolve) => house.clock.after(1000, resolve));
      return DELIVERED;
    };
    const group = house.group(pacs);
    group.add(entries(100));
    await house.clock.advance(4_999);
    pacs.unreachable = undefined;
    await house.clock.advance(1_000);
    assert.equal(pacs.openNow, 1, "one goes and looks");
    await house.clock.advance(1_000);
    assert.equal(pacs.openNow, 1, "the first success: it is back");
    await house.clock.advance(1_000);
    assert.equal(pacs.openNow, 2, "one success more, one session more");
    await house.clock.advance(60_000);
    assert.equal(pacs.delivered.length, 100);
    assert.equal(pacs.mostOpen, 4);
  }));

Deno.test("an instance that is slow to be answered holds up itself and no other, while there is another session", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.sessions = 2;
    pacs.batch = 16;
    const slow = Promise.withResolvers<Outcome>();
    const all = entries(30);
    pacs.answer = async ({ base }) => {
      if (base === all[5]!.base) return await slow.promise;
      await new Promise<void>((resolve) => house.clock.after(200, resolve));
      return DELIVERED;
    };
    const group = house.group(pacs);
    group.add(all);
    await house.clock.advance(8_000);
    assert.equal(group.snapshot().waiting, 1, "all but the slow one are delivered");
    slow.resolve(DELIVERED);
    await house.clock.advance(1_000);
    assert.equal(group.snapshot().waiting, 0);
    assert.equal(new Set(pacs.delivered).size, 30);
    assert.equal(pacs.attempted.length, 30, "none twice");
  }));

Deno.test("many instances at once, after a time of quiet, are carried by as many sessions as are allowed", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.sessions = 3;
    pacs.answer = async () => {
      await new Promise<void>((resolve) => house.clock.after(100, resolve));
      return DELIVERED;
    };
    const group = house.group(pacs);
    group.add(entries(50));
    await house.clock.advance(60_000);
    assert.equal(pacs.delivered.length, 50);
    assert.equal(pacs.openNow, 0);
    pacs.mostOpen = 0;
    group.add(entries(200).map((each) => entry(`again-${each.base}`)));
    await house.clock.advance(60_000);
    assert.equal(pacs.delivered.length, 250);
    assert.equal(pacs.mostOpen, 3);
  }));

Deno.test("many instances at once wake all sessions that are parked", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.sessions = 3;
    let busy = 0;
    let mostBusy = 0;
    pacs.answer = async () => {
      mostBusy = Math.max(mostBusy, ++busy);
      await new Promise<void>((resolve) => house.clock.after(100, resolve));
      busy--;
      return DELIVERED;
    };
    const group = house.group(pacs);
    group.add(entries(100));
    while (pacs.delivered.length < 100) await house.clock.advance(100);
    assert.equal(pacs.openNow, 3, "all parked");
    mostBusy = 0;
    group.add(entries(100).map((each) => entry(`again-${each.base}`)));
    await house.clock.advance(8_000);
    assert.equal(mostBusy, 3);
    assert.equal(pacs.delivered.length, 200);
  }));

Deno.test("a refused instance has its tries, then lies in failed/ with the answer, while others pass", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.answer = (each) => each.base === "e3" ? REFUSED : DELIVERED;
    const group = house.group(pacs);
    group.add(entries(20));
    await house.clock.advance(1_000);
    assert.equal(pacs.delivered.length, 19);
    await house.clock.advance(600_000);
    assert.equal(pacs.attempted.filter((base) => base === "e3").length, 4, "once and 3 more");
    assert.equal(house.spool.failed.length, 1);
    const { base, destination, reason } = house.spool.failed[0]!;
    assert.deepEqual([base, destination], ["e3", "pacs"]);
    assert.equal(reason.kind, "refused");
    assert.equal(reason.tries, 4);
    assert.equal(reason.reason, REFUSED.kind === "refused" ? REFUSED.reason : "");
    assert.equal(group.snapshot().failed, 1);
    assert.equal(group.snapshot().waiting, 0);
    assert.equal(group.snapshot().health.state, "up", "the destination is well");
  }));

Deno.test("an instance is tried again when it is due, not when the session kept meanwhile is over", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.idleMs = 3_600_000;
    pacs.answer = () => pacs.attempted.length === 1 ? REFUSED : DELIVERED;
    house.group(pacs).add(entries(1));
    await house.clock.advance(4_999);
    assert.equal(pacs.attempted.length, 1);
    await house.clock.advance(1);
    assert.deepEqual(pacs.delivered, ["e0"]);
    assert.equal(pacs.opened.length, 1, "over the session that was kept");
    await house.clock.advance(3_600_000);
  }));

Deno.test("tries counted by an earlier process are not granted again", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.answer = () => REFUSED;
    const tried = entry("tried");
    tried.waiting = [{ destination: "pacs", tries: 3 }];
    house.group(pacs).add([tried]);
    await house.clock.advance(600_000);
    assert.equal(pacs.attempted.length, 1);
    assert.equal(house.spool.failed[0]!.reason.tries, 4);
  }));

for (
  const [kind, attempts] of [["protocol-error", 3], ["not-an-answer", 5]] as const
) {
  Deno.test(`an instance that meets ${kind} is given up after ${attempts} attempts, each over a new session`, () =>
    inHouse(async (house) => {
      const pacs = house.destination();
      pacs.answer = () => ({ kind, reason: "strange" });
      house.group(pacs).add(entries(1));
      await house.clock.advance(3_600_000);
      assert.equal(pacs.attempted.length, attempts);
      assert.equal(pacs.opened.length, attempts);
      assert.equal(house.spool.failed.length, 1);
    }));
}

Deno.test("an instance that kills every association is parked after its tries, good ones pass it by", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.answer = (each) =>
      each.base === "poison" ? { kind: "interrupted", reason: "peer went away" } : DELIVERED;
    const group = house.group(pacs);
    const all = entries(2_000);
    for (let n = 0; n < all.length; n++) {
      if (n === 20) group.add([entry("poison")]);
      group.add([all[n]!]);
      if (n % 10 === 0) await house.clock.advance(10_000);
    }
    await house.clock.advance(3_600_000);
    assert.equal(pacs.delivered.length, 2_000);
    assert.deepEqual(house.spool.failed.map((each) => each.base), ["poison"]);
    assert.equal(pacs.attempted.filter((base) => base === "poison").length, 4);
  }));

Deno.test("attempts without an answer, three in a row, are the destination's fault, and none is given up", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.answer = () => ({ kind: "interrupted", reason: "no answer to the request" });
    const group = house.group(pacs);
    group.add(entries(10));
    await house.clock.advance(86_400_000);
    assert.equal(group.snapshot().health.state, "down");
    assert.equal(house.spool.failed.length, 0);
    assert.ok(pacs.attempted.length < 320, `${pacs.attempted.length} attempts in a day`);
    pacs.answer = () => DELIVERED;
    await house.clock.advance(1_000_000);
    assert.equal(pacs.delivered.length, 10);
  }));

Deno.test("out of resources for all is the destination's trouble: nothing is given up", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.answer = () => ({ kind: "out-of-resources", reason: "Out of resources (A700)" });
    const group = house.group(pacs);
    group.add(entries(10));
    await house.clock.advance(86_400_000);
    assert.equal(group.snapshot().health.state, "down");
    assert.equal(house.spool.failed.length, 0);
    pacs.answer = () => DELIVERED;
    await house.clock.advance(1_000_000);
    assert.equal(pacs.delivered.length, 10);
  }));

Deno.test("out of resources for one, ten times while others pass, is that instance's own", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.answer = (each) =>
      each.base === "big"
        ? { kind: "out-of-resources", reason: "Out of resources (A700)" }
        : DELIVERED;
    const group = house.group(pacs);
    group.add([entry("big")]);
    for (let n = 0; n < 500; n++) {
      group.add([entry(`n${n}`)]);
      await house.clock.advance(10_000);
    }
    assert.equal(pacs.delivered.length, 500);
    assert.deepEqual(house.spool.failed.map((each) => each.base), ["big"]);
    assert.equal(house.spool.failed[0]!.reason.tries, 10);
  }));

Deno.test("a destination that does not let us in is probed every 300 s, by rejection and by answer", async () => {
  for (const how of ["open", "answer"] as const) {
    await inHouse(async (house) => {
      const pacs = house.destination();
      if (how === "open") pacs.unreachable = new DestinationError("misconfigured", "who are you");
      else pacs.answer = () => ({ kind: "misconfigured", reason: "Not authorised (0124)" });
      const group = house.group(pacs);
      group.add(entries(5));
      await house.clock.advance(3_600_000);
      assert.equal(group.snapshot().health.state, "misconfigured");
      assert.deepEqual([...new Set(gaps(pacs.opened))], [300], how);
      assert.equal(pacs.opened.length, 13);
      assert.equal(house.spool.failed.length, 0);
      pacs.unreachable = undefined;
      pacs.answer = () => DELIVERED;
      await house.clock.advance(300_000);
      assert.equal(pacs.delivered.length, 5);
      assert.deepEqual(pacs.delivered.toSorted(), entries(5).map((each) => each.base));
    });
  }
});

for (const kind of ["interrupted", "out-of-resources"] as const) {
  Deno.test(`attempts that came to ${kind} in an outage do not count against an instance afterwards`, () =>
    inHouse(async (house) => {
      const pacs = house.destination();
      let outage = true;
      let blip = false;
      pacs.answer = (each) => {
        if (outage) return { kind, reason: "an outage" };
        if (each.base !== "e0" || !blip) return DELIVERED;
        blip = false;
        return { kind, reason: "a blip" };
      };
      const group = house.group(pacs);
      group.add(entries(1));
      await house.clock.advance(86_400_000);
      assert.ok(pacs.attempted.length > 100, `${pacs.attempted.length} attempts`);
      // It is back, others pass, and the one tried in vain all day meets one more mishap.
      outage = false;
      blip = true;
      group.add([entry("before")]);
      await house.clock.advance(300_000);
      group.add([entry("behind")]);
      await house.clock.advance(600_000);
      assert.equal(blip, false, "the mishap came about");
      assert.deepEqual(house.spool.failed, [], "and is no reason to give it up");
      assert.ok(pacs.delivered.includes("e0"));
    }));
}

Deno.test("a destination that is down because of one instance is said to be down on that instance", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    const poison = entry("poison");
    poison.opened = { sopInstanceUid: "1.2.3.4", sopClassUid: "1.2", bytes: 0 };
    pacs.answer = () => ({ kind: "interrupted", reason: "10.0.0.1:104: aborted by the peer" });
    const group = house.group(pacs);
    group.add([poison]);
    await house.clock.advance(3_600_000);
    const { health, waiting } = group.snapshot();
    assert.ok(health.state === "down");
    const attempts = pacs.attempted.length;
    assert.equal(
      health.reason,
      `10.0.0.1:104: aborted by the peer (on instance 1.2.3.4, attempt ${attempts} of it)`,
    );
    assert.equal(waiting, 1, "nothing else passes, so nothing shows whose fault it is: it is kept");
    assert.ok(attempts <= 20, `${attempts} attempts in an hour`);
    // Others that pass between its tries show it.
    pacs.answer = (each) =>
      each === poison ? { kind: "interrupted", reason: "aborted" } : DELIVERED;
    for (let n = 0; n < 6; n++) {
      group.add([entry(`good${n}`)]);
      await house.clock.advance(600_000);
    }
    assert.equal(pacs.delivered.length, 6);
    assert.deepEqual(house.spool.failed.map((each) => each.base), ["poison"]);
  }));

Deno.test("destinations know nothing of each other's troubles", () =>
  inHouse(async (house) => {
    const [good, down, picky] = ["good", "down", "picky"].map((name) => house.destination(name));
    down!.unreachable = DOWN;
    picky!.answer = () => REFUSED;
    const shared = entries(10, ["good", "down", "picky"]);
    for (const destination of [good!, down!, picky!]) house.group(destination).add(shared);
    await house.clock.advance(600_000);
    assert.equal(good!.delivered.length, 10);
    assert.equal(house.spool.failed.length, 10);
    assert.ok(house.spool.failed.every((each) => each.destination === "picky"));
    assert.ok(shared.every((each) => each.waitsFor("down") && each.waiting.length === 1));
  }));

Deno.test("an instance that another session may carry is attempted over a new one, and costs nothing", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    let reopened = 0;
    pacs.answer = (each) =>
      each.base === "e2" && reopened++ < 2 ? { kind: "reopen", begun: false } : DELIVERED;
    const group = house.group(pacs);
    group.add(entries(6));
    await house.clock.advance(1_000);
    assert.deepEqual(pacs.delivered, entries(6).map((each) => each.base));
    assert.equal(pacs.opened.length, 3);
    assert.equal(group.snapshot().health.state, "up");
  }));

Deno.test("a damaged instance is set aside once, and is over for the other destinations, too", () =>
  inHouse(async (house) => {
    const first = house.destination("first");
    first.answer = (each) =>
      each.base === "e1" ? { kind: "corrupt", reason: "does not match" } : DELIVERED;
    const second = house.destination("second");
    second.unreachable = DOWN;
    const shared = entries(3, ["first", "second"]);
    const groups = [house.group(first), house.group(second)];
    for (const group of groups) group.add(shared);
    await house.clock.advance(1_000);
    assert.deepEqual(house.spool.aside, ["e1"]);
    second.unreachable = undefined;
    await house.clock.advance(300_000);
    assert.deepEqual(second.attempted, ["e0", "e2"]);
    assert.deepEqual(groups.map((group) => group.snapshot().waiting), [0, 0]);
  }));

Deno.test("instances that went away do not hold up those behind them", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.batch = 1;
    const all = entries(4);
    pacs.answer = (each) => {
      // While the first is under way, a person removes the second and the third.
      if (each === all[0]) { for (const gone of [all[1]!, all[2]!]) gone.queued = false; }
      return DELIVERED;
    };
    const group = house.group(pacs);
    group.add(all);
    await house.clock.advance(100);
    assert.deepEqual(pacs.delivered, ["e0", "e3"], "without waiting for the idle time");
    assert.equal(group.snapshot().waiting, 0);
  }));

Deno.test("an instance removed by hand is over without being tried again", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.answer = () => ({ kind: "gone" });
    const group = house.group(pacs);
    group.add(entries(2));
    await house.clock.advance(3_600_000);
    assert.equal(pacs.attempted.length, 2);
    assert.equal(group.snapshot().waiting, 0);
  }));

Deno.test("an instance removed by hand while it is refused for the last time is over, and told nobody as failed", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.retryAttempts = 0;
    const taken = entry("taken", ["pacs", "other"]);
    pacs.answer = () => REFUSED;
    // The spool finds the name without it when it is to write the count there.
    house.spool.countTry = (each) => {
      each.waiting = each.waiting.filter((one) => one.destination === "other");
      return 1;
    };
    const group = house.group(pacs);
    group.add([taken]);
    await house.clock.advance(0);
    assert.equal(group.snapshot().waiting, 0);
    assert.deepEqual(house.spool.failed, []);
    assert.deepEqual(house.told, []);
  }));

Deno.test("a duplicate is delivered where an attempt ended unknown, refused and kept where none is known", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    let first = true;
    pacs.answer = (each) => {
      if (each.base === "interrupted" && first) {
        first = false;
        return { kind: "interrupted", reason: "reset" };
      }
      return { kind: "duplicate", answer: "Duplicate SOP instance (0111)" };
    };
    const group = house.group(pacs);
    // One that an earlier start left is like any other: the destination may have another instance of that UID.
    group.add([entry("fresh"), entry("interrupted")]);
    await house.clock.advance(3_600_000);
    assert.equal(group.snapshot().delivered, 1);
    assert.deepEqual(house.spool.failed.map((each) => each.base), ["fresh"]);
  }));

Deno.test("an instance that failed/ does not take stays in the queue and is tried again later", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.retryAttempts = 0;
    pacs.answer = (each) => each.base === "e1" ? REFUSED : DELIVERED;
    house.spool.failure = new Error("EIO");
    const group = house.group(pacs);
    group.add(entries(4));
    await house.clock.advance(1_000);
    assert.deepEqual(pacs.delivered, ["e0", "e2", "e3"]);
    assert.equal(group.snapshot().waiting, 1);
    await house.clock.advance(600_000);
    assert.equal(house.spool.failed.length, 1);
    assert.equal(group.snapshot().waiting, 0);
    assert.equal(pacs.delivered.length, 3, "no other was sent twice");
  }));

Deno.test("an error of a destination's own code backs off like one that is down, and loses nothing", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.answer = () => {
      throw new TypeError("a defect");
    };
    const group = house.group(pacs);
    group.add(entries(3));
    await house.clock.advance(60_000);
    assert.deepEqual(gaps(pacs.opened), [5, 10, 20]);
    pacs.answer = () => DELIVERED;
    await house.clock.advance(300_000);
    assert.equal(pacs.delivered.length, 3);
  }));

Deno.test("a stop lets the attempt under way finish and begins none", async () => {
  const house = new House();
  const pacs = house.destination();
  const go = Promise.withResolvers<void>();
  pacs.answer = async () => {
    await go.promise;
    return DELIVERED;
  };
  const group = house.group(pacs);
  group.add(entries(5));
  await settled();
  const stopped = group.stop(60_000);
  await settled();
  go.resolve();
  await stopped;
  assert.deepEqual(pacs.delivered, ["e0"]);
  assert.equal(pacs.openNow, 0);
  group.add(entries(3));
  await house.clock.advance(600_000);
  assert.equal(pacs.attempted.length, 1);
});

Deno.test("a clock set back by a day does not put off the next attempt by a day", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.unreachable = DOWN;
    house.group(pacs).add(entries(3));
    await house.clock.advance(40_000);
    pacs.unreachable = undefined;
    house.clock.correct(-86_400_000);
    await house.clock.advance(300_000);
    assert.equal(pacs.delivered.length, 3);
  }));

Deno.test("a destination that takes one association at a time is served over it, and is not called down", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    const group = house.group(pacs);
    const open = pacs.open.bind(pacs);
    pacs.open = () =>
      pacs.openNow === 0
        ? open()
        : Promise.reject(new DestinationError("unreachable", "local limit exceeded"));
    group.add(entries(200));
    await house.clock.advance(0);
    assert.equal(pacs.delivered.length, 200);
    assert.equal(group.snapshot().health.state, "up");
  }));

Deno.test("a clock set back by a day does not keep a destination to one session for a day", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.sessions = 4;
    const open = pacs.open.bind(pacs);
    let most = 1;
    pacs.open = () =>
      pacs.openNow < most
        ? open()
        : Promise.reject(new DestinationError("unreachable", "local limit exceeded"));
    const group = house.group(pacs);
    group.add(entries(200));
    await house.clock.advance(20_000);
    most = 4;
    house.clock.correct(-86_400_000);
    await house.clock.advance(300_000);
    // Sessions are added one by one, so there has to be something to do for a while.
    pacs.answer = async () => {
      await new Promise<void>((resolve) => house.clock.after(100, resolve));
      return DELIVERED;
    };
    group.add(entries(200));
    await house.clock.advance(60_000);
    assert.equal(pacs.delivered.length, 400);
    assert.equal(pacs.mostOpen, 4);
  }));

Deno.test("a clock set forward by a day and back again makes attempts come sooner, never later", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    pacs.unreachable = DOWN;
    house.group(pacs).add(entries(3));
    await house.clock.advance(40_000);
    house.clock.correct(86_400_000);
    await house.clock.advance(300_000);
    house.clock.correct(-86_400_000);
    await house.clock.advance(300_000);
    const attempts = pacs.opened.length;
    pacs.unreachable = undefined;
    await house.clock.advance(300_000);
    assert.equal(pacs.delivered.length, 3);
    assert.ok(attempts < 20, `${attempts} attempts in eleven minutes`);
  }));

Deno.test("a session refused because the destination was going away is no limit once it is back", () =>
  inHouse(async (house) => {
    const { clock } = house;
    const pacs = house.destination();
    pacs.sessions = 2;
    pacs.batch = 1;
    let away = false;
    pacs.answer = async () => {
      await new Promise<void>((resolve) => clock.after(1000, resolve));
      return away ? { kind: "interrupted", reason: "closed" } : DELIVERED;
    };
    const group = house.group(pacs);
    group.add(entries(100));
    // The first session is busy when the second is refused: only then does the first find out.
    await clock.advance(500);
    pacs.unreachable = DOWN;
    await clock.advance(600);
    away = true;
    await clock.advance(10_000);
    assert.equal(group.snapshot().health.state, "down");
    pacs.unreachable = undefined;
    away = false;
    pacs.mostOpen = 0;
    await clock.advance(60_000);
    assert.equal(pacs.mostOpen, 2);
  }));

Deno.test("one instance that is not authorised holds up none of the others", () =>
  inHouse(async (house) => {
    const pacs = house.destination();
    const group = house.group(pacs);
    pacs.answer = (each) =>
      each.base === "e0" ? { kind: "misconfigured", reason: "Not authorised (0124)" } : DELIVERED;
    group.add(entries(8));
    await house.clock.advance(600_000);
    assert.equal(pacs.delivered.length, 7);
    assert.equal(group.snapshot().waiting, 1);
    assert.equal(house.spool.failed.length, 0, "nothing is spent");
  }));
