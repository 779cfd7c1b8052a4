/*
 * Power cuts while the ledger is kept: at whatever moment they come, each pair of an instance answered with Success and a
 * destination is still in the spool or delivered by the ledger's word, and the ledger's own balance misses nothing. And
 * steps done wrong on purpose are found out.
 */

import assert from "node:assert/strict";
import type { EventTaker } from "../../src/ledger/event.ts";
import { Ledger } from "../../src/ledger/ledger.ts";
import { reconcile } from "../../src/ledger/reconcile.ts";
import type { Entry } from "../../src/spool/entry.ts";
import type { FileSystem } from "../../src/spool/file_system.ts";
import { whereabouts } from "../../src/spool/inspect.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import type { Spool } from "../../src/spool/spool.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { dataSet, store } from "../helpers/spools.ts";
import { accepted, delivered } from "../ledger/events.ts";
import {
  crashPoints,
  crashStates,
  marksBefore,
  MODELS,
  type Recording,
  seededRandom,
} from "./crash_states.ts";
import { but, openSpool, SPOOL } from "./model_world.ts";
import { Disk } from "./sim_disk.ts";
import { SimFiles } from "./sim_files.ts";

const DESTINATIONS = ["a", "b"];
const LEDGER = spoolPaths(SPOOL).ledger;
const REFUSED = { kind: "refused", reason: "no", when: "2026-01-01T00:00:00Z", tries: 1 } as const;

/** An instance was answered with Success: from here on it has to be accounted for. */
interface Answered {
  readonly id: string;
  readonly destinations: readonly string[];
}

/** What a run may do wrong. */
interface Wrongs {
  readonly files?: (files: FileSystem) => FileSystem;
  readonly ledger?: (ledger: EventTaker) => EventTaker;
}

function start(files: FileSystem): Promise<Spool> {
  let time = 1_763_900_000_000;
  return openSpool(files, () => time++, () => {});
}

/** Receives, delivers, gives up, goes over midnight and is restarted, with lines in batches of every kind. */
async function recordRun(wrongs: Wrongs): Promise<Recording<Answered>> {
  const sim = new SimFiles<Answered>();
  const files = wrongs.files?.(sim) ?? sim;
  for (const path of ["/srv", "/srv/forwarder", SPOOL]) sim.makeDirectory(path);
  const clock = new FakeClock(Date.UTC(2026, 0, 15, 23, 59, 59));
  const spool = await start(files);
  await spool.recover(() => Promise.resolve(DESTINATIONS));
  const base = new Disk(sim.disk);
  sim.trace = [];
  const open = () =>
    Ledger.open({ files, directory: LEDGER, clock, retentionDays: 400, report: () => {} });
  let ledger = open();
  const books = () => wrongs.ledger?.(ledger) ?? ledger;
  let sent = 0;
  const receive = async (destinations = DESTINATIONS): Promise<Entry> => {
    const sopInstanceUid = `1.2.3.${++sent}`;
    const bytes = dataSet({ instance: sopInstanceUid });
    const entry = await store(spool, destinations, bytes, { sopInstanceUid });
    sim.mark({ id: entry.base, destinations });
    books().append(accepted(entry.base, destinations));
    return entry;
  };
  const deliver = (entry: Entry, to: string) =>
    books().append(delivered(entry.base, to), () => spool.delivered(entry, to));
  const first = await receive();
  deliver(first, "a");
  await ledger.flush();
  const second = await receive(["a"]);
  deliver(first, "b");
  await ledger.flush();
  deliver(second, "a");
  await clock.advance(2_000);
  const third = await receive();
  await spool.fail(third, "a", REFUSED);
  deliver(third, "b");
  await ledger.flush();
  await ledger.close();
  await spool.settled();
  ledger = open();
  const fourth = await receive();
  deliver(fourth, "b");
  deliver(fourth, "a");
  await ledger.flush();
  await spool.settled();
  await ledger.close();
  return { base, trace: sim.trace };
}

/** Pairs that neither the spool has nor the ledger closes, and those that the ledger itself misses. */
async function unaccounted(files: FileSystem, answered: readonly Answered[]): Promise<string[]> {
  const closed = new Set<string>();
  const { missing } = await reconcile(files, {
    spoolDirectory: SPOOL,
    ledgerDirectory: LEDGER,
    pause: () => Promise.resolve(),
    seen: (event) => {
      if (event.event === "delivered") closed.add(`${event.id} ${event.to}`);
    },
  });
  for (const { id, destination } of whereabouts(files, SPOOL)) closed.add(`${id} ${destination}`);
  const pairs = answered.flatMap(({ id, destinations }) => destinations.map((to) => `${id} ${to}`));
  return [
    ...missing.map(({ id, destination }) => `the ledger misses ${id} for ${destination}`),
    ...pairs.filter((pair) => !closed.has(pair)),
  ];
}

/** States tried, and what was missing in the first that misses anything. */
async function tryAll(wrongs: Wrongs = {}): Promise<{ states: number; missing: string[] }> {
  const recording = await recordRun(wrongs);
  const random = seededRandom(1);
  let states = 0;
  for (const point of crashPoints(recording)) {
    for (const model of MODELS) {
      for (const disk of crashStates(recording, point, model, 24, random)) {
        states++;
        const files = new SimFiles<never>(new Disk(disk));
        const spool = await start(files);
        await spool.recover(() => Promise.resolve(DESTINATIONS));
        const missing = await unaccounted(files, marksBefore(recording.trace, point));
        await spool.close();
        if (missing.length === 0) continue;
        return { states, missing: [`${model}, cut before operation ${point}`, ...missing] };
      }
    }
  }
  return { states, missing: [] };
}

Deno.test("after a power cut at any moment the spool and the ledger account for every instance answered with Success", async () => {
  const { states, missing } = await tryAll();
  assert.deepEqual(missing, []);
  assert.ok(states > 1000, `only ${states} states`);
});

const MISTAKES: readonly (readonly [string, Wrongs])[] = [
  [
    "a delivered file is removed before its line is on the disk",
    {
      ledger: (ledger) => ({
        append(event, afterwards) {
          ledger.append(event);
          afterwards?.();
        },
      }),
    },
  ],
  [
    "the name of the ledger's file is not synced",
    {
      files: (files) =>
        but(files, {
          syncDirectory: (path) => path === LEDGER ? Promise.resolve() : files.syncDirectory(path),
        }),
    },
  ],
];

for (const [what, wrongs] of MISTAKES) {
  Deno.test(`the model finds instances unaccounted for where ${what}`, async () => {
    const { missing } = await tryAll(wrongs);
    assert.notDeepEqual(missing, []);
  });
}
