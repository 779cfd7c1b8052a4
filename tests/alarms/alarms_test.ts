/* Alarms as a whole: from how the forwarder is to what real servers get, over restarts and changes of the configuration. */

import assert from "node:assert/strict";
import { Alarms, type AlarmStore } from "../../src/alarms/alarms.ts";
import type { Channel } from "../../src/alarms/channel.ts";
import type { AlarmSnapshot } from "../../src/alarms/snapshot.ts";
import type { AlarmsConfig } from "../../src/config/alarms.ts";
import { configFrom } from "../../src/config/load.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { captureLog } from "../helpers/log_file.ts";
import { Scratch } from "../helpers/scratch.ts";
import { SmtpServer } from "../helpers/smtp_server.ts";
import { WebhookServer } from "../helpers/webhook_server.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function settings(alarms: Record<string, unknown> = {}): AlarmsConfig {
  return configFrom({ pacs_host: "pacs.example", alarms }, "/srv").alarms;
}

class Store implements AlarmStore {
  text: string | undefined;
  saved = 0;
  isBroken = false;

  load(): string | undefined {
    if (this.isBroken) throw new Error("cannot read");
    return this.text;
  }

  save(text: string): void {
    if (this.isBroken) throw new Error("cannot write");
    this.saved++;
    this.text = text;
  }
}

/** A channel that keeps what it is told, as `begin corrupt`. */
class Kept implements Channel {
  readonly name = "kept";
  readonly gatherMs = 0;
  readonly most = 1;
  readonly told: string[] = [];

  send(notices: Parameters<Channel["send"]>[0]): Promise<string> {
    this.told.push(...notices.map(({ event, key }) => `${event} ${key}`));
    return Promise.resolve("taken");
  }
}

class House {
  readonly clock = new FakeClock();
  readonly store = new Store();
  readonly kept = new Kept();
  corrupt = 0;
  looked = 0;
  isBroken = false;

  snapshot(): Omit<AlarmSnapshot, "seen"> {
    this.looked++;
    if (this.isBroken) throw new Error("no snapshot");
    return {
      now: this.clock.now(),
      failed: 0,
      corrupt: this.corrupt,
      missing: 0,
      destinations: [],
      disk: { free: null, reserve: 0, refuses: null },
      configuration: null,
      certificates: [],
      failures: [],
    };
  }

  start(config = settings(), channels?: (config: AlarmsConfig) => Channel[]): Alarms {
    const alarms = new Alarms({
      config,
      aeTitle: "FORWARDER",
      version: "1.2.3",
      clock: this.clock,
      random: () => 0.5,
      snapshot: () => this.snapshot(),
      store: this.store,
      channels: channels ?? (() => [this.kept]),
    });
    alarms.start();
    return alarms;
  }
}

Deno.test("what is wrong is active and told until it is over, by a look each five seconds", async () => {
  const house = new House();
  const alarms = house.start();
  await house.clock.advance(MINUTE);
  assert.ok(house.looked >= 12 && house.looked <= 14, `${house.looked} looks`);
  house.corrupt = 1;
  await house.clock.advance(5000);
  assert.deepEqual(alarms.active().map((one) => one.key), ["corrupt"]);
  house.corrupt = 0;
  await house.clock.advance(2 * MINUTE);
  assert.deepEqual(alarms.active(), []);
  assert.deepEqual(house.kept.told, ["begin corrupt", "end corrupt"]);
  await alarms.stop();
  assert.equal(house.clock.waiting, 0, "a stop leaves no timer");
});

Deno.test("a change is looked at within a fraction of a second, a hundred at once only once", async () => {
  const house = new House();
  const alarms = house.start();
  await house.clock.advance(1000);
  const before = house.looked;
  house.corrupt = 1;
  for (let n = 0; n < 100; n++) alarms.changed();
  await house.clock.advance(200);
  assert.deepEqual(house.kept.told, ["begin corrupt"]);
  assert.equal(house.looked, before + 1);
  await alarms.stop();
});

