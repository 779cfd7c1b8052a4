/*
 * `status`: how the forwarder is, in one look: running or not, what waits where and since when, what needs a person.
 *
 * Asks the running forwarder where it can be asked, and reads the spool otherwise, daemon running or not.
 */

import type { Config } from "../config/load.ts";
import { realFileSystem } from "../spool/file_system.ts";
import { ExitCode } from "./exit_code.ts";
import { askForwarder, type FindForwarder, readSpool, type Status } from "./status_facts.ts";
import { type Look, statusScreen } from "./status_screen.ts";
import { printJson, printLine } from "./terminal.ts";

/** Runs `status`. The exit code is 1 where the forwarder does not run. */
export async function statusCommand(
  config: Config,
  json: boolean,
  find: FindForwarder,
  signal: AbortSignal,
): Promise<ExitCode> {
  const forwarder = await find(config.spoolDir, signal);
  const status = await gatherStatus(config, forwarder);
  if (json) printJson(status);
  else for (const line of statusScreen(status, config, lookOfOutput())) printLine(line);
  return status.running ? ExitCode.Ok : ExitCode.Failed;
}

/** The status, from the forwarder where it can be asked and answers. */
export async function gatherStatus(
  config: Config,
  forwarder: Awaited<ReturnType<FindForwarder>>,
): Promise<Status> {
  if (forwarder !== undefined) {
    try {
      return await askForwarder(forwarder, config, realFileSystem);
    } catch (error) {
      // It is stopping, perhaps: the spool tells as much as there is to know. By its name, for only the client's own error
      // says that there was no answer.
      if (!(error instanceof Error) || error.name !== "ClientError") throw error;
    }
  }
  return await readSpool(config, realFileSystem, Date.now());
}

/** How the standard output is. */
export function lookOfOutput(): Look {
  if (!Deno.stdout.isTerminal()) return { width: Infinity, colour: false };
  return { width: terminalSize().columns, colour: mayHaveColours() };
}

/** In columns and rows; a usual one where the system does not say. */
export function terminalSize(): { readonly columns: number; readonly rows: number } {
  try {
    const { columns, rows } = Deno.consoleSize();
    if (columns > 0 && rows > 0) return { columns, rows };
  } catch {
    // Not every terminal tells.
  }
  return { columns: 80, rows: 24 };
}

/** NO_COLOR (no-color.org) with any value but an empty one, and terminals that obey nothing. */
function mayHaveColours(): boolean {
  return (Deno.env.get("NO_COLOR") ?? "") === "" && Deno.env.get("TERM") !== "dumb";
}
