/* What waits to be sent: order, gathering, back-off, the bound, and the stop. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { type Channel, ChannelError, type Notice } from "../../src/alarms/channel.ts";
import { collapse, MOST_WAITING, Outbox, type Waiting } from "../../src/alarms/outbox.ts";
import { FakeClock, settled } from "../helpers/fake_clock.ts";
import { captureLog } from "../helpers/log_file.ts";
import { Scratch } from "../helpers/scratch.ts";

function notice(event: Notice["event"], key: string, at = 0): Notice {
  return { event, key, severity: "warning", title: key, text: `${event} ${key}`, since: at, at };
}

/** A channel that does as it is told. */
class Scripted implements Channel {
  readonly name = "scripted";
  readonly gatherMs: number;
  readonly most: number;
  readonly sent: string[] = [];
  readonly left: number[] = [];
  attempts = 0;
  trouble: "none" | "fails" | "hangs" | "throws" = "none";

  constructor({ gatherMs = 0, most = 1 } = {}) {
    this.gatherMs = gatherMs;
    this.most = most;
  }

  async send(notices: readonly Notice[], left: number, signal: AbortSignal): Promise<string> {
    this.attempts++;
    if (this.trouble === "fails") throw new ChannelError("it is away");
    if (this.trouble === "throws") throw new TypeError("SESAME");
    if (this.trouble === "hangs") {
      await new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason))
      );
    }
    this.sent.push(notices.map((one) => `${one.event} ${one.key}`).join(", "));
    this.left.push(left);
    return "taken";
  }
}

function house(options: { gatherMs?: number; most?: number } = {}, waiting?: Waiting) {
  const clock = new FakeClock();
  const channel = new Scripted(options);
  let changes = 0;
  const outbox = new Outbox(channel, { clock, random: () => 1, changed: () => changes++ }, waiting);
  return { clock, channel, outbox, changes: () => changes };
}

Deno.test("messages are sent in order, one by one where a channel takes one", async () => {
  const { clock, channel, outbox } = house();
  for (const key of ["a", "b", "c"]) outbox.offer(notice("begin", key));
  await clock.advance(0);
  assert.deepEqual(channel.sent, ["begin a", "begin b", "begin c"]);
  assert.deepEqual(outbox.waiting, { notices: [], left: 0 });
  assert.equal(clock.waiting, 0);
});

Deno.test("messages within half a minute go in one mail", async () => {
  const { clock, channel, outbox } = house({ gatherMs: 30_000, most: 50 });
  outbox.offer(notice("begin", "a"));
  await clock.advance(20_000);
  outbox.offer(notice("begin", "b"));
  await clock.advance(9_999);
  assert.equal(channel.attempts, 0);
  await clock.advance(1);
  assert.deepEqual(channel.sent, ["begin a, begin b"]);
  outbox.offer(notice("end", "a"));
  await clock.advance(30_000);
  assert.deepEqual(channel.sent.at(-1), "end a");
});

Deno.test("what cannot be sent is tried again with growing waits, and all of it arrives when the other side is back", async () => {
  const { clock, channel, outbox } = house();
  channel.trouble = "fails";
  outbox.offer(notice("begin", "a"));
  const waits: number[] = [];
  for (let n = 1; n <= 10; n++) {
    const before = clock.now();
    while (channel.attempts < n) await clock.advance(500);
    waits.push(Math.round((clock.now() - before) / 1000));
  }
  assert.deepEqual(waits.slice(1), [5, 10, 20, 40, 80, 160, 320, 600, 600]);
  outbox.offer(notice("end", "a"));
  channel.trouble = "none";
  await clock.advance(600_000);
  assert.deepEqual(channel.sent, ["begin a", "end a"]);
});

Deno.test("an outage is logged once when it begins and once when it is over", async () => {
  await using scratch = await Scratch.make();
  const lines = await captureLog(scratch.path);
  const { clock, channel, outbox } = house();
  channel.trouble = "fails";
  for (let n = 0; n < 20; n++) outbox.offer(notice("begin", `k${n}`));
  await clock.advance(3_600_000);
  channel.trouble = "none";
  await clock.advance(600_000);
  const told = (await lines()).filter((line) => /sent by scripted/.test(line));
  assert.equal(told.length, 2, told.join("\n"));
  assert.match(told[0]!, /WARN.*cannot be sent by scripted, they wait: it is away/);
  assert.match(told[1]!, /INFO.*sent by scripted again/);
});

