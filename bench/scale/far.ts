/*
 * Forwarding to a far PACS: instances a second from a full queue, over so many associations and such a round trip.
 *
 * The distance is `far_relay.ts`; a round trip of 0 is without it. The PACS is storescp, which takes one instance after
 * another on each association, and a peer of our own that takes as many at a time as it is asked to (PS3.7 §D.3.3.3). The
 * time is that of a whole run, from the forwarder's start to an empty queue: opening the associations, one more each half
 * second, and the end, where some are idle, belong to it. So 16 associations, which take 7.5 s to be there, show less in a
 * run of 10 s than they do in an hour.
 *
 *     deno run -A --frozen bench/scale/far.ts [--quick] [--size NAME] [--rtt MS] [--peer NAME] [--dir DIR]
 */

import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { printLine, warnLine } from "../../src/cli/terminal.ts";
import type { Figure } from "../figure.ts";
import { Forwarder } from "../forwarder.ts";
import { makeLoad, type Part } from "../load.ts";
import { settleDisk } from "../machine.ts";
import { Pacs } from "../storescp.ts";
import { checkNothingAside, emptied } from "../spool_watch.ts";
import { FarPeer } from "./far_peer.ts";
import { fillQueue, linkQueue } from "./far_queue.ts";
import { FarRelay } from "./far_relay.ts";

/** The PACS at the other end. */
export type PeerName = "storescp" | "window";

export interface FarRow {
  readonly size: string;
  readonly peer: PeerName;
  readonly roundTripMs: number;
  readonly associations: number;
  readonly instances: number;
  readonly wallS: number;
  readonly perSecond: number;
}

export interface FarOptions {
  /** On the disk measured; what is made in it is removed. */
  readonly directory: string;
  /** A few points only. */
  readonly quick: boolean;
  /** Only these; all where absent. */
  readonly only?: {
    readonly size?: string | undefined;
    readonly roundTripMs?: number | undefined;
    readonly peer?: string | undefined;
  };
}

const SIZES: readonly (Part & { readonly name: string })[] = [
  { name: "526 KB", instances: 640, rows: 512, columns: 512 },
  { name: "12 KB", instances: 1280, rows: 72, columns: 72 },
];

const PEERS: readonly PeerName[] = ["storescp", "window"];
const ROUND_TRIPS_MS: readonly number[] = [0, 50, 200];
const ASSOCIATIONS: readonly number[] = [1, 2, 4, 8, 16];

/** How long one run may be when an answer is awaited for each instance, in s. */
const RUN_S = 8;

/** How long a queue may take to be delivered, in ms. */
const PATIENCE_MS = 120_000;

