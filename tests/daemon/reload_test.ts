/*
 * Another configuration for a forwarder at work: no association is dropped, and no instance is lost, repeated, or sent by
 * half of the one and half of the other.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { assertConserved, heldFor, partialIn } from "../helpers/conserved.ts";
import { freePort } from "../helpers/child.ts";
import { DaemonProcess } from "../helpers/daemon_process.ts";
import { inMemory } from "../../src/dimse/scu.ts";
import { Forwarder, nodeAt, TEST_SETTINGS } from "../helpers/forwarder.ts";
import { sha256 } from "../helpers/hashes.ts";
import { instanceOf, instanceOfSize, type TestInstance } from "../helpers/instances.ts";
import { filesIn, Scratch } from "../helpers/scratch.ts";
import { startArguments } from "../cli/run_cli.ts";
import { Terminal } from "../helpers/terminal.ts";
import { sendAll, Sender } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { pass, until } from "../helpers/until.ts";

function numbered(number: number, modality = "CT"): TestInstance {
  return instanceOf({ modality, sopInstanceUid: `1.2.3.5.${number}` });
}

function uids(...numbers: number[]): Set<string> {
  return new Set(numbers.map((number) => `1.2.3.5.${number}`));
}

/** Instances in a folder of `failed/`. */
function failedFor(scratch: Scratch, destination: string): string[] {
  try {
    return filesIn(scratch.at("spool", "failed", destination)).filter((path) =>
      path.endsWith(".dcm")
    );
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function counts(sink: Sink): Map<string, number> {
  const found = new Map<string, number>();
  for (const { sopInstanceUid } of sink.arrivals) {
    found.set(sopInstanceUid, (found.get(sopInstanceUid) ?? 0) + 1);
  }
  return found;
}

function assertEachOnce(sink: Sink): void {
  assert.deepEqual([...counts(sink)].filter(([, count]) => count > 1), []);
}

Deno.test("an association that stays open over reloads sends before, between and after, and each instance goes once to where it then belongs", async () => {
  await using scratch = await Scratch.make();
  await using one = new Sink();
  await using two = new Sink();
  const toOne = { destinations: [nodeAt("one", one.port)] };
  await using forwarder = await Forwarder.start(scratch.path, toOne);
  const sender = await Sender.open(forwarder.port);
  assert.equal(await sender.send(numbered(1)), 0);
  const both = { destinations: [nodeAt("one", one.port), nodeAt("two", two.port)] };
  const added = await forwarder.reload(both);
  assert.deepEqual(added, { ok: true, lines: ["destination two: added"] });
  assert.equal(await sender.send(numbered(2)), 0);
  await forwarder.reload({
    ...both,
    routes: [{ modalities: ["MR"], destinations: ["one"] }, { destinations: ["two"] }],
  });
  assert.equal(await sender.send(numbered(3)), 0);
  assert.equal(await sender.send(numbered(4, "MR")), 0);
  const removed = await forwarder.reload({ destinations: [nodeAt("two", two.port)] });
  assert.match(removed.lines.join(), /destination one: removed/);
  assert.equal(await sender.send(numbered(5)), 0);
  await sender.association.release();
  await two.received(3);
  await until(
    () => new Set([...one.uids(), ...failedFor(scratch, "one").map(String)]).size >= 3,
    10_000,
    "what was for one",
  );
  await forwarder.stop();
  assert.deepEqual(two.uids(), uids(2, 3, 5));
  assertEachOnce(one);
  assertEachOnce(two);
  const all = new Map([1, 2, 4].map((number) => {
    const instance = numbered(number, number === 4 ? "MR" : "CT");
    return [instance.sopInstanceUid, sha256(instance.dataSet)];
  }));
  assertConserved(all, all.keys(), one.arrivals, "one", scratch.at("spool"));
  assert.equal(one.uids().size + heldFor("one", scratch.at("spool")).length, 3);
});

Deno.test("an instance that is coming in while the configuration changes goes whole by the one it began under", async () => {
  await using scratch = await Scratch.make();
  await using one = new Sink();
  await using two = new Sink();
  const nodes = [nodeAt("one", one.port), nodeAt("two", two.port)];
  const to = (name: string) => [{ destinations: [name] }];
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: nodes,
    routes: to("one"),
  });
  const sender = await Sender.open(forwarder.port);
  const slow = instanceOfSize("1.2.3.5.1", 1_000_000);
  const goOn = Promise.withResolvers<void>();
  const bytes = inMemory(slow.dataSet);
  let sent = 0;
  const sending = sender.stream(slow, {
    length: bytes.length,
    async read(into) {
      if (sent > bytes.length / 2) await goOn.promise;
      sent += into.length;
      return bytes.read(into);
    },
    vouch: () => bytes.vouch(),
  });
  await until(() => partialIn(scratch.at("spool")).length > 0, 10_000, "the first half");
  await sendAll(forwarder.port, [numbered(2)]);
  await forwarder.reload({ destinations: nodes, routes: to("two"), max_instance_size: 1000 });
  await sendAll(forwarder.port, [numbered(3)]);
  goOn.resolve();
  assert.equal(await sending, 0, "the limit it began under is that of all of it");
  assert.equal(await sender.send(numbered(4)), 0);
  await sender.association.release();
  await one.received(2);
  await two.received(2);
  await until(() => filesIn(scratch.at("spool", "queue")).length === 0, 10_000, "an empty queue");
  assert.deepEqual(one.uids(), uids(1, 2));
  assert.deepEqual(two.uids(), uids(3, 4));
  assertEachOnce(one);
  assertEachOnce(two);
});

