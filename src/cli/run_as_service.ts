/*
 * `--as-service`: the daemon as the system's service manager runs it.
 *
 * Nobody sees its terminal. So the reason why it cannot start goes wherever somebody may look: the log file, even where
 * the configuration that names it cannot be read; stderr, which the service manager keeps; on Windows the event log.
 */

import { dirname, join, resolve } from "node:path";
import { type Config, ConfigError } from "../config/load.ts";
import { closeLogging, configureLogging, getLog } from "../log.ts";
import { writeErrorEvent } from "../service/event_log.ts";
import { runTool } from "../service/tool.ts";
import { watchWrapper } from "../service/wrapper_watch.ts";
import { systemClock } from "../clock.ts";
import { ExitCode } from "./exit_code.ts";
import { runCommand } from "./run.ts";
import { warnLine } from "./terminal.ts";

const log = getLog("service");

const ON_WINDOWS = Deno.build.os === "windows";

/**
 * Runs the daemon. Resolves when it has stopped, or could not start.
 *
 * @param file of the configuration
 * @param load reads it
 */
export async function runAsService(
  file: string,
  load: () => Promise<Config>,
): Promise<ExitCode> {
  let config: Config;
  try {
    config = await load();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return await cannotLoad(file, error);
  }
  return await runCommand(config, {
    // systemd keeps what is written to stderr, in order and with its limits; nssm in a file that nobody cleans up.
    console: !ON_WINDOWS,
    cannotStart: (code, reason) => tell(code, reason),
    started: (stop) => ON_WINDOWS ? watchWindows(stop) : () => {},
  });
}

async function cannotLoad(file: string, error: ConfigError): Promise<ExitCode> {
  const reason = `Cannot start: ${error.message}`;
  try {
    const dir = await probableLogDir(file);
    await configureLogging({ dir, level: "info", retentionDays: 36_500, console: false });
    log.error("{reason}", { reason });
    await tell(ExitCode.Usage, reason);
  } finally {
    await closeLogging();
  }
  return ExitCode.Usage;
}

/** What a configuration with faults says all the same of where the log is; else the usual place beside it. */
async function probableLogDir(file: string): Promise<string> {
  const folder = dirname(resolve(file));
  try {
    const content: unknown = JSON.parse((await Deno.readTextFile(file)).replace(/^\ufeff/, ""));
    const told = (content as { readonly log_dir?: unknown } | null)?.log_dir;
    if (typeof told === "string" && told !== "") return resolve(folder, told);
  } catch {
    // Why it cannot be read is what is being told.
  }
  return join(folder, "logs");
}

async function tell(code: ExitCode, reason: string): Promise<void> {
  warnLine(`${new Date().toISOString()} ${reason}`);
  if (!ON_WINDOWS) return;
  const trouble = await writeErrorEvent(runTool, code, reason);
  if (trouble !== null) {
    log.warn("Nothing written to the Windows event log: {trouble}", { trouble });
  }
}

function watchWindows(stop: (reason: string) => void): () => void {
  return watchWrapper({
    run: runTool,
    after: (ms, callback) => systemClock.after(ms, callback),
    gone: () => stop("the service that ran this program is gone"),
    trouble: (error) =>
      log.warn("Cannot ask whether the service that runs this program is still there", { error }),
  });
}