Deno.test("a restart repeats nothing, and tells the end of what began before it", async () => {
  const house = new House();
  house.corrupt = 1;
  const first = house.start();
  await house.clock.advance(MINUTE);
  await first.stop();
  await house.clock.advance(HOUR);
  const second = house.start();
  await house.clock.advance(MINUTE);
  assert.deepEqual(second.active().map((one) => one.key), ["corrupt"]);
  assert.deepEqual(house.kept.told, ["begin corrupt"]);
  house.corrupt = 0;
  await house.clock.advance(2 * MINUTE);
  assert.deepEqual(house.kept.told, ["begin corrupt", "end corrupt"]);
  await second.stop();
});

Deno.test("a crash instead of a stop repeats nothing either: what was told was kept before", async () => {
  const house = new House();
  house.corrupt = 1;
  const first = house.start();
  await house.clock.advance(MINUTE);
  const text = house.store.text;
  await first.stop();
  house.store.text = text;
  const second = house.start();
  await house.clock.advance(MINUTE);
  assert.deepEqual(house.kept.told, ["begin corrupt"]);
  await second.stop();
});

Deno.test("a forwarder that is well writes no state at all", async () => {
  const house = new House();
  const alarms = house.start();
  await house.clock.advance(HOUR);
  await alarms.stop();
  assert.equal(house.store.saved, 0);
});

Deno.test("a damaged state is told and ignored, one that cannot be read or written disturbs nothing", async () => {
  await using scratch = await Scratch.make();
  const lines = await captureLog(scratch.path);
  const damaged = new House();
  damaged.store.text = '{"version": 1, "machine"';
  damaged.corrupt = 1;
  const one = damaged.start();
  await damaged.clock.advance(MINUTE);
  assert.deepEqual(damaged.kept.told, ["begin corrupt"]);
  await one.stop();
  const broken = new House();
  broken.store.isBroken = true;
  broken.corrupt = 1;
  const other = broken.start();
  await broken.clock.advance(HOUR);
  assert.deepEqual(broken.kept.told, ["begin corrupt"]);
  await other.stop();
  const told = await lines();
  const count = (pattern: RegExp) => told.filter((line) => pattern.test(line)).length;
  assert.equal(count(/WARN.*state of the alarms is damaged and ignored/), 1);
  assert.equal(count(/WARN.*Cannot read the state of the alarms/), 1);
  assert.equal(count(/WARN.*Cannot keep the state of the alarms/), 1, "told once, not each minute");
  assert.equal(count(/ERROR.*ALARM: 1 file in the spool/), 2);
});

Deno.test("a look that fails is logged once, and looking goes on", async () => {
  await using scratch = await Scratch.make();
  const lines = await captureLog(scratch.path);
  const house = new House();
  house.isBroken = true;
  const alarms = house.start();
  await house.clock.advance(HOUR);
  house.isBroken = false;
  house.corrupt = 1;
  await house.clock.advance(MINUTE);
  assert.deepEqual(house.kept.told, ["begin corrupt"]);
  await alarms.stop();
  assert.equal((await lines()).filter((line) => /Cannot look for alarms/.test(line)).length, 1);
});

Deno.test("a silent modality is an alarm, over a restart that does not begin its hours anew, until it is heard", async () => {
  const silent = [{ ae_title: "CT1", hours: 2, from: "00:00", to: "24:00" }];
  const house = new House();
  const first = house.start(settings({ silent }));
  first.lastSeen.heard("CT1");
  first.lastSeen.heard("SOMEBODY ELSE");
  assert.equal(first.lastSeen.list().length, 1, "titles that nobody waits for take no room");
  await house.clock.advance(HOUR);
  await first.stop();
  const second = house.start(settings({ silent }));
  await house.clock.advance(HOUR + MINUTE);
  assert.deepEqual(house.kept.told, ["begin silent CT1"]);
  second.lastSeen.heard("CT1");
  await house.clock.advance(2 * MINUTE);
  assert.deepEqual(house.kept.told, ["begin silent CT1", "end silent CT1"]);
  await second.stop();
});

