/*
 * `setup`: the wizard, or the same by flags.
 *
 * The wizard and what it draws with are loaded only here and only when asked for: the forwarder starts without them.
 */

import { type Command, Option } from "commander";
import { resolve } from "node:path";
import { decideColours } from "../setup/colours.ts";
import type { SetupFlags } from "../setup/flags.ts";
import { setUpByFlags } from "../setup/scripted.ts";
import { SettingsFileError } from "../setup/settings_file.ts";
import { configFileToMake, existingConfigFile } from "./config_file.ts";
import { echoCommand } from "./echo.ts";
import { serviceControl } from "./service_control.ts";
import { ExitCode } from "./exit_code.ts";
import { printLine, warnLine } from "./terminal.ts";

/** The options of `setup` as commander hands them over. */
export interface SetupOptions extends SetupFlags {
  readonly config?: string;
  readonly defaults?: boolean;
  readonly test?: boolean;
}

/** Gives a command the options of `setup`. */
export function withSetupOptions(command: Command): Command {
  return command
    .option("--defaults", "ask nothing: take the file, or the defaults, and the options below")
    .option("--aet <title>", "our AE title")
    .option("--port <port>", "port we listen on")
    .option("--pacs-host <host>", "host name or IP address of the PACS; empty for none")
    .option("--pacs-port <port>", "its port")
    .option("--pacs-aet <title>", "its AE title")
    .option("--store-locally", "keep a copy of everything")
    .option("--no-store-locally", "keep none")
    .option("--storage-dir <folder>", "folder of the copies")
    .option("--spool-dir <folder>", "folder of what is still to be delivered")
    .option("--log-dir <folder>", "folder of the logs")
    .addOption(
      new Option("--forward-when-quiet <seconds>", "send a study when nothing new comes")
        .conflicts("forwardImmediately"),
    )
    .option("--forward-immediately", "send each image as it comes")
    .option("--retry-attempts <count>", "tries for an image that is refused")
    .option("--test", "with --defaults: test the connection after saving")
    .addHelpText(
      "after",
      "\nWithout --defaults it asks, beginning with what the options and the file say.\n" +
        "Relative folders begin at the folder of the settings file.",
    );
}

/** Runs `setup`. */
export async function setupCommand(
  options: SetupOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const path = resolve(options.config ?? await existingConfigFile() ?? await configFileToMake());
  try {
    if (options.defaults === true) return await byFlags(path, options, signal);
    if (!Deno.stdin.isTerminal() || !Deno.stdout.isTerminal()) {
      warnLine(
        "setup asks questions and needs a terminal for them: say --defaults to set up by options alone (setup --help).",
      );
      return ExitCode.Usage;
    }
    decideColours(!Deno.noColor);
    const { runWizard } = await import("../setup/wizard.ts");
    const service = serviceControl(path);
    const end = await runWizard({
      path,
      flags: options,
      signal,
      ...(service === undefined ? {} : { service }),
    });
    return end === "cancelled" || end === "failed" ? ExitCode.Failed : ExitCode.Ok;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) {
      warnLine(`setup was started without a permission that it needs: ${error.message}.`);
    } else if (error instanceof SettingsFileError) warnLine(error.message);
    else throw error;
    return ExitCode.Failed;
  }
}

async function byFlags(
  path: string,
  options: SetupOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const end = await setUpByFlags(path, options);
  if (end.kind === "wrong") {
    for (const line of end.lines) warnLine(line);
    return ExitCode.Usage;
  }
  for (const line of end.lines) printLine(line);
  for (const warning of end.warnings) warnLine(warning);
  if (options.test !== true) return ExitCode.Ok;
  if (!end.config.destinations.some(({ type }) => type === "dicom")) {
    printLine("There is no PACS to test.");
    return ExitCode.Ok;
  }
  return await echoCommand(end.config, undefined, false, signal);
}
