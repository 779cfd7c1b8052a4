/*
 * The long form of the fuzzing: as much of each kind as is asked for, figures at the end.
 *
 *     deno task test:fuzz --pdus 5000000 --sessions 50000 --commands 500000 --datasets 500000 --seed 1
 *
 * A kind of which 0 are asked for is left out. Ends with 1 where anything is violated, after the seed and the input that
 * did it, in hexadecimal.
 */

import { parseArgs } from "node:util";
import { hex } from "../helpers/hex.ts";
import { type CommandFigures, fuzzCommands } from "./command_fuzz.ts";
import { type DataSetFigures, fuzzDataSets } from "./data_set_fuzz.ts";
import { fuzzPdus, type PduFigures } from "./pdu_fuzz.ts";
import { Violation } from "./random.ts";
import { fuzzSessions, type SessionFigures } from "./session_fuzz.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    pdus: { type: "string", default: "1000000" },
    sessions: { type: "string", default: "10000" },
    commands: { type: "string", default: "100000" },
    datasets: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
  },
});

function say(line: string): void {
  const seconds = Math.round(performance.now() / 1000);
  Deno.stdout.writeSync(new TextEncoder().encode(`${seconds} s  ${line}\n`));
}

function count(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) throw new RangeError(`${text} is no number`);
  return number;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

const seed = count(values.seed);
let violations = 0;

/** Runs one kind; a violation is told and ends that kind, not the others. */
async function attempt<T>(name: string, run: () => T | Promise<T>): Promise<T | undefined> {
  const began = performance.now();
  try {
    const figures = await run();
    say(`${name}: done in ${((performance.now() - began) / 1000).toFixed(1)} s`);
    return figures;
  } catch (error) {
    violations++;
    say(`${name}: violation with seed ${seed}: ${error instanceof Error ? error.stack : error}`);
    if (error instanceof Violation && error.input.length > 0) {
      say(`the whole input, ${error.input.length} bytes: ${hex(error.input)}`);
    }
    return undefined;
  }
}

const wanted = {
  pdus: count(values.pdus),
  sessions: count(values.sessions),
  commands: count(values.commands),
  dataSets: count(values.datasets),
};
say(`seed ${seed}`);

const pdus: PduFigures | undefined = await attempt(
  "PDUs",
  () => fuzzPdus(wanted.pdus, seed, (figures) => say(`PDUs: ${JSON.stringify(figures)}`)),
);
const commands: CommandFigures | undefined = await attempt(
  "command sets",
  () =>
    fuzzCommands(
      wanted.commands,
      seed,
      (figures) => say(`command sets: ${JSON.stringify(figures)}`),
    ),
);
const dataSets: DataSetFigures | undefined = await attempt(
  "data sets",
  () =>
    fuzzDataSets(wanted.dataSets, seed, (figures) => say(`data sets: ${JSON.stringify(figures)}`)),
);
const sessions: SessionFigures | undefined = wanted.sessions === 0
  ? undefined
  : await attempt("sessions", () =>
    fuzzSessions({
      sessions: wanted.sessions,
      seed,
      progress: (figures) => say(`sessions: ${JSON.stringify(figures)}`),
    }));

const line = [
  `PDUs ${pdus?.pdus ?? 0}`,
  `sessions ${sessions?.sessions ?? 0}`,
  `commands ${commands?.commands ?? 0}`,
  `data sets ${dataSets?.dataSets ?? 0}`,
];
if (sessions !== undefined) {
  line.push(
    `answered with Success ${sessions.acknowledged}, arrived ${sessions.arrived}`,
    `canaries ${sessions.canaries}, slowest ${sessions.slowestCanaryMs.toFixed(0)} ms`,
    `RSS ${mebibytes(sessions.rssStart)} to ${mebibytes(sessions.rssEnd)}, grown by ${
      mebibytes(sessions.rssEnd - sessions.rssStart)
    }`,
    `fds ${sessions.fdsStart} to ${sessions.fdsEnd}`,
  );
}
say(`${line.join("; ")}; violations ${violations}`);
Deno.exit(violations === 0 ? 0 : 1);
