/*
 * What a long queue costs: the start, each instance that comes and goes, the commands beside it, the stop; and what the
 * process holds meanwhile.
 *
 * The destination is down at first, as in the outage that such a queue comes from, and takes everything later on.
 */

import { join } from "node:path";
import type { Figure, Series } from "../figure.ts";
import { settleDisk } from "../machine.ts";
import { freePort } from "../subject.ts";
import { CountingPacs, Modality } from "./ends.ts";
import { fillSpool } from "./filled_spool.ts";
import { nthOf } from "./generated.ts";
import { runCommand, WatchedForwarder } from "./watched.ts";

/** Of what is sent while so many are queued, in bytes. */
const SIZE = 12_000;
/** How long a destination that is up again may be left in peace, and then take for what is wanted of it, in ms. */
const DELIVERY_MS = 300_000;

export interface QueuePlan {
  /** Entries queued, ascending. */
  readonly lengths: readonly number[];
  /** The longest once more with all of it in one study. */
  readonly oneStudy: number;
  /** Instances received, and forwarded, of which each one's cost is told. */
  readonly instances: number;
  /** Forwarded in all, where so many are queued. */
  readonly drained: number;
  /** How long it is watched doing nothing, in ms. */
  readonly idleMs: number;
}

export interface QueueResult {
  readonly entries: number;
  readonly oneStudy: boolean;
  readonly listeningMs: number;
  readonly balancedMs: number;
  readonly startPeakBytes: number;
  readonly idleCpuMsPerS: number;
  readonly receiveMs: number;
  readonly receiveCpuMs: number;
  readonly statusMs: number;
  readonly statusPeakBytes: number;
  readonly listMs: number;
  readonly listPeakBytes: number;
  readonly forwardMs: number;
  readonly forwardCpuMs: number;
  readonly drainPeakBytes: number;
  readonly stopMs: number;
  /** Null where nothing was left to be delivered. */
  readonly firstDeliveryMs: number | null;
}

export async function measureQueues(
  directory: string,
  plan: QueuePlan,
  tell: (line: string) => void,
): Promise<QueueResult[]> {
  const all: QueueResult[] = [];
  const cases = plan.lengths.map((entries) => ({ entries, oneStudy: false }));
  if (plan.oneStudy > 0) cases.push({ entries: plan.oneStudy, oneStudy: true });
  for (const { entries, oneStudy } of cases) {
    const home = await Deno.makeTempDir({ dir: directory, prefix: "queue-" });
    tell(`queue of ${entries}${oneStudy ? " of one study" : ""}: filling the spool`);
    await fillSpool(join(home, "spool"), { entries, destination: "pacs", oneStudy });
    await settleDisk();
    const result = await measureQueue(home, entries, oneStudy, plan);
    tell(JSON.stringify(result));
    all.push(result);
    await Deno.remove(home, { recursive: true });
  }
  return all;
}

async function measureQueue(
  home: string,
  entries: number,
  oneStudy: boolean,
  plan: QueuePlan,
): Promise<QueueResult> {
  const { instances } = plan;
  const pacs = new CountingPacs(freePort());
  const port = pacs.port;
  const began = performance.now();
  const forwarder = await WatchedForwarder.start(home, port);
  let stopMs: number;
  let measured;
  try {
    await forwarder.balanced();
    const balancedMs = performance.now() - began;
    const startPeakBytes = forwarder.figures().peakRssBytes;
    const received = await receive(forwarder, instances);
    const idleCpuMsPerS = await forwarder.cpuDuring(plan.idleMs) / plan.idleMs * 1e6;
    const status = await runCommand(home, "status");
    const list = await runCommand(home, "queue", "list");
    pacs.open();
    // Not the first ones, which wait for the association.
    const first = Math.min(100, instances / 2);
    await pacs.has(first, DELIVERY_MS);
    const before = forwarder.figures();
    const beganForwarding = performance.now();
    await pacs.has(instances, DELIVERY_MS);
    const forwardMs = (performance.now() - beganForwarding) / (instances - first);
    const forwardCpuMs = (forwarder.figures().cpuS - before.cpuS) * 1000 / (instances - first);
    await pacs.has(Math.min(entries + instances, plan.drained), DELIVERY_MS);
    measured = {
      balancedMs,
      startPeakBytes,
      idleCpuMsPerS,
      ...received,
      statusMs: status.wallMs,
      statusPeakBytes: status.peakRssBytes,
      listMs: list.wallMs,
      listPeakBytes: list.peakRssBytes,
      forwardMs,
      forwardCpuMs,
      drainPeakBytes: forwarder.figures().peakRssBytes,
    };
  } finally {
    stopMs = await forwarder.stop();
    pacs.close();
  }
  const firstDeliveryMs = entries <= plan.drained ? null : await firstDelivery(home);
  return {
    entries,
    oneStudy,
    listeningMs: forwarder.listeningMs,
    ...measured,
    stopMs,
    firstDeliveryMs,
  };
}