Deno.test("what waits for a destination that goes is kept in failed/ with the reason, and comes back with it, each once", async () => {
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  await using other = new Sink();
  sink.away = true;
  const others = [nodeAt("other", other.port)];
  const full = { destinations: [nodeAt("pacs", sink.port), ...others] };
  await using forwarder = await Forwarder.start(scratch.path, full);
  await sendAll(forwarder.port, Array.from({ length: 30 }, (_, n) => numbered(n)));
  await other.received(30);
  assert.equal((await forwarder.reload({ destinations: others })).ok, true);
  await until(() => failedFor(scratch, "pacs").length === 30, 10_000, "all in failed/pacs");
  const [file] = failedFor(scratch, "pacs");
  const reason = JSON.parse(Deno.readTextFileSync(file!.replace(/dcm$/, "json")));
  assert.equal(reason.kind, "not-configured");
  assert.throws(() => forwarder.destination("pacs"));
  sink.away = false;
  assert.equal((await forwarder.reload(full)).ok, true);
  await sink.received(30);
  await forwarder.delivered("pacs", 30);
  await forwarder.stop();
  assertEachOnce(sink);
  assertEachOnce(other);
  assert.deepEqual(failedFor(scratch, "pacs"), []);
  assert.deepEqual(filesIn(scratch.at("spool", "queue")), []);
});

Deno.test("a destination that goes and comes back at once delivers everything, each once", async () => {
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  await using other = new Sink();
  const others = [nodeAt("other", other.port)];
  const full = { destinations: [nodeAt("pacs", sink.port), ...others] };
  await using forwarder = await Forwarder.start(scratch.path, full);
  const COUNT = 120;
  const sending = sendAll(forwarder.port, Array.from({ length: COUNT }, (_, n) => numbered(n)));
  await sink.received(5);
  // Some are set aside, some are at their last attempt, some are on their way into failed/ when it is back.
  for (let round = 0; round < 5; round++) {
    const both = [forwarder.reload({ destinations: others }), forwarder.reload(full)];
    await Promise.all(both);
    await sink.received(5 + round * 10);
  }
  await sending;
  await sink.received(COUNT);
  await other.received(COUNT);
  await until(() => filesIn(scratch.at("spool", "queue")).length === 0, 10_000, "an empty queue");
  await forwarder.stop();
  assertEachOnce(sink);
  assertEachOnce(other);
  assert.deepEqual(failedFor(scratch, "pacs"), []);
});

Deno.test("a destination that is down goes on at its new address at once, and shows it", async () => {
  await using scratch = await Scratch.make();
  const nobody = freePort();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", nobody)],
  }, { backOff: { firstMs: 60_000, mostMs: 60_000 }, random: () => 1 });
  await sendAll(forwarder.port, [numbered(1), numbered(2)]);
  await until(() => forwarder.destination("pacs").health.state === "down", 10_000, "it to be down");
  await using sink = new Sink();
  const { lines } = await forwarder.reload({ destinations: [nodeAt("pacs", sink.port)] });
  assert.deepEqual(lines, [
    `destination pacs: changed (port: ${sink.port}, was ${nobody})`,
  ]);
  assert.match(forwarder.destination("pacs").description, new RegExp(`:${sink.port}$`));
  await sink.received(2, 10_000);
});

