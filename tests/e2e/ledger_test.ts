/*
 * The ledger as a person meets it: what was received, what each destination answered, and an alarm with names where an
 * instance is nowhere.
 */

import assert from "node:assert/strict";
import { readCommitRecord } from "../../src/spool/commit_record.ts";
import { runCli } from "../cli/run_cli.ts";
import { freePort } from "../helpers/child.ts";
import { DaemonProcess } from "../helpers/daemon_process.ts";
import { FaultyFiles, systemError } from "../helpers/faulty_files.ts";
import { Forwarder, nodeAt, TEST_SETTINGS } from "../helpers/forwarder.ts";
import { instanceOf, type TestInstance } from "../helpers/instances.ts";
import { filesIn, Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { until } from "../helpers/until.ts";

const STUDY = "1.2.840.99.1";

function study(count: number, studyUid = STUDY): TestInstance[] {
  return Array.from(
    { length: count },
    (_, n) => instanceOf({ studyUid, sopInstanceUid: `${studyUid}.${n + 1}` }),
  );
}

interface Proof {
  readonly complete: boolean;
  readonly instances: readonly {
    readonly sop: string;
    readonly crc32: string;
    readonly from: string;
    readonly destinations: readonly {
      readonly destination: string;
      readonly state: string;
      readonly delivery?: { readonly status?: string; readonly association?: string };
    }[];
  }[];
}

async function prove(folder: string, uid: string): Promise<{ code: number; proof: Proof }> {
  const { code, stdout } = await runCli(["prove", uid, "--json"], folder);
  return { code, proof: JSON.parse(stdout) };
}

async function verify(folder: string, ...args: string[]) {
  const { code, stdout } = await runCli(["verify", "--json", ...args], folder);
  return { code, ...JSON.parse(stdout) };
}

Deno.test("prove says of every instance of a study what each destination answered, while others wait", async () => {
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  const later = freePort();
  const settings = { destinations: [nodeAt("pacs", sink.port), nodeAt("later", later)] };
  await using daemon = await DaemonProcess.start(scratch.path, settings);
  await sendAll(daemon.port, study(3));
  await sendAll(daemon.port, study(1, "1.2.840.99.2"));
  await sink.received(4);
  {
    const { code, proof } = await prove(scratch.path, STUDY);
    assert.equal(code, 1, "one destination has none of it yet");
    assert.equal(proof.complete, false);
    assert.deepEqual(proof.instances.map(({ sop }) => sop), [1, 2, 3].map((n) => `${STUDY}.${n}`));
    for (const { destinations, crc32, from } of proof.instances) {
      assert.match(crc32, /^[0-9a-f]{8}$/);
      assert.equal(from, "MODALITY");
      const [pacs, waiting] = destinations;
      assert.equal(pacs!.state, "delivered");
      assert.equal(pacs!.delivery!.status, "0000");
      assert.match(
        pacs!.delivery!.association!,
        /^DICOMFORWARDER to STORESCP at 127\.0\.0\.1:\d+ since \d{4}-/,
      );
      assert.equal(waiting!.state, "queued");
    }
    const { code: verified, destinations, missing } = await verify(scratch.path, "--files");
    assert.equal(verified, 0);
    assert.deepEqual(missing, []);
    assert.equal(destinations.pacs.delivered, 4);
    assert.equal(destinations.later.queued, 4);
  }
  await using second = new Sink({ port: later });
  await second.received(4);
  await daemon.says(
    /Instance forwarded.*destination=later.*\n[^]*Instance forwarded.*destination=later/,
  );
  const { code, stdout } = await runCli(["prove", STUDY], scratch.path);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^1\.2\.840\.99\.1: 3 received/);
  assert.match(stdout, /^later +3 of 3$/m);
  assert.match(stdout, /^SOP instance 1\.2\.840\.99\.1\.2$/m);
  assert.match(
    stdout,
    /pacs +\d{4}-\d\d-\d\dT\S+Z Success \(0000\), association DICOMFORWARDER to/,
  );
  const unknown = await runCli(["prove", "1.2.3"], scratch.path);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /The ledger has no instance of 1\.2\.3/);
});

