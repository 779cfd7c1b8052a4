/*
 * What larger instances cost: received first, while the destination is down, and then forwarded by another process, so that
 * each tells its own memory.
 */

import { join } from "node:path";
import type { Figure } from "../figure.ts";
import { settleDisk } from "../machine.ts";
import { freePort } from "../subject.ts";
import { CountingPacs, Modality } from "./ends.ts";
import { dataSetOf, nthOf } from "./generated.ts";
import { WatchedForwarder } from "./watched.ts";

/** How long all of one size may take to be forwarded, in ms. */
const DELIVERY_MS = 600_000;

export interface SizesPlan {
  /** Bytes of an instance, ascending, and how many of them. */
  readonly sizes: readonly (readonly [bytes: number, instances: number])[];
}

export interface SizesResult {
  /** Of a data set. */
  readonly bytes: number;
  readonly instances: number;
  readonly receiveMBPerS: number;
  readonly receivePeakBytes: number;
  readonly receiveCpuMs: number;
  readonly forwardMBPerS: number;
  readonly forwardPeakBytes: number;
  readonly forwardCpuMs: number;
}

export async function measureSizes(
  directory: string,
  plan: SizesPlan,
  tell: (line: string) => void,
): Promise<SizesResult[]> {
  const all: SizesResult[] = [];
  for (const [bytes, instances] of plan.sizes) {
    const home = await Deno.makeTempDir({ dir: directory, prefix: "sizes-" });
    await settleDisk();
    const result = await measure(home, bytes, instances);
    tell(JSON.stringify(result));
    all.push(result);
    await Deno.remove(home, { recursive: true });
  }
  return all;
}

async function measure(home: string, size: number, instances: number): Promise<SizesResult> {
  const bytes = dataSetOf(nthOf(1, 1), size).length;
  const received = await receive(home, size, instances);
  const forwarded = await forward(home, bytes, instances);
  return { bytes, instances, ...received, ...forwarded };
}

async function receive(home: string, size: number, instances: number) {
  const forwarder = await WatchedForwarder.start(home, freePort());
  try {
    const modality = await Modality.associate(forwarder.port);
    const before = forwarder.figures();
    const began = performance.now();
    let bytes = 0;
    for (let n = 1; n <= instances; n++) bytes += await modality.store(nthOf(1, n), size);
    const ms = performance.now() - began;
    const after = forwarder.figures();
    await modality.release();
    return {
      receiveMBPerS: bytes / 1000 / ms,
      receivePeakBytes: after.peakRssBytes,
      receiveCpuMs: (after.cpuS - before.cpuS) * 1000 / instances,
    };
  } finally {
    await forwarder.stop();
  }
}

async function forward(home: string, bytes: number, instances: number) {
  const pacs = new CountingPacs(freePort());
  pacs.open();
  const forwarder = await WatchedForwarder.start(home, pacs.port);
  try {
    const before = forwarder.figures();
    await pacs.has(instances, DELIVERY_MS);
    const ms = performance.now() - pacs.began!;
    const after = forwarder.figures();
    if (pacs.instances !== instances || pacs.bytes !== bytes * instances) {
      throw new Error(
        `${pacs.instances} instances of ${pacs.bytes} bytes in all came to ${join(home, "spool")}` +
          `'s destination, wanted ${instances} of ${bytes * instances}`,
      );
    }
    return {
      forwardMBPerS: pacs.bytes / 1000 / ms,
      forwardPeakBytes: after.peakRssBytes,
      forwardCpuMs: (after.cpuS - before.cpuS) * 1000 / instances,
    };
  } finally {
    await forwarder.stop();
    pacs.close();
  }
}

export function sizeFigures(results: readonly SizesResult[]): Figure[] {
  const x = { label: "bytes of an instance", unit: "bytes" } as const;
  const line = (name: string, value: (result: SizesResult) => number) => ({
    name,
    points: results.map((one) => [one.bytes, value(one)] as const),
  });
  return [
    {
      name: "sizes-rate",
      title: "Rate by the size of an instance",
      x,
      y: { label: "rate", unit: "MB/s" },
      series: [
        line("received", (one) => one.receiveMBPerS),
        line("forwarded", (one) => one.forwardMBPerS),
      ],
    },
    {
      name: "sizes-cpu",
      title: "CPU by the size of an instance",
      x,
      y: { label: "an instance", unit: "ms" },
      series: [
        line("received", (one) => one.receiveCpuMs),
        line("forwarded", (one) => one.forwardCpuMs),
      ],
    },
    {
      name: "sizes-memory",
      title: "Memory by the size of an instance",
      x,
      y: { label: "peak resident memory", unit: "MB" },
      linearY: true,
      series: [
        line("receiving", (one) => one.receivePeakBytes / 1e6),
        line("forwarding", (one) => one.forwardPeakBytes / 1e6),
      ],
    },
  ];
}