Deno.test("studies held back go out when that ends, and once only, whatever kind their destination becomes", async () => {
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  await using other = new Sink();
  const quiet = { forward_immediately: false, study_quiet_seconds: 3600 };
  const nodes = [nodeAt("pacs", sink.port), nodeAt("turns", other.port)];
  await using forwarder = await Forwarder.start(scratch.path, { destinations: nodes, ...quiet });
  await sendAll(forwarder.port, [numbered(1), numbered(2)]);
  await until(() => forwarder.daemon.snapshot().held === 2, 5_000, "both to be held");
  const folder = { type: "directory", name: "turns", path: scratch.at("folder") };
  await forwarder.reload({ destinations: [nodes[0], folder], ...quiet });
  await forwarder.delivered("turns", 2);
  assert.equal(sink.arrivals.length, 0);
  // It waits for studies again, and has had these.
  await forwarder.reload({ destinations: nodes, ...quiet });
  await forwarder.reload({ destinations: nodes });
  await sink.received(2);
  await until(() => filesIn(scratch.at("spool", "queue")).length === 0, 10_000, "an empty queue");
  await forwarder.stop();
  assert.equal(other.arrivals.length, 0);
  assertEachOnce(sink);
});

Deno.test("the port changes: who is connected goes on, who connects finds the new one, and the old one is closed", async () => {
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  const destinations = [nodeAt("pacs", sink.port)];
  const before = freePort();
  await using forwarder = await Forwarder.start(scratch.path, { destinations, local_port: before });
  await using sender = await Sender.open(before);
  const after = freePort();
  assert.equal((await forwarder.reload({ destinations, local_port: after })).ok, true);
  assert.equal(forwarder.port, after);
  assert.equal(await sender.send(numbered(1)), 0);
  await sendAll(after, [numbered(2)]);
  await assert.rejects(Sender.open(before));
  await sink.received(2);
});

Deno.test("a port that cannot be had leaves the old one open and is told of, until one that can be had is asked for", async () => {
  await using scratch = await Scratch.make();
  const destinations = [nodeAt("pacs", freePort())];
  await using forwarder = await Forwarder.start(scratch.path, { destinations });
  const { port } = forwarder;
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const wanted = { destinations, local_port: taken.addr.port, max_associations: 7 };
  const result = await forwarder.reload(wanted);
  assert.equal(result.ok, false);
  assert.match(result.lines.join("\n"), /another program listens on it.*still listens on/);
  assert.match(forwarder.daemon.configurationTrouble ?? "", /still listens on/);
  assert.equal(forwarder.daemon.config.maxAssociations, 7, "the rest is in force");
  await sendAll(port, [numbered(1)]);
  taken.close();
  assert.equal((await forwarder.reload(wanted)).ok, true);
  assert.equal(forwarder.daemon.configurationTrouble, null);
  await sendAll(wanted.local_port, [numbered(2)]);
});

Deno.test("another address at the same port takes the place of the one before, and one that is not ours does not", async () => {
  await using scratch = await Scratch.make();
  const destinations = [nodeAt("pacs", freePort())];
  const local_port = freePort();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations,
    local_port,
    local_host: "0.0.0.0",
  });
  assert.equal(
    (await forwarder.reload({ destinations, local_port, local_host: "127.0.0.1" })).ok,
    true,
  );
  await sendAll(local_port, [numbered(1)]);
  const refused = await forwarder.reload({ destinations, local_port, local_host: "192.0.2.1" });
  assert.equal(refused.ok, false);
  await sendAll(local_port, [numbered(2)]);
});

Deno.test("who may associate, and by which title, is asked of the configuration in force", async () => {
  await using scratch = await Scratch.make();
  const destinations = [nodeAt("pacs", freePort())];
  await using forwarder = await Forwarder.start(scratch.path, { destinations });
  await using early = await Sender.open(forwarder.port, { calling: "MODALITY" });
  await forwarder.reload({
    destinations,
    local_ae_title: "NEWTITLE",
    allowed_calling_ae_titles: ["CT1"],
  });
  await assert.rejects(Sender.open(forwarder.port, { calling: "CT1" }), /called AE title/i);
  await assert.rejects(
    Sender.open(forwarder.port, { calling: "MODALITY", called: "NEWTITLE" }),
    /calling AE title/i,
  );
  await using late = await Sender.open(forwarder.port, { calling: "CT1", called: "NEWTITLE" });
  assert.equal(await late.send(numbered(1)), 0);
  assert.equal(await early.send(numbered(2)), 0, "one that was let in stays");
});

