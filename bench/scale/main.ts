/*
 * `deno task bench:scale`: what more of something costs, more queued, more associations, larger instances, a farther PACS, and
 * being watched.
 *
 *     --only NAME   this measure alone: queue, associations, sizes, far, watching or strangers; may be given again
 *     --quick       small sizes, within two minutes, for work on the benchmark itself
 *     --dir DIR     where the spools go; a disk, not memory [bench/results]
 *
 * Prints a table for each and writes figures (JSON) and drawings (SVG) to bench/results. A curve that bends upward is a
 * defect. Anything lost ends it with exit code 1. Needs Linux, DCMTK, a million inodes, and 10 GB of disk.
 */

import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { printLine, table, warnLine } from "../../src/cli/terminal.ts";
import type { Figure } from "../figure.ts";
import { describeMachine } from "../machine.ts";
import { type Measure, MEASURES } from "./measures.ts";
import { writeFigures } from "./results.ts";

const RESULTS = fileURLToPath(new URL("../results", import.meta.url));

interface Options {
  readonly measures: readonly Measure[];
  readonly quick: boolean;
  readonly directory: string;
}

/** @throws where an option is unknown or has a value that is none */
function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string", multiple: true },
      quick: { type: "boolean", default: false },
      dir: { type: "string", default: RESULTS },
    },
  });
  const { only = [] } = values;
  const names = MEASURES.map((one) => one.name);
  for (const name of only) {
    if (!names.includes(name)) {
      throw new Error(`--only ${name}: wanted one of ${names.join(", ")}`);
    }
  }
  return {
    measures: MEASURES.filter((one) => only.length === 0 || only.includes(one.name)),
    quick: values.quick,
    directory: resolve(values.dir),
  };
}

async function run({ measures, quick, directory }: Options): Promise<void> {
  await Deno.mkdir(directory, { recursive: true });
  const machine = await describeMachine(directory);
  printLine(`${machine.cores} cores of ${machine.processor}, Deno ${machine.deno}`);
  printLine(`Disk  ${machine.disk}`);
  const work = await Deno.makeTempDir({ dir: directory, prefix: "work-" });
  try {
    for (const measure of measures) {
      const began = new Date().toISOString();
      const { figures, results } = await measure.run(work, quick, warnLine);
      printLine();
      for (const figure of figures) show(figure);
      const about = { began, machine, quick, results };
      for (const path of await writeFigures(RESULTS, measure.name, figures, about)) {
        printLine(path);
      }
    }
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** A figure as a table: a row for each x. */
function show({ title, x, y, series }: Figure): void {
  const all = new Set(series.flatMap((one) => one.points.map(([at]) => at)));
  const rows = [...all].sort((a, b) => a - b).map((at) => [
    String(at),
    ...series.map(({ points }) => {
      const value = points.find(([other]) => other === at)?.[1];
      return typeof value === "number" ? value.toPrecision(3) : "-";
    }),
  ]);
  printLine(`${title} (${y.label}${y.unit === "" ? "" : `, ${y.unit}`})`);
  for (const line of table([[x.label, ...series.map((one) => one.name)], ...rows])) {
    printLine(line);
  }
  printLine();
}

if (import.meta.main) {
  try {
    await run(readOptions(Deno.args));
  } catch (error) {
    warnLine(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
