/*
 * `deno task bench`: how fast the forwarder is beside what the wire and the disk allow, measured in the same run.
 *
 *     --rounds N    rounds, each of every case once, in turns [5]
 *     --case NAME   only this case, and the floors it is compared with; may be given again
 *     --quick       a tenth of the instances and one round, for work on the benchmark itself
 *     --dir DIR     where images and spool go; a disk, not memory [bench/results]
 *
 * Seconds differ from machine to machine and from hour to hour; the ratios are what to compare. Prints a table and writes
 * all figures to bench/results. Anything lost, left over or given up ends it with exit code 1.
 *
 * Needs DCMTK, Linux and 3 GB of disk. Two habits of disks would otherwise be measured instead of the program. ext4 makes
 * files more slowly for some minutes after many were deleted (it looks anew at each inode it may not yet give out again),
 * and the disk of a virtual machine is several times slower where nothing was ever written. So what a case leaves behind
 * is emptied, not deleted, until the end, and an unmeasured round comes first. What the forwarder itself deletes remains: a
 * second run is better started five minutes later.
 */

import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { printLine, warnLine } from "../src/cli/terminal.ts";
import { type BenchCase, CASES } from "./cases.ts";
import { type Load, LOADS, makeLoad, QUICK_LOADS } from "./load.ts";
import { describeMachine } from "./machine.ts";
import { results, resultTable, type Series } from "./report.ts";

const RESULTS = fileURLToPath(new URL("results", import.meta.url));

interface Options {
  readonly rounds: number;
  readonly cases: readonly BenchCase[];
  readonly quick: boolean;
  readonly directory: string;
}

/** @throws where an option is unknown or has a value that is none */
function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: "string" },
      case: { type: "string", multiple: true },
      quick: { type: "boolean", default: false },
      dir: { type: "string", default: RESULTS },
    },
  });
  const { rounds = values.quick ? "1" : "5", case: wanted = [] } = values;
  if (!/^[1-9]\d{0,2}$/.test(rounds)) {
    throw new Error(`--rounds ${rounds}: wanted a number from 1 to 999`);
  }
  const names = CASES.filter((one) => !one.floor).map((one) => one.name);
  for (const name of wanted) {
    if (!names.includes(name)) {
      throw new Error(`--case "${name}": wanted one of "${names.join('", "')}"`);
    }
  }
  return {
    rounds: Number(rounds),
    cases: CASES.filter((one) => one.floor || wanted.length === 0 || wanted.includes(one.name)),
    quick: values.quick,
    directory: resolve(values.dir),
  };
}

async function run(options: Options): Promise<void> {
  const began = new Date();
  await Deno.mkdir(options.directory, { recursive: true });
  const machine = await describeMachine(options.directory);
  printLine(
    `${machine.cores} cores of ${machine.processor}, Deno ${machine.deno}, DCMTK ${machine.dcmtk}`,
  );
  printLine(`Disk  ${machine.disk}`);
  const directory = await Deno.makeTempDir({ dir: options.directory, prefix: "work-" });
  try {
    const loads: Load[] = [];
    for (const plan of options.quick ? QUICK_LOADS : LOADS) {
      loads.push(await makeLoad(directory, plan));
    }
    const all = await measureAll(options, loads, directory);
    await show(all, began, { machine, rounds: options.rounds, quick: options.quick });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Every case with every load in each round, so that what disturbs the machine disturbs all alike. */
async function measureAll(
  { rounds, cases }: Options,
  loads: readonly Load[],
  directory: string,
): Promise<Series[]> {
  const all = loads.flatMap((load) =>
    cases.map((benchCase) => ({ load, benchCase, rounds: [] as Series["rounds"][number][] }))
  );
  // Round 0 takes the disk's first touch, and is not measured.
  for (let round = 0; round <= rounds; round++) {
    for (const [n, series] of all.entries()) {
      const { load, benchCase } = series;
      const home = join(directory, `home-${round}-${n + 1}`);
      await Deno.mkdir(home);
      const measured = await benchCase.measure(load, home).catch((cause) => {
        throw new Error(`Case "${benchCase.name}", ${load.name}, round ${round}: ${cause}`, {
          cause,
        });
      });
      emptyFiles(home);
      if (round > 0) series.rounds.push(measured);
      warnLine(
        `round ${round}/${rounds}  ${load.name}  ${benchCase.name}  ${measured.wallS.toFixed(3)} s`,
      );
    }
  }
  return all;
}

/** Gives the space back, and keeps the files. */
function emptyFiles(directory: string): void {
  for (const entry of Deno.readDirSync(directory)) {
    const path = join(directory, entry.name);
    if (entry.isDirectory) emptyFiles(path);
    else Deno.truncateSync(path, 0);
  }
}

async function show(all: readonly Series[], began: Date, about: object): Promise<void> {
  const figures = results(all);
  printLine();
  for (const line of resultTable(figures)) printLine(line);
  printLine();
  for (const { name, what } of new Set(all.map((series) => series.benchCase))) {
    printLine(`${name}: ${what}`);
  }
  const path = join(RESULTS, `${began.toISOString().replaceAll(":", "-")}.json`);
  await Deno.mkdir(RESULTS, { recursive: true });
  await Deno.writeTextFile(
    path,
    JSON.stringify({ began: began.toISOString(), ...about, results: figures }, null, 2) + "\n",
  );
  printLine();
  printLine(`All figures: ${path}`);
}

if (import.meta.main) {
  try {
    await run(readOptions(Deno.args));
  } catch (error) {
    warnLine(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
