/*
 * `service`: the forwarder as a service of the system, from a prompt.
 *
 * Puts the configuration, the installed program and the system's service manager together, and says in words what came
 * of it. The installer on Windows uses the same verbs.
 */

import { join, resolve } from "node:path";
import { type Config, ConfigError, loadConfig } from "../config/load.ts";
import {
  ServiceError,
  type ServiceManager,
  type ServiceSettings,
  type ServiceState,
  type StartType,
} from "../service/definition.ts";
import { serviceManager } from "../service/manager.ts";
import { serviceSettings, usualSettings } from "../service/settings.ts";
import { systemdUnit } from "../service/systemd_unit.ts";
import { spoolIsLocked } from "../spool/lock.ts";
import { ExitCode } from "./exit_code.ts";
import { printJson, printLine, warnLine } from "./terminal.ts";

export interface InstallOptions {
  readonly start: StartType | undefined;
  readonly account: string | undefined;
  /** Write a unit for the user's own systemd here instead; "-" is stdout. */
  readonly userUnit: string | undefined;
  /** The installed program, where it is not this one. */
  readonly program: string | undefined;
}

/** The end of the wrapper's log that is looked at for a reason, in bytes. */
const TAIL_BYTES = 8192;

/**
 * Runs one of the verbs and tells what is wrong in a sentence.
 *
 * @param verb does it, with the manager of this system
 */
export async function serviceCommand(
  program: string | undefined,
  verb: (manager: ServiceManager) => Promise<ExitCode>,
): Promise<ExitCode> {
  try {
    return await verb(serviceManager(program ?? Deno.execPath()));
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    // Some reasons end with their own full stop.
    warnLine(error.message.replace(/\.?$/, "."));
    return ExitCode.Failed;
  }
}

/** `service install`. */
export async function installCommand(file: string, options: InstallOptions): Promise<ExitCode> {
  const path = resolve(file);
  const { start, account, userUnit } = options;
  if (options.program === undefined && !Deno.build.standalone) {
    warnLine(
      "Only the compiled program can be a service (deno task compile makes it): it is run from its own file.",
    );
    return ExitCode.Failed;
  }
  const program = resolve(options.program ?? Deno.execPath());
  const { settings, fault } = await settingsOf(path);
  const definition = { program, config: path, settings, start, account };
  if (userUnit !== undefined) {
    const unit = systemdUnit(definition, { forUser: true });
    if (userUnit === "-") printLine(unit.trimEnd());
    else {
      await Deno.writeTextFile(userUnit, unit);
      printLine(`Wrote ${userUnit}. Start it with`);
      printLine("    systemctl --user daemon-reload");
      printLine("    systemctl --user enable --now dicomforwarder");
    }
    return ExitCode.Ok;
  }
  return await serviceCommand(program, async (manager) => {
    const { done, notes } = await manager.install(definition);
    for (const step of done) printLine(`ok  ${step}`);
    for (const note of notes) printLine(`--  ${note}`);
    printLine(`The ${manager.kind} is installed, with the configuration ${path}.`);
    if (fault !== null) {
      printLine("It will not run before its configuration is in order (say setup):");
      printLine(fault);
    }
    return ExitCode.Ok;
  });
}

/** `service uninstall`. */
export function uninstallCommand(signal: AbortSignal): Promise<ExitCode> {
  return serviceCommand(undefined, async (manager) => {
    const removed = await manager.uninstall(signal);
    printLine(
      removed
        ? `The ${manager.kind} is removed. Configuration, spool, logs and archive are still there.`
        : `There is no ${manager.kind} to remove.`,
    );
    return ExitCode.Ok;
  });
}

/** `service start`, and the second half of `restart`. */
export function startCommand(signal: AbortSignal): Promise<ExitCode> {
  return serviceCommand(undefined, async (manager) => {
    const { config } = await manager.state();
    const settings = config === undefined ? null : (await settingsOf(config)).settings;
    const before = await logLength(settings);
    try {
      await manager.start(signal);
    } catch (error) {
      const reason = await reasonSince(settings, before);
      if (!(error instanceof ServiceError) || reason === "") throw error;
      throw new ServiceError(`${error.message}. ${reason}`, { cause: error });
    }
    printLine("The service is running.");
    return ExitCode.Ok;
  });
}

