/*
 * The default verb: runs the daemon until it is told to stop.
 *
 * Owns the process's signals. SIGINT and SIGTERM (Ctrl-C and Ctrl-Break on Windows) stop it in order; a second one ends
 * it at once, which loses nothing: what is not yet on the disk has not been answered.
 */

import type { Config } from "../config/load.ts";
import { type Daemon, ListenError, startDaemon } from "../daemon.ts";
import { closeLogging, configureLogging, getLog } from "../log.ts";
import { SpoolError } from "../spool/version.ts";
import { ExitCode } from "./exit_code.ts";
import { warnLine } from "./terminal.ts";

const log = getLog("daemon");

const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM"];

/** Calls back for each stop signal until the returned function is called. */
export function onStopSignal(callback: (signal: Deno.Signal) => void): () => void {
  const handlers = SIGNALS.map((signal) => ({ signal, handler: () => callback(signal) }));
  for (const { signal, handler } of handlers) Deno.addSignalListener(signal, handler);
  return () => {
    for (const { signal, handler } of handlers) Deno.removeSignalListener(signal, handler);
  };
}

/** Resolves with the first stop signal; a second one ends the process. */
function stopSignal(): Promise<Deno.Signal> {
  const { promise, resolve } = Promise.withResolvers<Deno.Signal>();
  let signals = 0;
  onStopSignal((signal) => {
    if (++signals > 1) Deno.exit(ExitCode.Failed);
    resolve(signal);
  });
  return promise;
}

/** Runs the daemon. Resolves when it has stopped, or could not start. */
export async function runCommand(config: Config): Promise<ExitCode> {
  await configureLogging({
    dir: config.logDir,
    level: config.logLevel,
    retentionDays: config.logRetentionDays,
    console: true,
  });
  try {
    const stop = stopSignal();
    let daemon: Daemon;
    try {
      daemon = await startDaemon(config);
    } catch (error) {
      return cannotStart(error);
    }
    log.info("Stop requested by {signal}", { signal: await stop });
    await daemon.stop();
    return ExitCode.Ok;
  } finally {
    await closeLogging();
  }
}

function cannotStart(error: unknown): ExitCode {
  if (error instanceof ListenError || error instanceof SpoolError) {
    log.error("Cannot start: {reason}", { reason: error.message });
    return error instanceof ListenError ? ExitCode.PortInUse : ExitCode.Spool;
  }
  log.error("Cannot start", { error });
  if (error instanceof Error && error.stack !== undefined) warnLine(error.stack);
  return ExitCode.Failed;
}