Deno.test("another configuration takes over what goes on, and what was waiting for the webhook", async () => {
  await using server = new WebhookServer();
  server.answer = () => new Response(null, { status: 503 });
  const house = new House();
  house.corrupt = 1;
  const alarms = new Alarms({
    config: settings({ webhook: { url: server.url() } }),
    aeTitle: "FORWARDER",
    version: "1.2.3",
    clock: house.clock,
    random: () => 0.5,
    snapshot: () => house.snapshot(),
    store: house.store,
  });
  alarms.start();
  await house.clock.advance(5000);
  await server.received(1);
  await using other = new WebhookServer();
  await alarms.reconfigure(settings({ webhook: { url: other.url() }, name: "Other" }), "FORWARDER");
  await house.clock.advance(5000);
  await other.received(1);
  assert.equal(other.posted[0]!.body.site, "Other");
  assert.deepEqual(other.told, ["begin corrupt"]);
  assert.deepEqual(alarms.active().map((one) => one.key), ["corrupt"]);
  await alarms.reconfigure(settings(), "FORWARDER");
  house.corrupt = 0;
  await house.clock.advance(3 * MINUTE);
  assert.deepEqual(other.told, ["begin corrupt"], "a channel that is not configured gets nothing");
  await alarms.stop();
});

Deno.test("what could not be sent before a stop is sent after the next start", async () => {
  const house = new House();
  const start = (port: number) => {
    const alarms = new Alarms({
      config: settings({ webhook: { url: `http://127.0.0.1:${port}/` } }),
      aeTitle: "FORWARDER",
      version: "1.2.3",
      clock: house.clock,
      random: () => 0.5,
      snapshot: () => house.snapshot(),
      store: house.store,
    });
    alarms.start();
    return alarms;
  };
  house.corrupt = 1;
  {
    await using away = new WebhookServer();
    away.answer = () => new Response(null, { status: 500 });
    const alarms = start(away.port);
    await house.clock.advance(5000);
    await away.received(1);
    await alarms.stop();
  }
  await using server = new WebhookServer();
  const alarms = start(server.port);
  await house.clock.advance(1000);
  await server.received(1);
  assert.deepEqual(server.told, ["begin corrupt"]);
  await alarms.stop();
});

Deno.test("a test goes to every channel, and says of each what it answered, also where one of them is away", async () => {
  await using server = new WebhookServer();
  await using mail = new SmtpServer();
  const house = new House();
  const email = {
    host: "127.0.0.1",
    port: mail.port,
    security: "none",
    from: "a@example",
    to: ["b@example"],
  };
  const alarms = new Alarms({
    config: settings({ webhook: { url: server.url("/SESAME") }, email }),
    aeTitle: "FORWARDER",
    version: "1.2.3",
    clock: house.clock,
    random: () => 0.5,
    snapshot: () => house.snapshot(),
    store: house.store,
    writeEvent: (level, id, text) => {
      assert.deepEqual([level, id], ["INFORMATION", 199]);
      assert.match(text, /This is a test/);
      return Promise.resolve(null);
    },
  });
  alarms.start();
  const good = await alarms.test();
  assert.ok(good.ok);
  assert.match(
    good.lines.join("\n"),
    /^Windows event log: sent: .*\nwebhook: sent: .*204.*\ne-mail: sent: .*250/,
  );
  assert.equal(server.posted[0]!.body.event, "test");
  assert.match((await mail.received(1))[0]!.text, /Test of the alarms/);
  server.answer = () => new Response(null, { status: 404 });
  const bad = await alarms.test();
  assert.ok(!bad.ok);
  assert.match(bad.lines.join("\n"), /webhook: NOT SENT: .*404.*\ne-mail: sent/);
  assert.doesNotMatch(JSON.stringify(bad), /SESAME/);
  await alarms.stop();
});

Deno.test("without channels a test says that alarms go to the log", async () => {
  const house = new House();
  const alarms = house.start(settings(), () => []);
  const { ok, lines } = await alarms.test();
  assert.ok(ok);
  assert.match(lines.join(), /go to the log alone/);
  await alarms.stop();
});