/** Measures every combination once. */
export async function measureFar(
  { directory, quick, only = {} }: FarOptions,
): Promise<{ figures: Figure[]; rows: FarRow[] }> {
  const sizes = SIZES.filter((one) => only.size === undefined || only.size === one.name);
  const roundTrips = (quick ? [0, 50] : ROUND_TRIPS_MS)
    .filter((one) => only.roundTripMs === undefined || only.roundTripMs === one);
  const peers = PEERS.filter((one) => only.peer === undefined || only.peer === one);
  const rows: FarRow[] = [];
  const work = await Deno.makeTempDir({ dir: directory, prefix: "far-" });
  try {
    for (const plan of sizes) {
      const instances = quick ? plan.instances / 16 : plan.instances;
      const load = await makeLoad(work, { name: plan.name, parts: [{ ...plan, instances }] });
      const full = join(work, `full-${plan.rows}`);
      await fillQueue(full, load);
      for (const roundTripMs of roundTrips) {
        for (const peer of peers) {
          for (const associations of quick ? [1, 4] : ASSOCIATIONS) {
            const home = join(work, `home-${rows.length}`);
            const most = mostInstances(peer, roundTripMs, associations);
            const count = Math.min(instances, most);
            await linkQueue(full, home, count);
            const wallS = await forward(home, peer, roundTripMs, associations, count);
            rows.push({
              size: plan.name,
              peer,
              roundTripMs,
              associations,
              instances: count,
              wallS,
              perSecond: count / wallS,
            });
          }
        }
      }
    }
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  return { figures: sizes.map(({ name }) => figureOf(name, rows)), rows };
}

/** So many that a run takes `RUN_S` at most, were every answer awaited before the next instance. */
function mostInstances(peer: PeerName, roundTripMs: number, associations: number): number {
  if (roundTripMs === 0 || peer === "window") return Infinity;
  return Math.max(16, Math.floor(RUN_S * 1000 / roundTripMs) * associations);
}

async function forward(
  home: string,
  peerName: PeerName,
  roundTripMs: number,
  associations: number,
  instances: number,
): Promise<number> {
  const spool = join(home, "spool");
  await using cleanUp = new AsyncDisposableStack();
  const peer = peerName === "window" ? cleanUp.use(new FarPeer()) : await Pacs.start(home);
  if (peer instanceof Pacs) cleanUp.defer(() => peer.stop());
  const relay = roundTripMs === 0 ? undefined : cleanUp.use(new FarRelay(peer.port, roundTripMs));
  await settleDisk();
  const forwarder = await Forwarder.start(home, [relay?.port ?? peer.port], { associations });
  let endedMs: number;
  try {
    endedMs = await emptied(spool, PATIENCE_MS);
  } finally {
    await forwarder.stop();
  }
  checkNothingAside(spool);
  const taken = peer instanceof Pacs ? (await peer.taken()).length : await peer.taken();
  if (taken !== instances) throw new Error(`The peer was given ${taken}, wanted ${instances}`);
  return (endedMs - forwarder.readyMs) / 1000;
}

function figureOf(size: string, rows: readonly FarRow[]): Figure {
  const ofSize = rows.filter((row) => row.size === size);
  const names = new Set(ofSize.map(nameOf));
  return {
    name: `far-${size.replace(" ", "-").toLowerCase()}`,
    title: `Forwarding to a far PACS, ${size} an instance`,
    x: { label: "associations", unit: "" },
    y: { label: "throughput", unit: "instances/s" },
    series: [...names].map((name) => ({
      name,
      points: ofSize.filter((row) => nameOf(row) === name)
        .map((row) => [row.associations, row.perSecond] as const),
    })),
  };
}

function nameOf({ peer, roundTripMs }: FarRow): string {
  const window = peer === "window" ? ", asynchronous operations" : "";
  return `${roundTripMs} ms round trip${window}`;
}

/** A table of what was measured: a line for each row, and how it compares with one association. */
export function farTable(rows: readonly FarRow[]): string[] {
  const header = "size    peer      round trip  associations  instances   wall s   a second  x one";
  return [
    header,
    ...rows.map((row) => {
      const one = rows.find((other) =>
        other.size === row.size && other.peer === row.peer &&
        other.roundTripMs === row.roundTripMs && other.associations === 1
      );
      return [
        row.size.padEnd(8),
        row.peer.padEnd(8),
        `${row.roundTripMs} ms`.padStart(12),
        String(row.associations).padStart(14),
        String(row.instances).padStart(11),
        row.wallS.toFixed(2).padStart(9),
        row.perSecond.toFixed(1).padStart(11),
        one === undefined ? "" : (row.perSecond / one.perSecond).toFixed(2).padStart(7),
      ].join("");
    }),
  ];
}

if (import.meta.main) {
  try {
    const results = fileURLToPath(new URL("../results", import.meta.url));
    const { values } = parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        size: { type: "string" },
        rtt: { type: "string" },
        peer: { type: "string" },
        dir: { type: "string", default: results },
      },
    });
    const directory = resolve(values.dir);
    await Deno.mkdir(directory, { recursive: true });
    const { rows } = await measureFar({
      directory,
      quick: values.quick,
      only: {
        size: values.size,
        roundTripMs: values.rtt === undefined ? undefined : Number(values.rtt),
        peer: values.peer,
      },
    });
    for (const line of farTable(rows)) printLine(line);
  } catch (error) {
    warnLine(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
