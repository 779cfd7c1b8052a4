/*
 * The words of the verbs that look and change nothing: `status`, `doctor` and `explain`. Their options and their help; what they do
 * is in files of their own.
 */

import { type Command, InvalidArgumentError, Option } from "commander";
import type { Config } from "../config/load.ts";
import { doctorCommand } from "./doctor.ts";
import { explainCommand } from "./explain.ts";
import { statusCommand } from "./status.ts";
import type { FindForwarder } from "./status_facts.ts";
import { watchCommand } from "./status_watch.ts";

interface Common {
  readonly config?: string;
  readonly json?: boolean;
}

export interface LookingAround {
  /** Makes a verb of the program. */
  verb(name: string, description: string): Command;
  /** Gives a command its `--config`. */
  withConfig(command: Command): Command;
  /** The configuration that is meant. */
  load(options: Common): Promise<Config>;
  finish(code: number): void;
  /** Runs work that Ctrl-C may end. */
  untilStopped(work: (signal: AbortSignal) => Promise<void>): Promise<void>;
}

/** Seconds between two pictures of `status --watch`. */
const USUAL_INTERVAL = 2;
const MOST_INTERVAL = 3600;

/** The forwarder's own answers, over its API. */
const findForwarder: FindForwarder = async (spoolDir, signal) => {
  const { controlClient } = await import("../web/client.ts");
  return await controlClient(spoolDir, signal);
};

/** Adds the verbs. */
export function addLooking(around: LookingAround): void {
  const { verb, withConfig, load, finish, untilStopped } = around;

  withConfig(verb("status", "show how the forwarder is and what waits"))
    .addOption(
      new Option("--watch [seconds]", "go on showing it, every 2 seconds or so many")
        .argParser(interval).conflicts("json"),
    )
    .option("--json", "as JSON")
    .addHelpText("after", "\nThe exit code is 1 where no forwarder runs on this spool.")
    .action(async (options: Common & { watch?: number | true }) => {
      const { json = false, watch } = options;
      const config = await load(options);
      await untilStopped(async (signal) => {
        if (watch === undefined) finish(await statusCommand(config, json, findForwarder, signal));
        else {
          const seconds = watch === true ? USUAL_INTERVAL : watch;
          finish(await watchCommand(config, seconds * 1000, findForwarder, signal));
        }
      });
    });

  withConfig(verb("doctor", "find out what is wrong, here and at the destinations"))
    .argument("[destination]", "look at this destination only")
    .option("--send-test", "send each DICOM destination a small image marked as a test, too")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      "\nChanges nothing, and can be used while the forwarder runs. The exit code is 1 where there is a problem.",
    )
    .action(async (destination: string | undefined, options: Common & { sendTest?: boolean }) => {
      const { json = false, sendTest = false } = options;
      await untilStopped(async (signal) =>
        finish(
          await doctorCommand(() => load(options), { destination, json, sendTest }, signal),
        )
      );
    });

  withConfig(verb("explain", "say which way a DICOM file would go, and why"))
    .argument("<files...>", "DICOM files")
    .option("--from <title>", "as if it came from this calling AE title")
    .option("--called <title>", "as if the sender had called us by this AE title")
    .option("--json", "as JSON")
    .addHelpText("after", "\nThe exit code is 1 where a file cannot be read or goes nowhere.")
    .action(async (files: string[], options: Common & { from?: string; called?: string }) => {
      const { json = false, from, called } = options;
      finish(await explainCommand(await load(options), files, { from, called, json }));
    });
}

function interval(text: string): number {
  const value = Number(text);
  if (!(value >= 0.5 && value <= MOST_INTERVAL)) {
    throw new InvalidArgumentError(`A number of seconds from 0.5 to ${MOST_INTERVAL} is wanted.`);
  }
  return value;
}
