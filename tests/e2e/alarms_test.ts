/* Alarms of a running forwarder: one when its destination goes away, one when it is back, whatever happens between. */

import assert from "node:assert/strict";
import { generateStudy } from "../../src/cli/demo_study.ts";
import { loadConfig } from "../../src/config/load.ts";
import { startDaemon } from "../../src/daemon.ts";
import { freePort } from "../helpers/child.ts";
import { DaemonProcess } from "../helpers/daemon_process.ts";
import { fastClock } from "../helpers/fast_clock.ts";
import { Forwarder, nodeAt, TEST_SETTINGS } from "../helpers/forwarder.ts";
import { Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { SmtpServer } from "../helpers/smtp_server.ts";
import { pass } from "../helpers/until.ts";
import { WebhookServer } from "../helpers/webhook_server.ts";

/** A minute is over in two seconds. */
const TIMES = 30;

function study(seed: number) {
  return [...generateStudy({ instances: 3, rows: 16, columns: 16, seed })];
}

Deno.test("a destination that stops is told once, and once when it is back, with a restart between and without", async () => {
  for (const restarts of [false, true]) {
    await using scratch = await Scratch.make();
    await using server = new WebhookServer();
    const clock = fastClock(TIMES);
    const port = freePort();
    const settings = {
      destinations: [nodeAt("pacs", port)],
      alarms: { destination_down_minutes: 0.1, webhook: { url: server.url() } },
    };
    let forwarder = await Forwarder.start(scratch.path, settings, { clock });
    try {
      await sendAll(forwarder.port, study(1));
      await server.received(1);
      assert.deepEqual(server.told, ["begin destination-down pacs"]);
      assert.match(
        server.posted[0]!.body.text,
        /Destination pacs .* has been down since .*3 images wait/,
      );
      if (restarts) {
        await forwarder.stop();
        forwarder = await Forwarder.start(scratch.path, settings, { clock });
      }
      // Half a minute: what is to be told once is not told again.
      await pass(1000);
      assert.equal(server.posted.length, 1);
      await using _sink = new Sink({ port });
      await forwarder.delivered("pacs", 3);
      await server.received(2);
      await pass(1000);
      assert.deepEqual(server.told, ["begin destination-down pacs", "end destination-down pacs"]);
    } finally {
      await forwarder.stop();
    }
  }
});

Deno.test("a forwarder that is started while nothing waits for a destination that was down says nothing new", async () => {
  await using scratch = await Scratch.make();
  await using server = new WebhookServer();
  const clock = fastClock(TIMES);
  const settings = {
    destinations: [nodeAt("pacs", freePort())],
    alarms: { webhook: { url: server.url() } },
  };
  await using _forwarder = await Forwarder.start(scratch.path, settings, { clock });
  await pass(1500);
  assert.deepEqual(server.told, []);
});

Deno.test("images that a destination refuses for good are told with their number and the reason", async () => {
  await using scratch = await Scratch.make();
  await using server = new WebhookServer();
  await using sink = new Sink({ answer: () => 0xc000 });
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", sink.port)],
    retry_attempts: 0,
    alarms: { webhook: { url: server.url() } },
  }, { clock: fastClock(TIMES) });
  await sendAll(forwarder.port, study(2));
  await forwarder.failed("pacs", 3);
  await server.received(1);
  assert.equal(server.posted[0]!.body.key, "failed pacs");
  assert.match(
    server.posted[0]!.body.text,
    /could not be delivered to pacs, mostly because: .*C000/,
  );
});