Deno.test("room to be kept free and the largest instance are asked of the configuration in force", async () => {
  await using scratch = await Scratch.make();
  const destinations = [nodeAt("pacs", freePort())];
  await using forwarder = await Forwarder.start(scratch.path, { destinations });
  await using sender = await Sender.open(forwarder.port);
  await forwarder.reload({ destinations, minimum_free_space: "900TB" });
  assert.equal(await sender.send(numbered(1)), 0xa700);
  await assert.rejects(Sender.open(forwarder.port), /limit|congestion/i);
  await forwarder.reload({ destinations });
  assert.equal(await sender.send(numbered(2)), 0);
  await forwarder.reload({ destinations, max_instance_size: 20 });
  await assert.rejects(sender.send(numbered(3)));
});

Deno.test("a pause outlasts a restart and other settings, and ends with the destination", async () => {
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  await using elsewhere = new Sink();
  const other = nodeAt("other", freePort());
  const settings = { destinations: [nodeAt("pacs", sink.port), other] };
  {
    await using forwarder = await Forwarder.start(scratch.path, settings);
    assert.equal(forwarder.daemon.pause("pacs", "a person"), true);
    assert.equal(forwarder.daemon.pause("nobody", "a person"), false);
    await sendAll(forwarder.port, [numbered(1)]);
  }
  {
    await using forwarder = await Forwarder.start(scratch.path, settings);
    assert.equal(forwarder.destination("pacs").paused?.by, "a person");
    await forwarder.reload({ destinations: [nodeAt("pacs", elsewhere.port), other] });
    assert.equal(forwarder.destination("pacs").paused?.by, "a person");
    await until(() => forwarder.destination("other").health.state === "down", 5_000, "a look");
    assert.equal(elsewhere.associations + sink.associations, 0);
    const health = () => JSON.parse(Deno.readTextFileSync(scratch.at("spool", "health.json")));
    await until(
      () => health().destinations.find((one: { name: string }) => one.name === "pacs").paused?.by,
      5_000,
      "health.json to say so",
    );
    await forwarder.reload({ destinations: [other] });
    await forwarder.reload(settings);
    await sink.received(1);
  }
  {
    await using forwarder = await Forwarder.start(scratch.path, settings);
    assert.equal(forwarder.destination("pacs").paused, null);
    forwarder.daemon.pause("pacs", "a person");
    forwarder.daemon.resume("pacs", "a person");
    await sendAll(forwarder.port, [numbered(2)]);
    await sink.received(2);
  }
});

Deno.test("a damaged paused.json pauses nothing and is no reason not to start", async () => {
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  scratch.folder("spool");
  for (const text of ["", "{", '{"pacs": 5}', "[]", "null"]) {
    Deno.writeTextFileSync(scratch.at("spool", "paused.json"), text);
    await using forwarder = await Forwarder.start(scratch.path, {
      destinations: [nodeAt("pacs", sink.port)],
    });
    assert.equal(forwarder.destination("pacs").paused, null, text);
  }
});

/** A forwarder as a process, whose file a test changes. */
class FileHouse {
  constructor(readonly scratch: Scratch, readonly local_port: number) {}

  get path(): string {
    return join(this.scratch.path, "config.json");
  }

  text(settings: Record<string, unknown>): string {
    return JSON.stringify({ ...TEST_SETTINGS, local_port: this.local_port, ...settings });
  }

  write(text: string): void {
    Deno.writeTextFileSync(this.path, text);
  }

  /** As editors do that never write into a file. */
  replace(text: string): void {
    Deno.writeTextFileSync(`${this.path}~`, text);
    Deno.renameSync(`${this.path}~`, this.path);
  }
}