Deno.test("a channel that hangs is given up, one that throws anything at all is a failure like another", async () => {
  const { clock, channel, outbox } = house();
  channel.trouble = "hangs";
  outbox.offer(notice("begin", "a"));
  await clock.advance(125_000);
  assert.equal(channel.attempts, 2);
  channel.trouble = "throws";
  await clock.advance(130_000);
  channel.trouble = "none";
  await clock.advance(600_000);
  assert.deepEqual(channel.sent, ["begin a"]);
});

Deno.test("where too much waits, what has begun and ended goes first, then repeats, then the oldest, and they are counted", async () => {
  const { clock, channel, outbox } = house();
  channel.trouble = "fails";
  outbox.offer(notice("begin", "stays"));
  for (let n = 0; n < 200; n++) {
    outbox.offer(notice("begin", `k${n}`));
    outbox.offer(notice("end", `k${n}`));
  }
  const { notices, left } = outbox.waiting;
  assert.ok(notices.length <= MOST_WAITING);
  assert.equal(notices[0]!.key, "stays");
  assert.equal(notices.length + left, 401);
  channel.trouble = "none";
  await clock.advance(600_000);
  assert.equal(channel.left[0], left, "told with the first that is sent");
  assert.ok(channel.left.slice(1).every((count) => count === 0));
});

Deno.test("collapsing takes pairs whole: what is left of a key still alternates", () => {
  const events = fc.array(
    fc.record({ key: fc.constantFrom("a", "b", "c"), repeat: fc.boolean() }),
    {
      maxLength: 80,
    },
  );
  fc.assert(
    fc.property(events, fc.integer({ min: 12, max: 40 }), (given, most) => {
      const up = new Set<string>();
      const all = given.map(({ key, repeat }, n) => {
        if (!up.has(key)) {
          up.add(key);
          return notice("begin", key, n);
        }
        if (repeat) return notice("repeat", key, n);
        up.delete(key);
        return notice("end", key, n);
      });
      const rest = collapse(all, most);
      assert.ok(rest.length <= most);
      for (const key of ["a", "b", "c"]) {
        const kinds = rest.filter((one) => one.key === key && one.event !== "repeat")
          .map((one) => one.event);
        assert.ok(kinds.every((kind, n) => kind === (n % 2 === 0 ? "begin" : "end")), kinds.join());
        assert.equal(kinds.at(-1) === "begin", up.has(key), `${key} is told as it is`);
      }
    }),
    { seed: 6 },
  );
});

Deno.test("a test goes past what waits, says what was answered, and a success sets the rest going", async () => {
  const { clock, channel, outbox } = house();
  channel.trouble = "fails";
  outbox.offer(notice("begin", "a"));
  await clock.advance(1_000_000);
  const { signal } = new AbortController();
  assert.deepEqual(await outbox.test(notice("test", "test"), signal), {
    ok: false,
    text: "it is away",
  });
  channel.trouble = "none";
  assert.deepEqual(await outbox.test(notice("test", "test"), signal), { ok: true, text: "taken" });
  await clock.advance(0);
  assert.deepEqual(channel.sent, ["test test", "begin a"]);
});

Deno.test("a test of a channel that throws names the kind of error and not its words, which may be secret", async () => {
  const { channel, outbox } = house();
  channel.trouble = "throws";
  const { ok, text } = await outbox.test(notice("test", "test"), new AbortController().signal);
  assert.ok(!ok);
  assert.match(text, /TypeError/);
  assert.doesNotMatch(text, /SESAME/);
});

Deno.test("a stop sends what was being gathered, and takes no longer than it may where the channel hangs", async () => {
  const gathering = house({ gatherMs: 30_000, most: 50 });
  gathering.outbox.offer(notice("begin", "a"));
  await gathering.outbox.stop(3000);
  assert.deepEqual(gathering.channel.sent, ["begin a"]);
  assert.equal(gathering.clock.waiting, 0);

  const hanging = house();
  hanging.channel.trouble = "hangs";
  hanging.outbox.offer(notice("begin", "a"));
  await hanging.clock.advance(0);
  let stopped = false;
  const stopping = hanging.outbox.stop(3000).then(() => stopped = true);
  await hanging.clock.advance(2999);
  assert.ok(!stopped);
  await hanging.clock.advance(1);
  await settled();
  assert.ok(stopped);
  await stopping;
  assert.equal(hanging.outbox.waiting.notices.length, 1, "kept for the next start");
  assert.equal(hanging.clock.waiting, 0);
});

Deno.test("what an earlier run left is sent at the next start", async () => {
  const { clock, channel } = house({ gatherMs: 30_000, most: 50 }, {
    notices: [notice("begin", "a"), notice("end", "a")],
    left: 2,
  });
  await clock.advance(0);
  assert.deepEqual(channel.sent, ["begin a, end a"]);
  assert.deepEqual(channel.left, [2]);
});
