/*
 * Destinations that the configuration loses while instances wait for them (CR-12): all are held with the reason, and come
 * back with the destination, or by hand where the reason is gone.
 */

import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { parseName } from "../../src/spool/entry_name.ts";
import { runCli } from "../cli/run_cli.ts";
import { DaemonProcess } from "../helpers/daemon_process.ts";
import { nodeAt } from "../helpers/forwarder.ts";
import { factsOf } from "../helpers/hashes.ts";
import { sendAll } from "../helpers/sender.ts";
import { contentsOf, Scratch } from "../helpers/scratch.ts";
import { Sink } from "../helpers/sink.ts";
import { until } from "../helpers/until.ts";
import { isDrained } from "./held.ts";
import { Mint } from "./mint.ts";

const COUNT = 12;

/** Runs the forwarder for as long as it takes to do something. */
async function running(
  folder: string,
  settings: Record<string, unknown>,
  use: (port: number) => Promise<void>,
): Promise<void> {
  await using daemon = await DaemonProcess.start(folder, settings);
  await use(daemon.port);
  daemon.signal("SIGTERM");
  assert.equal((await daemon.exit()).code, 0, daemon.said);
}

/** Paths of the instances in a part of the spool, by their names alone: the forwarder may be at work on them. */
function named(spool: string, place: "queue" | "failed", destination: string): string[] {
  return contentsOf(spool).filter((name) => {
    const parsed = name.startsWith(`${place}/`) ? parseName(basename(name)) : undefined;
    if (parsed === undefined) return false;
    return place === "failed"
      ? name.startsWith(`failed/${destination}/`)
      : parsed.waiting.some((one) => one.destination === destination);
  }).map((name) => join(spool, name));
}

Deno.test("what waits for a destination that is renamed is held with the reason, and delivered once it is configured again", async () => {
  await using scratch = await Scratch.make();
  const spool = scratch.at("spool");
  const mint = new Mint(12);
  const instances = Array.from({ length: COUNT }, () => mint.next());
  const hashes = new Map(instances.map((one) => [one.sopInstanceUid, one.hash]));
  await using pacs = new Sink();
  await using renamed = new Sink();
  await using other = new Sink();
  pacs.away = other.away = true;
  const before = { destinations: [nodeAt("pacs", pacs.port), nodeAt("other", other.port)] };
  const after = { destinations: [nodeAt("renamed", renamed.port), nodeAt("other", other.port)] };
  await running(scratch.path, before, (at) => sendAll(at, instances));
  assert.equal(named(spool, "queue", "pacs").length, COUNT);

  // Started with another name twice: the second start finds nothing left to set aside.
  for (let start = 0; start < 2; start++) {
    await running(scratch.path, after, async () => {
      await until(() => named(spool, "failed", "pacs").length === COUNT, 20_000, "all to be held");
    });
  }
  assert.equal(named(spool, "queue", "other").length, COUNT);
  assert.equal(named(spool, "queue", "pacs").length, 0);
  const list = await runCli(["queue", "list", "--json", "--destination", "pacs"], scratch.path);
  const { items } = JSON.parse(list.stdout) as { items: { state: string; reason: string }[] };
  assert.equal(items.length, COUNT);
  for (const { state, reason } of items) {
    assert.equal(state, "failed");
    assert.equal(reason, "The configuration has no destination pacs any more");
  }

  // A crash or a full disk may cost a reason, or half of one: without it nothing comes back unasked.
  const files = named(spool, "failed", "pacs").map((path) => path.replace(/\.dcm$/, ".json"));
  Deno.removeSync(files[0]!);
  Deno.truncateSync(files[1]!, 25);
  Deno.truncateSync(files[2]!, 0);
  pacs.away = other.away = false;
  await running(scratch.path, before, async () => {
    await pacs.received(COUNT - 3);
    await other.received(COUNT);
    await until(() => named(spool, "queue", "pacs").length === 0, 20_000, "the queue to be empty");
    assert.equal(named(spool, "failed", "pacs").length, 3);
    const retry = await runCli(["queue", "retry", "--destination", "pacs"], scratch.path);
    assert.equal(retry.code, 0, retry.stderr);
    assert.match(retry.stdout, /^3 put back/);
    await pacs.received(COUNT);
    await until(() => isDrained(spool), 20_000, "the queue to be empty");
  });
  assert.equal(renamed.arrivals.length, 0, "what was routed to one destination went to another");
  for (const sink of [pacs, other]) {
    assert.deepEqual(new Map(sink.arrivals.map((one) => [one.sopInstanceUid, one.hash])), hashes);
    assert.equal(sink.arrivals.length, COUNT, "nothing arrives twice");
  }
  assert.deepEqual([...Deno.readDirSync(join(spool, "failed", "pacs"))], []);
});

Deno.test("what waits for a destination that is removed is held through deaths of the process, and none of it is dropped", async () => {
  await using scratch = await Scratch.make();
  const spool = scratch.at("spool");
  const mint = new Mint(13);
  const instances = Array.from({ length: COUNT }, () => mint.next());
  await using pacs = new Sink();
  await using otherSink = new Sink();
  pacs.away = otherSink.away = true;
  const other = nodeAt("other", otherSink.port);
  const before = { destinations: [nodeAt("pacs", pacs.port), other] };
  await running(scratch.path, before, (at) => sendAll(at, instances));
  for (let start = 0; start < 4; start++) {
    const daemon = new DaemonProcess(scratch.path, { destinations: [other] });
    // In the midst of setting them aside, as far as one can be sure of that from outside.
    await until(() => named(spool, "failed", "pacs").length > start * 2, 20_000, "one to be held");
    daemon.signal("SIGKILL");
    await daemon.exit();
    const uids = new Set([
      ...named(spool, "queue", "pacs"),
      ...named(spool, "failed", "pacs"),
    ].map((path) => factsOf(path).sopInstanceUid));
    assert.equal(uids.size, COUNT);
  }
  pacs.away = false;
  await running(scratch.path, before, async () => {
    await pacs.received(COUNT);
    await until(() => named(spool, "queue", "pacs").length === 0, 20_000, "the queue to be empty");
  });
  for (const { sopInstanceUid, hash } of instances) {
    assert.equal(pacs.arrivals.find((one) => one.sopInstanceUid === sopInstanceUid)?.hash, hash);
  }
  assert.equal(named(spool, "failed", "pacs").length, 0);
});