Deno.test({
  name:
    "on SIGHUP the process reads its file again: one with faults is told of and changes nothing",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using scratch = await Scratch.make();
    await using one = new Sink();
    await using two = new Sink();
    const house = new FileHouse(scratch, freePort());
    const { local_port } = house;
    const health = () => JSON.parse(Deno.readTextFileSync(scratch.at("spool", "health.json")));
    const first = { local_port, destinations: [nodeAt("pacs", one.port)] };
    await using daemon = await DaemonProcess.start(scratch.path, first);
    const sender = await Sender.open(local_port);
    assert.equal(await sender.send(numbered(1)), 0);
    await one.received(1);
    house.write(
      house.text({ destinations: [{ ...nodeAt("pacs", two.port), prot: 1 }], routs: [] }),
    );
    const unasked = () => /has faults, and the one before is in force/.test(health().configuration);
    await until(unasked, 10_000, "the file to be noticed");
    daemon.signal("SIGHUP");
    await daemon.says(/CONFIGURATION REFUSED.*\n?.*routs/);
    await until(() => /is refused/.test(health().configuration ?? ""), 5_000, "health.json");
    assert.equal(await sender.send(numbered(2)), 0);
    await one.received(2);
    house.write(
      house.text({
        destinations: [nodeAt("pacs", two.port)],
        log_level: "debug",
        log_dir: "elsewhere",
      }),
    );
    await until(
      () => /not in force\. log_dir: .*destination pacs: changed/.test(health().configuration),
      10_000,
      "the changes to be noticed",
    );
    daemon.signal("SIGHUP");
    await daemon.says(/destination pacs: changed/);
    await daemon.says(/log_dir: .*takes effect at the next start/);
    assert.equal(await sender.send(numbered(3)), 0);
    await two.received(1);
    await until(() => /log_dir/.test(health().configuration ?? ""), 5_000, "health.json");
    await sender.association.release();
    daemon.signal("SIGTERM");
    assert.equal((await daemon.exit()).code, 0);
    assert.deepEqual(one.uids(), uids(1, 2));
    assert.deepEqual(two.uids(), uids(3));
  },
});

Deno.test("with watch_config a saved file is applied by itself, however it is saved, and half of one is not", async () => {
  await using scratch = await Scratch.make();
  await using one = new Sink();
  await using two = new Sink();
  const house = new FileHouse(scratch, freePort());
  const watched = { watch_config: true, log_level: "debug" };
  const first = {
    ...watched,
    local_port: house.local_port,
    destinations: [nodeAt("pacs", one.port)],
  };
  await using daemon = await DaemonProcess.start(scratch.path, first);
  const whole = house.text({ ...watched, destinations: [nodeAt("pacs", two.port)] });
  // An editor that empties the file and writes it in pieces, within the time that it is looked at twice.
  house.write("");
  house.write(whole.slice(0, 60));
  house.write(whole);
  await daemon.says(/destination pacs: changed \(port/, 15_000);
  assert.doesNotMatch(daemon.said, /REFUSED/);
  house.replace(house.text({ ...watched, destinations: [] }));
  await daemon.says(/CONFIGURATION REFUSED/, 15_000);
  await pass(5_000);
  assert.equal(daemon.said.match(/CONFIGURATION REFUSED/g)?.length, 1, "told once, and read again");
  house.replace(
    house.text({
      ...watched,
      destinations: [nodeAt("pacs", two.port), nodeAt("more", one.port)],
    }),
  );
  await daemon.says(/destination more: added/, 15_000);
  await sendAll(house.local_port, [numbered(1)]);
  await one.received(1);
  await two.received(1);
  daemon.signal(Deno.build.os === "windows" ? "SIGINT" : "SIGTERM");
  await daemon.exit();
});

Deno.test({
  name:
    "a forwarder whose terminal is closed stops in order, rather than going on where nobody can stop it",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using scratch = await Scratch.make();
    scratch.folder("logs");
    const house = new FileHouse(scratch, freePort());
    house.write(house.text({ destinations: [nodeAt("pacs", freePort())] }));
    {
      await using terminal = await Terminal.start(scratch.path, [
        Deno.execPath(),
        ...startArguments(),
        "--config",
        house.path,
      ]);
      await terminal.shows(/Forwarder started/);
    }
    const log = () => filesIn(scratch.at("logs")).map((path) => Deno.readTextFileSync(path)).join();
    await until(() => /Forwarder stopped/.test(log()), 20_000, () => `a stop: ${log()}`);
    assert.match(log(), /Stop requested by SIGHUP, for its terminal is gone/, log());
  },
});
