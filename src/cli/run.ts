/*
 * The default verb: runs the daemon until it is told to stop.
 *
 * Owns the process's signals. SIGINT and SIGTERM (Ctrl-C and Ctrl-Break on Windows) stop it in order; a second one ends
 * it at once, which loses nothing: what is not yet on the disk has not been answered. On Windows both reach a service, too:
 * its wrapper passes a stop on as Ctrl-C. SIGHUP (not on Windows) has the configuration file read again, unless it says that
 * the terminal is gone: then nobody could stop what went on without one, so that it is a stop.
 */

import type { Config } from "../config/load.ts";
import { type Daemon, ListenError, startDaemon, TlsError } from "../daemon.ts";
import { closeLogging, configureLogging, getLog } from "../log.ts";
import { SpoolError } from "../spool/version.ts";
import { ExitCode } from "./exit_code.ts";
import { warnLine } from "./terminal.ts";
import { VERSION } from "./version.ts";

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

/**
 * Calls back for each signal that asks to read the configuration again, or for one that says that the terminal is gone, until
 * the returned function is called.
 */
function onHangUp(reload: () => void, terminalGone: () => void): () => void {
  if (Deno.build.os === "windows") return () => {};
  const hadTerminal = Deno.stdin.isTerminal();
  const handler = () => hadTerminal && !Deno.stdin.isTerminal() ? terminalGone() : reload();
  Deno.addSignalListener("SIGHUP", handler);
  return () => Deno.removeSignalListener("SIGHUP", handler);
}

/** What the system's service manager has to do with a run. */
export interface RunOptions {
  /** The log on stderr, too. */
  readonly console: boolean;
  /** Told why the daemon cannot start, after the log has been. */
  readonly cannotStart?: (code: ExitCode, reason: string) => Promise<void>;
  /** Told that the daemon runs, and how to stop it for a reason; what it returns is called when it stops. */
  readonly started?: (stop: (reason: string) => void) => () => void;
  /** Starts the daemon; another one in tests. */
  readonly start?: (config: Config) => Promise<Daemon>;
}

/** Runs the daemon. Resolves when it has stopped, or could not start. */
export async function runCommand(
  config: Config,
  options: RunOptions = { console: true },
): Promise<ExitCode> {
  await configureLogging({
    dir: config.logDir,
    level: config.logLevel,
    retentionDays: config.logRetentionDays,
    console: options.console,
  });
  const { promise: stopped, resolve: stop } = Promise.withResolvers<string>();
  let signals = 0;
  const stopListening = onStopSignal((signal) => {
    if (++signals > 1) Deno.exit(ExitCode.Failed);
    stop(signal);
  });
  let running: Daemon | undefined;
  let reloadAfterStart = false;
  const reload = () => void running?.reloadFile("SIGHUP");
  const stopReloading = onHangUp(() => {
    reloadAfterStart = running === undefined;
    reload();
  }, () => stop("SIGHUP, for its terminal is gone"));
  try {
    const start = options.start ??
      ((config) => startDaemon(config, { version: VERSION, page: true }));
    const starting = start(config);
    const early = await Promise.race([starting.then(() => undefined, () => undefined), stopped]);
    if (early !== undefined) {
      // A spool with much in it takes minutes to look through. Nothing has been answered yet, so that ending here loses
      // nothing: the next start finds what this one did, as after a crash.
      log.info("Stop requested by {signal} during the start", { signal: early });
      return ExitCode.Ok;
    }
    let daemon: Daemon;
    try {
      daemon = await starting;
    } catch (error) {
      return await cannotStart(error, options);
    }
    running = daemon;
    if (reloadAfterStart) reload();
    const ended = options.started?.(stop);
    log.info("Stop requested by {signal}", { signal: await stopped });
    ended?.();
    await daemon.stop();
    return ExitCode.Ok;
  } finally {
    stopListening();
    stopReloading();
    await closeLogging();
  }
}

async function cannotStart(error: unknown, options: RunOptions): Promise<ExitCode> {
  const known = error instanceof ListenError || error instanceof SpoolError ||
    error instanceof TlsError;
  const message = error instanceof Error ? error.message : String(error);
  if (known) log.error("Cannot start: {reason}", { reason: message });
  else {
    log.error("Cannot start", { error });
    if (error instanceof Error && error.stack !== undefined) warnLine(error.stack);
  }
  const code = error instanceof ListenError
    ? ExitCode.PortInUse
    : error instanceof SpoolError
    ? ExitCode.Spool
    : error instanceof TlsError
    ? ExitCode.Usage
    : ExitCode.Failed;
  await options.cannotStart?.(code, `Cannot start: ${message}`);
  return code;
}