Deno.test("an instance that vanished from the spool raises an alarm with its name, until a person has seen it", async () => {
  await using scratch = await Scratch.make();
  const settings = { destinations: [nodeAt("pacs", freePort())] };
  {
    await using daemon = await DaemonProcess.start(scratch.path, settings);
    await sendAll(daemon.port, study(3));
  }
  assert.equal((await verify(scratch.path)).code, 0);
  const [vanished] = filesIn(scratch.at("spool", "queue"));
  Deno.removeSync(vanished!);
  {
    await using daemon = await DaemonProcess.start(scratch.path, settings);
    const [, uid] = await daemon.says(/INSTANCES ARE MISSING: (\S+) for pacs/);
    const { code, missing } = await verify(scratch.path);
    assert.equal(code, 1);
    assert.deepEqual(missing.map((one: { accepted: { sop: string } }) => one.accepted.sop), [uid]);
    const { proof } = await prove(scratch.path, uid!);
    assert.equal(proof.instances[0]!.destinations[0]!.state, "missing");
    const told = await runCli(["verify", "--settle"], scratch.path);
    assert.match(told.stdout, /1 MISSING:[^]*Written down as seen: 1/);
  }
  const { code, destinations } = await verify(scratch.path);
  assert.equal(code, 0);
  assert.equal(destinations.pacs.settled, 1);
  await using daemon = await DaemonProcess.start(scratch.path, settings);
  await daemon.says(/Ledger and spool agree/);
});

Deno.test("what a person removes and puts back is written down as that", async () => {
  await using scratch = await Scratch.make();
  await using sink = new Sink({
    answer: ({ sopInstanceUid }) => sopInstanceUid.endsWith(".1") ? 0 : 0xc001,
  });
  const settings = { destinations: [nodeAt("pacs", sink.port, { retry_attempts: 0 })] };
  await using daemon = await DaemonProcess.start(scratch.path, settings);
  await sendAll(daemon.port, study(3));
  await daemon.says(/given up[^]*given up/);
  const list = async () =>
    JSON.parse((await runCli(["queue", "list", "--json"], scratch.path)).stdout).items;
  const [first, second] = await list() as { id: string }[];
  assert.equal((await runCli(["queue", "remove", first!.id, "--yes"], scratch.path)).code, 0);
  assert.equal((await runCli(["queue", "retry", second!.id], scratch.path)).code, 0);
  await daemon.says(/put back by hand/);
  await daemon.says(/given up[^]*given up[^]*given up/);
  const { code, destinations } = await verify(scratch.path);
  assert.equal(code, 0);
  assert.deepEqual(destinations.pacs, {
    accepted: 3,
    delivered: 1,
    queued: 0,
    failed: 1,
    held: 0,
    corrupt: 0,
    removed: 1,
    settled: 0,
    missing: 0,
  });
  const lines = filesIn(scratch.at("spool", "ledger")).filter((path) => path.endsWith(".jsonl"))
    .flatMap((path) => Deno.readTextFileSync(path).trimEnd().split("\n"))
    .map((line) => JSON.parse(line));
  const named = (event: string) => lines.filter((line) => line.event === event);
  assert.deepEqual(named("removed").map(({ id, by }) => [id, by]), [[first!.id, "person"]]);
  assert.deepEqual(named("retried").map(({ id, by }) => [id, by]), [[second!.id, "person"]]);
  assert.equal(named("failed").length, 3);
});

Deno.test("one item that cannot be removed keeps none of the others, which are written down as removed", async () => {
  await using scratch = await Scratch.make();
  const settings = { destinations: [nodeAt("pacs", freePort())] };
  {
    await using daemon = await DaemonProcess.start(scratch.path, settings);
    await sendAll(daemon.port, study(3));
  }
  const [first] = filesIn(scratch.at("spool", "queue"));
  Deno.removeSync(first!);
  Deno.mkdirSync(`${first}/notes`, { recursive: true });
  const args = ["queue", "remove", "--destination", "pacs", "--yes"];
  const { code, stdout, stderr } = await runCli(args, scratch.path);
  assert.equal(code, 1);
  assert.match(stdout, /2 removed/);
  assert.match(stderr, /Cannot remove \S+\.pacs\.dcm: /);
  assert.deepEqual(filesIn(scratch.at("spool", "queue")), []);
});

Deno.test("a spool of before there was a ledger gets its lines at the start, and keeps every instance", async () => {
  await using scratch = await Scratch.make();
  const port = freePort();
  const settings = { destinations: [nodeAt("pacs", port)] };
  {
    await using daemon = await DaemonProcess.start(scratch.path, settings);
    await sendAll(daemon.port, study(5));
  }
  Deno.removeSync(scratch.at("spool", "ledger"), { recursive: true });
  await using sink = new Sink({ port });
  {
    await using daemon = await DaemonProcess.start(scratch.path, settings);
    await sink.received(5);
    await daemon.says(/Ledger and spool agree/);
  }
  const { code, missing } = await verify(scratch.path);
  assert.equal(code, 0);
  assert.deepEqual(missing, []);
});

