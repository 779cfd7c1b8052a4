/*
 * What is sent: generated studies of a given size, the same bytes in every run.
 */

import { join } from "node:path";
import { writeStudy } from "../src/cli/demo_study.ts";

/** A study to send. */
export interface LoadPlan {
  /** As it stands in the table. */
  readonly name: string;
  readonly instances: number;
  readonly rows: number;
  readonly columns: number;
}

/** A study on the disk. */
export interface Load extends LoadPlan {
  /** Folder of nothing but its Part 10 files. */
  readonly directory: string;
  /** Of all its files. */
  readonly bytes: number;
}

/** CT slices as they come from a scanner, and small images, where the cost of an instance shows. */
export const LOADS: readonly LoadPlan[] = [
  { name: "526 KB x 1000", instances: 1000, rows: 512, columns: 512 },
  { name: "12 KB x 2000", instances: 2000, rows: 72, columns: 72 },
];

/** The same with a tenth of the instances, for work on the benchmark itself. */
export const QUICK_LOADS: readonly LoadPlan[] = [
  { name: "526 KB x 100", instances: 100, rows: 512, columns: 512 },
  { name: "12 KB x 200", instances: 200, rows: 72, columns: 72 },
];

/** Writes a study below `parent`. */
export async function makeLoad(parent: string, plan: LoadPlan): Promise<Load> {
  const directory = join(parent, plan.name.replaceAll(" ", "-"));
  const { instances, rows, columns } = plan;
  const paths = await writeStudy(directory, { instances, rows, columns });
  let bytes = 0;
  for (const path of paths) bytes += (await Deno.stat(path)).size;
  return { ...plan, directory, bytes };
}