/** `service stop`. */
export function stopCommand(signal: AbortSignal): Promise<ExitCode> {
  return serviceCommand(undefined, async (manager) => {
    await manager.stop(signal);
    printLine("The service has stopped. What waits in the spool goes on its way when it starts.");
    return ExitCode.Ok;
  });
}

/** `service restart`. */
export async function restartCommand(signal: AbortSignal): Promise<ExitCode> {
  const stopped = await stopCommand(signal);
  return stopped === ExitCode.Ok ? await startCommand(signal) : stopped;
}

/** `service status`. Exit code 1 where it does not run. */
export function stateCommand(json: boolean): Promise<ExitCode> {
  return serviceCommand(undefined, async (manager) => {
    const state = await manager.state();
    const listening = state.config === undefined ? null : await listens(state.config);
    if (json) printJson({ ...state, listening });
    else printState(manager.kind, state, listening);
    return state.state === "running" ? ExitCode.Ok : ExitCode.Failed;
  });
}

function printState(kind: string, state: ServiceState, listening: Listening): void {
  if (state.state === "absent") {
    printLine(`There is no ${kind}: say service install.`);
    return;
  }
  const ended = state.state === "stopped" && state.exitCode !== undefined && state.exitCode !== 0
    ? `, ended with exit code ${state.exitCode}: ${MEANING[state.exitCode] ?? "see its log"}`
    : "";
  printLine(`Service    ${state.state}${ended}`);
  printLine(`Starts     ${state.startType || "unknown"}`);
  printLine(`Account    ${state.account || "root"}`);
  printLine(`Settings   ${state.config ?? "unknown"}`);
  printLine(`Listening  ${listeningWords(listening)}`);
}

const MEANING: Readonly<Record<number, string>> = {
  [ExitCode.Usage]: "the configuration is wrong (say check)",
  [ExitCode.PortInUse]: "the port cannot be had",
  [ExitCode.Spool]: "the spool cannot be used",
};

/** The port; null where it listens on none; "unknown" where this user may not look. */
type Listening = number | null | "unknown";

function listeningWords(listening: Listening): string {
  if (listening === null) return "no";
  return listening === "unknown"
    ? "unknown: this user may not look (an administrator may)"
    : `yes, port ${listening}`;
}

/** Whether the forwarder of a configuration listens. */
export async function listens(file: string): Promise<Listening> {
  try {
    const config: Config = await loadConfig(file, { secretsMayShow: true });
    return spoolIsLocked(config.spoolDir) ? config.localPort : null;
  } catch (error) {
    // Settings and spool are the service's own and closed to others.
    const cause = error instanceof ConfigError ? error.cause : error;
    if (cause instanceof Deno.errors.PermissionDenied) return "unknown";
    if (error instanceof ConfigError) return null;
    throw error;
  }
}

async function settingsOf(
  file: string,
): Promise<{ settings: ServiceSettings; fault: string | null }> {
  try {
    return {
      settings: serviceSettings(await loadConfig(file, { secretsMayShow: true })),
      fault: null,
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { settings: usualSettings(resolve(file)), fault: error.message };
  }
}

function wrapperLog({ logDir }: ServiceSettings): string {
  return join(logDir, "service.log");
}

async function logLength(settings: ServiceSettings | null): Promise<number> {
  if (settings === null) return 0;
  try {
    return (await Deno.stat(wrapperLog(settings))).size;
  } catch {
    return 0;
  }
}

/** What the program said before it ended, as its wrapper kept it; empty where there is nothing to be had. */
async function reasonSince(settings: ServiceSettings | null, before: number): Promise<string> {
  if (settings === null) return "";
  try {
    const bytes = await Deno.readFile(wrapperLog(settings));
    const text = new TextDecoder().decode(
      bytes.subarray(bytes.length >= before ? Math.max(before, bytes.length - TAIL_BYTES) : 0),
    );
    return text.slice(Math.max(0, text.lastIndexOf("Cannot start"))).trim();
  } catch {
    return "";
  }
}
