/*
 * The words of `service`: its options and its help. What they do is in service.ts.
 */

import { type Command, InvalidArgumentError, Option } from "commander";
import type { StartType } from "../service/definition.ts";
import {
  installCommand,
  restartCommand,
  startCommand,
  stateCommand,
  stopCommand,
  uninstallCommand,
} from "./service.ts";

interface Common {
  readonly config?: string;
}

export interface Around {
  /** The configuration that is meant. */
  configFile(options: Common): Promise<string>;
  /** Gives a command its `--config`. */
  withConfig(command: Command): Command;
  finish(code: number): void;
  /** Runs work that Ctrl-C may end. */
  untilStopped(work: (signal: AbortSignal) => Promise<void>): Promise<void>;
}

const START_TYPES: readonly StartType[] = ["auto", "delayed", "demand"];

/** Gives `service` its verbs. */
export function addService(service: Command, around: Around): void {
  const { configFile, finish, untilStopped, withConfig } = around;
  const sub = (name: string, description: string) =>
    service.command(name).description(description).exitOverride()
      .helpOption("-h, --help", "show this help");

  withConfig(sub("install", "register the service, or bring it up to date; starts nothing"))
    .option("--start <type>", "auto, delayed (the default) or demand", startType)
    .option("--account <name>", "the account it runs as (default: one of its own)")
    .option("--user-unit <file>", "write a unit for systemctl --user there instead; - prints it")
    .addOption(new Option("--program <file>", "the installed program").hideHelp())
    .action(
      async (
        options: Common & {
          start?: StartType;
          account?: string;
          userUnit?: string;
          program?: string;
        },
      ) => {
        const { start, account, userUnit, program } = options;
        finish(
          await installCommand(await configFile(options), { start, account, userUnit, program }),
        );
      },
    );

  sub("uninstall", "stop the service and remove it; all data stays")
    .action(() => untilStopped(async (signal) => finish(await uninstallCommand(signal))));

  sub("start", "start the service and wait until it runs").action(() =>
    untilStopped(async (signal) => finish(await startCommand(signal)))
  );

  sub("stop", "stop the service and wait until it has").action(() =>
    untilStopped(async (signal) => finish(await stopCommand(signal)))
  );

  sub("restart", "stop the service and start it again").action(() =>
    untilStopped(async (signal) => finish(await restartCommand(signal)))
  );

  sub("status", "show whether the service runs, how it starts and as whom")
    .option("--json", "as JSON")
    .addHelpText("after", "\nThe exit code is 0 where it runs.")
    .action(async (options: { json?: boolean }) => {
      finish(await stateCommand(options.json ?? false));
    });
}

function startType(text: string): StartType {
  const found = START_TYPES.find((each) => each === text);
  if (found === undefined) throw new InvalidArgumentError("auto, delayed or demand is wanted.");
  return found;
}
