/*
 * `deno task bench`: how fast the forwarder is beside what the wire and the disk allow and beside its peers, measured in the
 * same run.
 *
 *     --rounds N      rounds, each of every case once, in turns; of Orthanc's in every other one [5]
 *     --load NAME     only this load: slices (526 KB x 1000), small (12 KB x 2000), long (200 MB x 5), mixed;
 *                     may be given again
 *     --work NAME     only this work (receive, forward, end-to-end), and the floors; may be given again
 *     --subject NAME  only this program (forwarder, storescp, dcmjs-dimse, orthanc), and the floors; may be given again
 *     --quick         a tenth of the instances and one round, for work on the benchmark itself
 *     --dir DIR       where images and spool go; a disk, not memory [bench/results]
 *     --plot FILE     draws the headline figures as an SVG
 *
 * Seconds differ from machine to machine and from hour to hour; the ratios are what to compare. Prints a table and which
 * goals were met, and writes all figures to bench/results. Anything lost, left over or given up ends it with exit code 1.
 *
 * Needs DCMTK, Orthanc, Linux and 30 GB of disk. Two habits of disks would otherwise be measured instead of the program.
 * ext4 makes files more slowly for some minutes after many were deleted (it looks anew at each inode it may not yet give
 * out again), and the disk of a virtual machine is several times slower where nothing was ever written. So what a case
 * leaves behind is emptied, not deleted, until the end, and an unmeasured round comes first. What the programs themselves
 * delete remains: a second run is better started five minutes later.
 */

import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { printLine, warnLine } from "../src/cli/terminal.ts";
import { barPlot } from "./bar_plot.ts";
import { type Case, measure, type Measurement, SUBJECTS, WORK } from "./cases.ts";
import { verdicts } from "./goals.ts";
import { type Kind, type KindPlan, type Load, LOADS, makeLoad, QUICK_LOADS } from "./load.ts";
import { describeMachine } from "./machine.ts";
import { casesOf } from "./matrix.ts";
import { results, resultTable, type Series } from "./report.ts";

const RESULTS = fileURLToPath(new URL("results", import.meta.url));

interface Options {
  readonly rounds: number;
  readonly loads: readonly Kind[];
  readonly wants: (one: Case) => boolean;
  readonly quick: boolean;
  readonly directory: string;
  readonly plot: string | undefined;
}

/** @throws where an option is unknown or has a value that is none */
function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: "string" },
      load: { type: "string", multiple: true },
      work: { type: "string", multiple: true },
      subject: { type: "string", multiple: true },
      quick: { type: "boolean", default: false },
      dir: { type: "string", default: RESULTS },
      plot: { type: "string" },
    },
  });
  const { rounds = values.quick ? "1" : "5" } = values;
  if (!/^[1-9]\d{0,2}$/.test(rounds)) {
    throw new Error(`--rounds ${rounds}: wanted a number from 1 to 999`);
  }
  const loads = chosen("load", LOADS.map((load) => load.kind), values.load);
  const works = chosen<string>("work", Object.keys(WORK), values.work);
  const subjects = chosen<string>("subject", Object.keys(SUBJECTS), values.subject);
  return {
    rounds: Number(rounds),
    loads,
    wants: ({ work, subject }) =>
      work === "floor" || (works.includes(work) && subjects.includes(subject)),
    quick: values.quick,
    directory: resolve(values.dir),
    plot: values.plot === undefined ? undefined : resolve(values.plot),
  };
}

/** All there are where none is named. */
function chosen<T extends string>(
  option: string,
  all: readonly T[],
  named: readonly string[] = [],
): T[] {
  for (const name of named) {
    if (!all.some((one) => one === name)) {
      throw new Error(`--${option} "${name}": wanted one of "${all.join('", "')}"`);
    }
  }
  return all.filter((name) => named.length === 0 || named.includes(name));
}

