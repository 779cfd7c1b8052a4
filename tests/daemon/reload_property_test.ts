/*
 * Random sequences of reloads, pauses and restarts of destinations while instances flow: at the end everything accepted is
 * delivered, queued or failed, once for each destination it was routed to, and nothing arrived twice.
 */

import assert from "node:assert/strict";
import { parseName } from "../../src/spool/entry_name.ts";
import { readLedger } from "../../src/ledger/files.ts";
import { reconcile } from "../../src/ledger/reconcile.ts";
import { realFileSystem } from "../../src/spool/file_system.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { instanceOf } from "../helpers/instances.ts";
import { contentsOf, Scratch } from "../helpers/scratch.ts";
import { Sender } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { pass, until } from "../helpers/until.ts";
import { freePort } from "../helpers/child.ts";

/** Numbers from 0 to below 1 that a seed repeats. */
function mulberry(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const NAMES = ["a", "b", "c"];
const SENDERS = 2;
const STEPS = 14;

/** What waits or lies in `failed/`, as `id destination`. */
function heldPairs(spool: string): string[] {
  return contentsOf(spool).flatMap((name) => {
    const [place, destination, file] = name.split("/");
    if (place === "queue" && file) {
      const parsed = parseName(file);
      return parsed?.waiting.map((one) => `${parsed.base} ${one.destination}`) ?? [];
    }
    const parsed = place === "failed" && file?.endsWith(".dcm") ? parseName(file) : undefined;
    return parsed === undefined ? [] : [`${parsed.base} ${destination}`];
  });
}

async function campaign(seed: number): Promise<void> {
  const random = mulberry(seed);
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)]!;
  await using scratch = await Scratch.make();
  await using first = new Sink();
  await using second = new Sink();
  const sinks = [first, second];
  const nobody = freePort();
  const settings = () => {
    const names = NAMES.filter(() => random() < 0.7);
    if (names.length === 0) names.push(pick(NAMES));
    const destinations = names.map((name) => {
      const kind = random();
      if (kind < 0.15) return { type: "directory", name, path: scratch.at(`folder-${name}`) };
      const port = kind < 0.3 ? nobody : pick(sinks).port;
      return nodeAt(name, port, random() < 0.3 ? { associations: 2 } : {});
    });
    const routes = random() < 0.4
      ? [{ modalities: ["CT"], destinations: [names[0]] }, {
        modalities: ["MR"],
        destinations: names,
      }]
      : [];
    return {
      destinations,
      routes,
      timeouts: { stop: 0.3 },
      forward_immediately: random() < 0.7,
      study_quiet_seconds: pick([0.05, 0.5, 30]),
      log_patient_info: random() < 0.5,
    };
  };
  const forwarder = await Forwarder.start(scratch.path, settings());
  const accepted: string[] = [];
  let flows = true;
  const send = async (sender: number) => {
    await using modality = await Sender.open(forwarder.port);
    for (let n = 0; flows; n++) {
      const sopInstanceUid = `1.2.7.${seed}.${sender}.${n}`;
      const instance = instanceOf({
        sopInstanceUid,
        studyUid: `1.2.8.${n % 5}`,
        modality: ["CT", "MR", "XA"][n % 3]!,
      });
      assert.equal(await modality.send(instance), 0);
      accepted.push(sopInstanceUid);
      await pass(2);
    }
  };
  const sending = Promise.all(Array.from({ length: SENDERS }, (_, n) => send(n)));
  for (let step = 0; step < STEPS; step++) {
    const what = random();
    if (what < 0.75) assert.equal((await forwarder.reload(settings())).ok, true);
    else if (what < 0.85) forwarder.daemon.pause(pick(NAMES), "test");
    else if (what < 0.95) forwarder.daemon.resume(pick(NAMES), "test");
    else forwarder.daemon.tryNow(pick(NAMES), "test");
    await pass(random() * 120);
  }
  flows = false;
  await sending;
  // All three again, at nodes that take everything: what was kept for one that had gone comes back.
  const all = { destinations: NAMES.map((name) => nodeAt(name, first.port)) };
  await forwarder.reload(all);
  for (const name of NAMES) forwarder.daemon.resume(name, "test");
  const left = () => heldPairs(scratch.at("spool")).filter((pair) => !pair.endsWith(" unrouted"));
  await until(
    () => left().length === 0,
    20_000,
    () => `all to go out, with seed ${seed}: ${left()}`,
  );
  await forwarder.stop();

  const ledgerDirectory = scratch.at("spool", "ledger");
  const wanted = new Map<string, string>();
  const delivered = new Map<string, number>();
  await readLedger(realFileSystem, ledgerDirectory, (event) => {
    if (event.event === "accepted") {
      for (const name of event.for) wanted.set(`${event.id} ${name}`, event.sop);
    }
    if (event.event === "delivered") {
      const pair = `${event.id} ${event.to}`;
      delivered.set(pair, (delivered.get(pair) ?? 0) + 1);
    }
  });
  const { missing } = await reconcile(realFileSystem, {
    ledgerDirectory,
    spoolDirectory: scratch.at("spool"),
    pause: pass,
  });
  assert.deepEqual(missing, []);
  assert.ok(accepted.length > 20, `only ${accepted.length} were sent`);
  assert.deepEqual(new Set(wanted.values()), new Set(accepted));
  const held = new Set(heldPairs(scratch.at("spool")));
  for (const [pair, uid] of wanted) {
    const times = (delivered.get(pair) ?? 0) + (held.has(pair) ? 1 : 0);
    assert.equal(times, 1, `${uid}, ${pair}: delivered or held ${times} times, with seed ${seed}`);
  }
  assert.deepEqual([...delivered.keys()].filter((pair) => !wanted.has(pair)), []);
}

for (const seed of [1, 2, 3]) {
  Deno.test(`reloads in any order lose and repeat nothing while instances flow (seed ${seed})`, () =>
    campaign(seed));
}
