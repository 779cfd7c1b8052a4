/*
 * What is measured. A case is one way the bytes of a load can go; two of them, the floors, are what the others are
 * compared with.
 *
 * A case times nothing but its own work, checks that every instance arrived, and leaves no process behind. Instances
 * missing or left over are an error: a fast forwarder that loses something is none.
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SyncFloor } from "./floor_sync.ts";
import { AE_TITLE, Forwarder } from "./forwarder.ts";
import type { Load } from "./load.ts";
import { settleDisk } from "./machine.ts";
import { freePort, Storescp, storescu } from "./peers.ts";
import type { ProcessFigures } from "./process_figures.ts";
import { checkNothingAside, countQueued, emptied } from "./spool_watch.ts";

/** One case with one load, once. */
export interface Measurement {
  readonly wallS: number;
  /** Of the forwarder, within `wallS`; null where it has no part. */
  readonly cpuS: number | null;
  /** Of the forwarder, from its start; null where it has no part. */
  readonly peakRssBytes: number | null;
}

export interface BenchCase {
  readonly name: string;
  /** In a few words, for the table's legend. */
  readonly what: string;
  readonly floor: boolean;
  /** @param home an empty folder of its own on the disk measured */
  measure(load: Load, home: string): Promise<Measurement>;
}

/** How long a full queue may take to be delivered, in ms. */
const DELIVERY_MS = 600_000;

export const CASES: readonly BenchCase[] = [
  {
    name: "straight",
    what: "storescu straight into storescp --ignore",
    floor: true,
    measure: straight,
  },
  {
    name: "sync",
    what: "the same bytes into files made ahead, one fdatasync each",
    floor: true,
    measure: synced,
  },
  {
    name: "receive",
    what: "storescu into the forwarder, destination down",
    floor: false,
    measure: (load, home) => withForwarder(home, freePort(), (one) => receive(one, load, home)),
  },
  {
    name: "forward",
    what: "a full queue out of the forwarder, from its start, into storescp --ignore",
    floor: false,
    measure: forward,
  },
  {
    name: "end-to-end",
    what: "storescu through the forwarder into storescp --ignore",
    floor: false,
    measure: endToEnd,
  },
];

async function straight(load: Load, home: string): Promise<Measurement> {
  const wallS = await withStorescp(freePort(), load, home, async (peer) => {
    const { beganMs, endedMs } = await storescu(
      peer.port,
      "ANY",
      load.directory,
      load.instances,
      home,
    );
    return (endedMs - beganMs) / 1000;
  });
  return { wallS, cpuS: null, peakRssBytes: null };
}

async function synced(load: Load, home: string): Promise<Measurement> {
  const program = fileURLToPath(new URL("floor_sync.ts", import.meta.url));
  await settleDisk();
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-read", "--allow-write", program, load.directory, join(home, "files")],
    stdin: "null",
  }).output();
  if (!success) throw new Error(`floor_sync.ts failed: ${new TextDecoder().decode(stderr)}`);
  const floor: SyncFloor = JSON.parse(new TextDecoder().decode(stdout));
  if (floor.files !== load.instances || floor.bytes !== load.bytes) {
    throw new Error(`floor_sync.ts wrote ${floor.files} files of ${floor.bytes} bytes`);
  }
  return { wallS: floor.wallMs / 1000, cpuS: null, peakRssBytes: null };
}

/** Sends a load and counts what is in the queue then. */
async function receive(forwarder: Forwarder, load: Load, home: string): Promise<Measurement> {
  await settleDisk();
  const before = forwarder.figures();
  const { beganMs, endedMs } = await storescu(
    forwarder.port,
    AE_TITLE,
    load.directory,
    load.instances,
    home,
  );
  const after = forwarder.figures();
  const queued = countQueued(spoolOf(home));
  if (queued !== load.instances) {
    throw new Error(`${load.instances} instances were answered with Success, ${queued} are queued`);
  }
  return measurement(endedMs - beganMs, before, after);
}

async function forward(load: Load, home: string): Promise<Measurement> {
  const port = freePort();
  await withForwarder(home, port, (forwarder) => receive(forwarder, load, home));
  await settleDisk();
  return withStorescp(port, load, home, () =>
    withForwarder(home, port, async (forwarder) => {
      const before = forwarder.figures();
      const endedMs = await emptied(spoolOf(home), DELIVERY_MS);
      return measurement(endedMs - forwarder.readyMs, before, forwarder.figures());
    }));
}

function endToEnd(load: Load, home: string): Promise<Measurement> {
  const port = freePort();
  return withStorescp(port, load, home, () =>
    withForwarder(home, port, async (forwarder) => {
      await settleDisk();
      const before = forwarder.figures();
      const { beganMs } = await storescu(
        forwarder.port,
        AE_TITLE,
        load.directory,
        load.instances,
        home,
      );
      const endedMs = await emptied(spoolOf(home), DELIVERY_MS);
      return measurement(endedMs - beganMs, before, forwarder.figures());
    }));
}

async function withForwarder<T>(
  home: string,
  pacsPort: number,
  work: (forwarder: Forwarder) => Promise<T>,
): Promise<T> {
  const forwarder = await Forwarder.start(home, pacsPort);
  let result: T;
  try {
    result = await work(forwarder);
  } finally {
    await forwarder.stop();
  }
  checkNothingAside(spoolOf(home));
  return result;
}

/** With a destination that must have taken the whole load, and no instance twice, when the work is done. */
async function withStorescp<T>(
  port: number,
  load: Load,
  home: string,
  work: (peer: Storescp) => Promise<T>,
): Promise<T> {
  const peer = await Storescp.start(port, home);
  try {
    const result = await work(peer);
    const taken = await peer.taken();
    if (taken !== load.instances) {
      throw new Error(`storescp was given ${taken} instances, wanted ${load.instances}`);
    }
    return result;
  } finally {
    await peer.stop();
  }
}

function spoolOf(home: string): string {
  return join(home, "spool");
}

function measurement(wallMs: number, before: ProcessFigures, after: ProcessFigures): Measurement {
  return {
    wallS: wallMs / 1000,
    cpuS: after.cpuS - before.cpuS,
    peakRssBytes: after.peakRssBytes,
  };
}