async function run(options: Options): Promise<void> {
  const began = new Date();
  await Deno.mkdir(options.directory, { recursive: true });
  const machine = await describeMachine(options.directory);
  printLine(
    `${machine.cores} cores of ${machine.processor}, Deno ${machine.deno}, ` +
      `DCMTK ${machine.dcmtk}, Orthanc ${machine.orthanc}`,
  );
  printLine(`Disk  ${machine.disk}`);
  const directory = await Deno.makeTempDir({ dir: options.directory, prefix: "work-" });
  try {
    const loads: (KindPlan & Load)[] = [];
    for (const plan of options.quick ? QUICK_LOADS : LOADS) {
      if (options.loads.includes(plan.kind)) loads.push(await makeLoad(directory, plan));
    }
    const all = await measureAll(options, loads, directory);
    await show(all, began, options, { machine, rounds: options.rounds, quick: options.quick });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Every case with every load in each round, so that what disturbs the machine disturbs all alike. */
async function measureAll(
  { rounds, wants }: Options,
  loads: readonly (KindPlan & Load)[],
  directory: string,
): Promise<Series[]> {
  const all = loads.flatMap((load) =>
    casesOf(load.kind).filter(wants).map((one) => ({
      load,
      case: one,
      rounds: [] as Measurement[],
    }))
  );
  // Round 0 takes the disk's first touch, and is not measured.
  for (let round = 0; round <= rounds; round++) {
    for (const [n, series] of all.entries()) {
      const { load, case: one } = series;
      // The slowest by far, and what is told of it needs no more: every other round.
      if (one.subject === "orthanc" && round % 2 === 0) continue;
      const home = join(directory, `home-${round}-${n + 1}`);
      await Deno.mkdir(home);
      const name =
        `${load.name}, ${one.subject} ${one.work}, ${one.senders} to ${one.destinations}`;
      const measured = await measure(one, load, home).catch((cause) => {
        throw new Error(`${name}, round ${round}: ${cause}`, { cause });
      });
      emptyFiles(home);
      if (round > 0) series.rounds.push(measured);
      warnLine(`round ${round}/${rounds}  ${name}  ${measured.wallS.toFixed(3)} s`);
    }
  }
  return all;
}

/** Gives the space back, and keeps the files. What has a second name is the load's own. */
function emptyFiles(directory: string): void {
  for (const entry of Deno.readDirSync(directory)) {
    const path = join(directory, entry.name);
    if (entry.isDirectory) emptyFiles(path);
    else if (entry.isFile && Deno.statSync(path).nlink === 1) Deno.truncateSync(path, 0);
  }
}

async function show(
  all: readonly Series[],
  began: Date,
  { plot, quick }: Options,
  about: object,
): Promise<void> {
  const figures = results(all);
  const goals = verdicts(figures);
  printLine();
  for (const line of resultTable(figures)) printLine(line);
  printLine();
  for (const name of new Set(figures.map((one) => one.subject))) {
    printLine(`${name}: ${SUBJECTS[name]}`);
  }
  for (const name of new Set(figures.map((one) => one.work))) printLine(`${name}: ${WORK[name]}`);
  printLine();
  if (quick) printLine("The goals are for whole loads; this run sent a tenth of each.");
  for (const { goal, measured, met } of goals) {
    const verdict = measured === "" ? "not measured" : met ? "met" : "NOT MET";
    printLine(`${verdict.padEnd(12)}  ${goal}${measured === "" ? "" : `  (${measured})`}`);
  }
  const path = join(RESULTS, `${began.toISOString().replaceAll(":", "-")}.json`);
  await Deno.mkdir(RESULTS, { recursive: true });
  const whole = { began: began.toISOString(), ...about, goals, results: figures };
  await Deno.writeTextFile(path, JSON.stringify(whole, null, 2) + "\n");
  printLine();
  printLine(`All figures: ${path}`);
  if (plot === undefined) return;
  await Deno.writeTextFile(plot, barPlot(figures));
  printLine(`Plot: ${plot}`);
}

if (import.meta.main) {
  try {
    await run(readOptions(Deno.args));
  } catch (error) {
    warnLine(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