/** Receives instances over one association; what each costs. */
async function receive(
  forwarder: WatchedForwarder,
  instances: number,
): Promise<{ receiveMs: number; receiveCpuMs: number }> {
  const modality = await Modality.associate(forwarder.port);
  const before = forwarder.figures();
  const began = performance.now();
  for (let n = 0; n < instances; n++) await modality.store(nthOf(1, 2_000_000 + n), SIZE);
  const receiveMs = (performance.now() - began) / instances;
  const receiveCpuMs = (forwarder.figures().cpuS - before.cpuS) * 1000 / instances;
  await modality.release();
  return { receiveMs, receiveCpuMs };
}

/** From the start of the process to the first instance at a destination that is up, in ms. */
async function firstDelivery(home: string): Promise<number> {
  const pacs = new CountingPacs(freePort());
  pacs.open();
  const began = performance.now();
  const forwarder = await WatchedForwarder.start(home, pacs.port);
  try {
    await pacs.has(1, DELIVERY_MS);
    return pacs.first! - began;
  } finally {
    await forwarder.stop();
    pacs.close();
  }
}

const MB = 1e6;

export function queueFigures(results: readonly QueueResult[]): Figure[] {
  const x = { label: "instances queued", unit: "entries" } as const;
  const line = (
    name: string,
    value: (result: QueueResult) => number | null,
  ): Series => ({
    name,
    // A logarithmic axis has no place for the empty queue.
    points: results.filter((one) => !one.oneStudy && one.entries > 0)
      .map((one) => [one.entries, value(one)]),
  });
  return [
    {
      name: "queue-start",
      title: "Start with a long queue",
      x,
      y: { label: "from the start of the process", unit: "s" },
      series: [
        line("a C-ECHO is answered", (one) => one.listeningMs / 1000),
        line("ledger and spool are compared", (one) => one.balancedMs / 1000),
        line(
          "the first instance is delivered",
          (one) => one.firstDeliveryMs === null ? null : one.firstDeliveryMs / 1000,
        ),
      ],
    },
    {
      name: "queue-memory",
      title: "Memory with a long queue",
      x,
      y: { label: "peak resident memory", unit: "MB" },
      series: [
        line("after the start", (one) => one.startPeakBytes / MB),
        line("while forwarding", (one) => one.drainPeakBytes / MB),
        line("queue list", (one) => one.listPeakBytes / MB),
        line("status", (one) => one.statusPeakBytes / MB),
      ],
    },
    {
      name: "queue-instance",
      title: "Cost of an instance beside a long queue",
      x,
      y: { label: "an instance", unit: "ms" },
      linearY: true,
      series: [
        line("received, time", (one) => one.receiveMs),
        line("received, CPU", (one) => one.receiveCpuMs),
        line("forwarded, time", (one) => one.forwardMs),
        line("forwarded, CPU", (one) => one.forwardCpuMs),
      ],
    },
    {
      name: "queue-commands",
      title: "Commands beside a long queue",
      x,
      y: { label: "time", unit: "s" },
      series: [
        line("queue list", (one) => one.listMs / 1000),
        line("status", (one) => one.statusMs / 1000),
        line("stop", (one) => one.stopMs / 1000),
      ],
    },
  ];
}
