/*
 * What is sent: generated studies, the same bytes in every run.
 */

import { join } from "node:path";
import { writeStudy } from "../src/cli/demo_study.ts";

/** Instances of one size. */
export interface Part {
  readonly instances: number;
  readonly rows: number;
  readonly columns: number;
}

/** Studies to send. */
export interface LoadPlan {
  /** As it stands in the table. */
  readonly name: string;
  readonly parts: readonly Part[];
}

/** Which load it is, however much of it is sent. */
export type Kind = "slices" | "small" | "long" | "mixed";

/** A load of the benchmark. */
export interface KindPlan extends LoadPlan {
  readonly kind: Kind;
}

/** Studies on the disk. */
export interface Load extends LoadPlan {
  /** Nothing but Part 10 files. */
  readonly files: readonly string[];
  readonly instances: number;
  /** Of all its files. */
  readonly bytes: number;
}

/** CT slices as they come from a scanner. */
const SLICES = { rows: 512, columns: 512 };
/** Small images, where the cost of an instance shows. */
const SMALL = { rows: 72, columns: 72 };
/** Long ones, where the cost of a byte does: 50 MB and 200 MB. */
const LONG = { rows: 5000, columns: 5000 };
const LONGER = { rows: 10_000, columns: 10_000 };

export const LOADS: readonly KindPlan[] = [
  { kind: "slices", name: "526 KB x 1000", parts: [{ instances: 1000, ...SLICES }] },
  { kind: "small", name: "12 KB x 2000", parts: [{ instances: 2000, ...SMALL }] },
  { kind: "long", name: "200 MB x 5", parts: [{ instances: 5, ...LONGER }] },
  {
    kind: "mixed",
    name: "mixed",
    parts: [
      { instances: 200, ...SLICES },
      { instances: 400, ...SMALL },
      { instances: 2, ...LONG },
    ],
  },
];

/** The same with a tenth of the instances, for work on the benchmark itself. */
export const QUICK_LOADS: readonly KindPlan[] = LOADS.map(({ kind, name, parts }) => ({
  kind,
  name: `${name}, a tenth`,
  parts: parts.map(({ instances, ...size }) => ({ instances: Math.ceil(instances / 10), ...size })),
}));

/** Writes a load below `parent`. */
export async function makeLoad<P extends LoadPlan>(parent: string, plan: P): Promise<P & Load> {
  const directory = join(parent, plan.name.replaceAll(/[ ,]+/g, "-"));
  const kinds: string[][] = [];
  for (const [n, part] of plan.parts.entries()) {
    kinds.push(await writeStudy(join(directory, String(n)), { ...part, seed: n + 1 }));
  }
  const files = interleaved(kinds);
  let bytes = 0;
  for (const path of files) bytes += (await Deno.stat(path)).size;
  return { ...plan, files, instances: files.length, bytes };
}

/** Each list spread evenly over the whole. */
export function interleaved<T>(lists: readonly (readonly T[])[]): T[] {
  return lists
    .flatMap((list) => list.map((item, n) => ({ item, at: (n + 0.5) / list.length })))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

/** Gives each sender its share of a load, in a folder of its own. There are no more shares than instances. */
export function share(load: Load, senders: number, parent: string): Share[] {
  return Array.from({ length: Math.min(senders, load.instances) }, (_, sender) => {
    const directory = join(parent, `share-${sender}`);
    Deno.mkdirSync(directory);
    const mine = load.files.filter((_, n) => n % senders === sender);
    for (const [n, path] of mine.entries()) {
      Deno.linkSync(path, join(directory, `${String(n).padStart(5, "0")}.dcm`));
    }
    return { directory, instances: mine.length };
  });
}

/** What one sender sends. */
export interface Share {
  readonly directory: string;
  readonly instances: number;
}
