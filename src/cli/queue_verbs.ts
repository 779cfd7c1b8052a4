/*
 * The verbs of `queue`, for the command line: their options and their help.
 */

import { type Command, InvalidArgumentError } from "commander";
import type { Config } from "../config/load.ts";
import { hashStudy, hex8 } from "../spool/entry_name.ts";
import { ExitCode } from "./exit_code.ts";
import {
  holdCommand,
  listCommand,
  releaseCommand,
  removeCommand,
  retryCommand,
  type Selection,
} from "./queue.ts";
import { showCommand } from "./queue_show.ts";
import { warnLine } from "./terminal.ts";

interface Options {
  readonly config?: string;
  readonly json?: boolean;
  readonly destination?: string;
  readonly study?: string;
  readonly failed?: boolean;
  readonly queued?: boolean;
  readonly held?: boolean;
  readonly all?: boolean;
}

/** What the program lends its verbs. */
export interface QueueVerbs {
  readonly withConfig: (command: Command) => Command;
  readonly load: (options: { readonly config?: string }) => Promise<Config>;
  readonly finish: (code: number) => void;
}

/** Adds them to `queue`. */
export function addQueue(queue: Command, { withConfig, load, finish }: QueueVerbs): void {
  const sub = (name: string, description: string) =>
    withConfig(queue.command(name).description(description).exitOverride())
      .helpOption("-h, --help", "show this help")
      .option("--destination <name>", "only of this destination")
      .option("--json", "as JSON");
  const many = (name: string, description: string) =>
    sub(name, description)
      .option(
        "--study <uid>",
        "only of this study: its UID, or the 8 digits in the ids",
        studyHash,
      );

  many("list", "list what waits, what failed and what is held, oldest first")
    .option("--failed", "only what failed")
    .option("--queued", "only what waits")
    .option("--held", "only what is held")
    .option("--details", "with patient, study and instance, read from each file")
    .option("--limit <count>", "at most so many", wholeNumber, 100)
    .action(async (options: Options & { details?: boolean; limit: number }) => {
      const { json = false, details = false, limit } = options;
      const config = await load(options);
      finish(await listCommand(config, selection([], options), { json, details, limit }));
    });

  sub("show", "show one instance in full, and what the ledger says of it")
    .argument("<id>", "as `queue list` shows it")
    .action(async (id: string, options: Options) => {
      const config = await load(options);
      finish(await showCommand(config, id, selection([], options), options.json ?? false));
    });

  const act = (
    name: string,
    description: string,
    all: string,
    command: (config: Config, which: Selection, json: boolean) => Promise<ExitCode>,
  ) =>
    many(name, description)
      .argument("[ids...]", "as `queue list` shows them")
      .option("--all", all)
      .action(async (ids: string[], options: Options) => {
        if (!named(ids, options)) return finish(ExitCode.Usage);
        const config = await load(options);
        finish(await command(config, selection(ids, options), options.json ?? false));
      });

  act("retry", "put failed instances back into the queue", "all that failed", retryCommand);
  act("hold", "keep instances that wait from being sent", "all that wait", holdCommand);
  act("release", "let held instances go", "all that are held", releaseCommand);

  many("remove", "delete instances for good, undelivered")
    .argument("[ids...]", "as `queue list` shows them")
    .option("--failed", "only what failed")
    .option("--queued", "only what waits")
    .option("--held", "only what is held")
    .option("--all", "everything")
    .option("--yes", "do not ask")
    .action(async (ids: string[], options: Options & { yes?: boolean }) => {
      if (!named(ids, options)) return finish(ExitCode.Usage);
      const { json = false, yes = false } = options;
      const config = await load(options);
      finish(await removeCommand(config, selection(ids, options), { json, yes }));
    });
}

function selection(ids: readonly string[], options: Options): Selection {
  const { destination, study, failed, queued, held } = options;
  const state = failed === true
    ? "failed"
    : queued === true
    ? "queued"
    : held === true
    ? "held"
    : undefined;
  return { ids, destination, study, state };
}

/** Nothing named must not mean everything. */
function named(ids: readonly string[], { all, destination, study }: Options): boolean {
  if (ids.length > 0 || all === true || destination !== undefined || study !== undefined) {
    return true;
  }
  warnLine("Say which: ids, --destination NAME, --study UID, or --all.");
  return false;
}

/** The hash that the spool calls a study by. */
function studyHash(text: string): string {
  if (/^[0-9a-f]{8}$/.test(text)) return text;
  if (/^[0-9.]{1,64}$/.test(text)) return hex8(hashStudy(text));
  throw new InvalidArgumentError("A Study Instance UID or 8 hexadecimal digits are wanted.");
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError("A whole number from 1 is wanted.");
  }
  return value;
}