Deno.test("what is found damaged has its line, wherever it is found", async () => {
  await using scratch = await Scratch.make();
  const port = freePort();
  const settings = { destinations: [nodeAt("pacs", port)] };
  {
    await using daemon = await DaemonProcess.start(scratch.path, settings);
    await sendAll(daemon.port, study(3));
  }
  const [slot, retry, queued] = filesIn(scratch.at("spool", "queue"));
  const { slot: slotName } = readCommitRecord(Deno.readFileSync(slot!))!;
  for (const path of [slot!, retry!, queued!]) {
    const bytes = Deno.readFileSync(path);
    // The data set, but for the one that is opened and not read through.
    bytes[path === retry ? 200 : bytes.length - 1]! ^= 1;
    Deno.writeFileSync(path, bytes);
  }
  const idOf = (path: string) => /[^/\\]+(?=\.pacs\.dcm$)/.exec(path)![0];
  Deno.renameSync(slot!, scratch.at("spool", "incoming", slotName));
  Deno.renameSync(retry!, scratch.at("spool", "retry", `${idOf(retry!)}.unrouted.dcm`));
  await using sink = new Sink({ port });
  {
    await using daemon = await DaemonProcess.start(scratch.path, settings);
    await until(
      () => filesIn(scratch.at("spool", "corrupt")).length === 6,
      20_000,
      "all three to be set aside, with their reasons",
    );
    await daemon.says(/Ledger and spool agree/);
  }
  assert.equal(sink.uids().size, 0);
  const lines = filesIn(scratch.at("spool", "ledger")).filter((path) => path.endsWith(".jsonl"))
    .flatMap((path) => Deno.readTextFileSync(path).trimEnd().split("\n"))
    .map((line) => JSON.parse(line)).filter((line) => line.event === "corrupt");
  assert.deepEqual(
    lines.map((line) => line.id).sort(),
    [slot!, retry!, queued!].map(idOf).sort(),
  );
  const { code, destinations } = await verify(scratch.path);
  assert.equal(code, 0);
  assert.equal(destinations.pacs.corrupt, 3);
});

Deno.test("status names what is missing while the forwarder runs", async () => {
  await using scratch = await Scratch.make();
  const settings = { destinations: [nodeAt("pacs", freePort())] };
  {
    await using daemon = await DaemonProcess.start(scratch.path, settings);
    await sendAll(daemon.port, study(1));
  }
  for (const path of filesIn(scratch.at("spool", "queue"))) Deno.removeSync(path);
  await using daemon = await DaemonProcess.start(scratch.path, settings);
  await daemon.says(/INSTANCES ARE MISSING/);
  const health = scratch.at("spool", "health.json");
  await until(
    () => JSON.parse(Deno.readTextFileSync(health)).missing === 1,
    10_000,
    "health.json to tell it",
  );
  const { stdout } = await runCli(["status"], scratch.path);
  assert.match(stdout, /MISSING +1: accepted, and not accounted for/);
});

Deno.test("a ledger that cannot be read is not one in which nothing is missing", async () => {
  await using scratch = await Scratch.make();
  const settings = { destinations: [nodeAt("pacs", freePort())] };
  Deno.writeTextFileSync(
    scratch.at("config.json"),
    JSON.stringify({ ...TEST_SETTINGS, ...settings }),
  );
  {
    await using forwarder = await Forwarder.start(scratch.path, settings);
    await sendAll(forwarder.port, study(1));
  }
  for (const path of filesIn(scratch.at("spool", "queue"))) Deno.removeSync(path);
  const files = new FaultyFiles();
  files.fault = (operation, path) =>
    operation === "read" && path.endsWith(".jsonl") ? systemError("EIO") : undefined;
  await using _forwarder = await Forwarder.start(scratch.path, settings, { files });
  const balanced = () =>
    files.calls.filter((call) => call.operation === "read" && call.path.endsWith(".jsonl")).length;
  await until(() => balanced() >= 2, 10_000, "the balance to be tried");
  const { stdout } = await runCli(["status"], scratch.path);
  assert.match(stdout, /MISSING +not known/);
  const { missing } = JSON.parse((await runCli(["status", "--json"], scratch.path)).stdout);
  assert.equal(missing, null);
});
