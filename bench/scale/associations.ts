/*
 * What more associations at a time cost: the same number of instances received over one, two, four and so on.
 */

import type { Figure } from "../figure.ts";
import { settleDisk } from "../machine.ts";
import { freePort } from "../subject.ts";
import { Modality } from "./ends.ts";
import { nthOf } from "./generated.ts";
import { WatchedForwarder } from "./watched.ts";

export interface AssociationsPlan {
  /** Associations at a time, ascending. */
  readonly counts: readonly number[];
  /** Sent in all, each time, for each size. */
  readonly instances: number;
  /** Of an instance, in bytes. */
  readonly sizes: readonly number[];
}

export interface AssociationsResult {
  readonly size: number;
  readonly associations: number;
  /** Of each instance: time and CPU, in ms. */
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly peakRssBytes: number;
}

export async function measureAssociations(
  directory: string,
  plan: AssociationsPlan,
  tell: (line: string) => void,
): Promise<AssociationsResult[]> {
  const all: AssociationsResult[] = [];
  for (const size of plan.sizes) {
    for (const associations of plan.counts) {
      const home = await Deno.makeTempDir({ dir: directory, prefix: "associations-" });
      await settleDisk();
      const result = await measure(home, size, associations, plan.instances);
      tell(JSON.stringify(result));
      all.push(result);
      await Deno.remove(home, { recursive: true });
    }
  }
  return all;
}

async function measure(
  home: string,
  size: number,
  associations: number,
  instances: number,
): Promise<AssociationsResult> {
  const forwarder = await WatchedForwarder.start(home, freePort());
  try {
    const { port } = forwarder;
    const modalities = await Promise.all(
      Array.from({ length: associations }, () => Modality.associate(port)),
    );
    let next = 0;
    const send = async (until: number) => {
      await Promise.all(modalities.map(async (modality, study) => {
        while (next < until) await modality.store(nthOf(study + 1, ++next), size);
      }));
    };
    // What a process does more slowly the first time is not what associations cost.
    const first = Math.ceil(instances / 10);
    await send(first);
    const before = forwarder.figures();
    const began = performance.now();
    await send(first + instances);
    const wallMs = (performance.now() - began) / instances;
    const after = forwarder.figures();
    for (const modality of modalities) await modality.release();
    return {
      size,
      associations,
      wallMs,
      cpuMs: (after.cpuS - before.cpuS) * 1000 / instances,
      peakRssBytes: after.peakRssBytes,
    };
  } finally {
    await forwarder.stop();
  }
}

export function associationFigures(results: readonly AssociationsResult[]): Figure[] {
  const x = { label: "associations at a time", unit: "" } as const;
  const sizes = [...new Set(results.map((one) => one.size))];
  const lines = (what: string, value: (result: AssociationsResult) => number) =>
    sizes.map((size) => ({
      name: `${what}${size / 1000} KB`,
      points: results.filter((one) => one.size === size)
        .map((one) => [one.associations, value(one)] as const),
    }));
  return [
    {
      name: "associations-instance",
      title: "Cost of an instance received, over more associations",
      x,
      y: { label: "an instance", unit: "ms" },
      series: [
        ...lines("time, ", (one) => one.wallMs),
        ...lines("CPU, ", (one) => one.cpuMs),
      ],
    },
    {
      name: "associations-memory",
      title: "Memory, receiving over more associations",
      x,
      y: { label: "peak resident memory", unit: "MB" },
      linearY: true,
      series: lines("", (one) => one.peakRssBytes / 1e6),
    },
  ];
}