Deno.test("under the permissions of the program, alarms go to webhook and mail server, and what was gathered goes at a stop", async () => {
  await using scratch = await Scratch.make();
  await using server = new WebhookServer();
  await using mail = new SmtpServer({ login: { user: "u", password: "p" } });
  await using daemon = await DaemonProcess.start(scratch.path, {
    destinations: [nodeAt("pacs", freePort())],
    alarms: {
      destination_down_minutes: 0,
      name: "St. Anna",
      webhook: { url: server.url() },
      email: {
        // A name, so that it has to be looked up.
        host: "localhost",
        port: mail.port,
        security: "none",
        user: "u",
        password: "p",
        from: "forwarder@hospital.example",
        to: ["it@hospital.example"],
      },
    },
  });
  await sendAll(daemon.port, study(3));
  await server.received(1, 30_000);
  assert.equal(mail.mails.length, 0, "gathered");
  daemon.signal("SIGTERM");
  assert.equal((await daemon.exit()).code, 0);
  const [sent] = await mail.received(1);
  assert.match(sent!.text, /Subject: \[DICOM Forwarder St\. Anna\] Pacs is down/);
  assert.doesNotMatch(daemon.said, /NotCapable|permission/i);
  assert.match(daemon.said, /ERROR .*ALARM: Destination pacs/);
});

Deno.test("servers for alarms that hang hinder neither reception nor a stop", async () => {
  await using scratch = await Scratch.make();
  await using server = new WebhookServer();
  server.answer = server.hang;
  await using mail = new SmtpServer({ answer: () => "hang" });
  await using sink = new Sink();
  const forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", sink.port), nodeAt("away", freePort())],
    alarms: {
      destination_down_minutes: 0,
      webhook: { url: server.url() },
      email: {
        host: "127.0.0.1",
        port: mail.port,
        security: "none",
        from: "a@b.example",
        to: ["c@d.example"],
      },
    },
    timeouts: { stop: 2 },
  });
  try {
    await sendAll(forwarder.port, study(4));
    await server.received(1);
    await sendAll(forwarder.port, study(5), { responseMs: 5000 });
    await forwarder.delivered("pacs", 6);
  } finally {
    await forwarder.stop();
  }
});

Deno.test("a reload sends alarms elsewhere, and a configuration file that is refused is an alarm until it is mended", async () => {
  await using scratch = await Scratch.make();
  await using before = new WebhookServer();
  await using after = new WebhookServer();
  const settings = (url: string) => ({
    destinations: [nodeAt("pacs", freePort())],
    alarms: { destination_down_minutes: 0, webhook: { url } },
  });
  const file = scratch.at("config.json");
  const write = (content: unknown) => Deno.writeTextFileSync(file, JSON.stringify(content));
  const first = { ...TEST_SETTINGS, ...settings(before.url()) };
  write(first);
  const daemon = await startDaemon(await loadConfig(file), { clock: fastClock(TIMES) });
  try {
    await sendAll(daemon.port, study(6));
    await before.received(1);
    write({ ...first, pacs_prot: 1 });
    assert.ok(!(await daemon.reloadFile("test")).ok);
    await before.received(2);
    assert.equal(before.posted[1]!.body.key, "configuration");
    assert.match(before.posted[1]!.body.text, /refused.*pacs_prot.*dicomforwarder check/);
    write({ ...first, alarms: { ...first.alarms, webhook: { url: after.url() } } });
    assert.ok((await daemon.reloadFile("test")).ok);
    await after.received(1);
    assert.deepEqual(after.told, ["end configuration"]);
    assert.equal(before.posted.length, 2);
  } finally {
    await daemon.stop();
  }
});

Deno.test("a modality that sends nothing in its hours is told, and that it sends again", async () => {
  await using scratch = await Scratch.make();
  await using server = new WebhookServer();
  await using sink = new Sink();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", sink.port)],
    alarms: {
      webhook: { url: server.url() },
      silent: [{ ae_title: "CT1", hours: 0.05, from: "00:00", to: "24:00" }],
    },
  }, { clock: fastClock(TIMES) });
  await sendAll(forwarder.port, study(7), { calling: "MODALITY" });
  await server.received(1);
  assert.deepEqual(server.told, ["begin silent CT1"]);
  assert.match(
    server.posted[0]!.body.text,
    /^Nothing has come from CT1 since it has been waited for/,
  );
  await sendAll(forwarder.port, study(8), { calling: "CT1" });
  await server.received(2);
  assert.deepEqual(server.told, ["begin silent CT1", "end silent CT1"]);
});
