/*
 * `doctor`: what is wrong, here and at the destinations, and what to change.
 *
 * Puts the examination and this system's service manager, firewall and port together, and prints what was found.
 */

import { type Config, ConfigError } from "../config/load.ts";
import { LEGEND } from "../doctor/contexts.ts";
import { type Examination, examine, type Section } from "../doctor/doctor.ts";
import { type Level, whatToChange, worst } from "../doctor/finding.ts";
import type { FirewallFacts, ServiceFacts, Surroundings } from "../doctor/receiving.ts";
import { escapeText } from "../log.ts";
import { DISPLAY_NAME, ServiceError } from "../service/definition.ts";
import { serviceManager } from "../service/manager.ts";
import { runTool } from "../service/tool.ts";
import { portState } from "../setup/port.ts";
import { spoolIsLocked } from "../spool/lock.ts";
import { ExitCode } from "./exit_code.ts";
import { printJson, printLine, warnLine } from "./terminal.ts";

export interface DoctorOptions {
  /** Undefined: this machine and all destinations. */
  readonly destination: string | undefined;
  readonly json: boolean;
  readonly sendTest: boolean;
}

/**
 * Runs `doctor`. The exit code is 1 where there is a problem, 2 where the configuration cannot be used or has no such
 * destination.
 *
 * @param load reads the configuration
 */
export async function doctorCommand(
  load: () => Promise<Config>,
  options: DoctorOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  let config: Config;
  try {
    config = await load();
  } catch (error) {
    if (error instanceof ConfigError && !options.json) {
      printLine(
        `${MARKS.problem}  configuration: it cannot be used, so that nothing else can be looked at`,
      );
      printLine();
    }
    throw error;
  }
  const only = config.destinations.find(({ name }) => name === options.destination);
  if (options.destination !== undefined && only === undefined) {
    const names = config.destinations.map(({ name }) => name).join(", ") || "none";
    const what = `The configuration has no destination ${options.destination}; it has ${names}`;
    if (options.json) printJson({ ok: false, error: what });
    else warnLine(`${what}.`);
    return ExitCode.Usage;
  }
  const examination: Examination = {
    around: surroundings(config),
    sendTest: options.sendTest,
    now: () => Date.now(),
    uuid: () => crypto.randomUUID(),
  };
  const sections = await examine(config, only, examination, signal, (section) => {
    if (!options.json) printSection(section);
  });
  const findings = sections.flatMap((section) => section.findings);
  const change = whatToChange(findings);
  const ok = worst(findings) !== "problem";
  if (options.json) {
    printJson({ ok, stopped: signal.aborted, sections: sections.map(forJson), change });
  } else printEnd(sections, change, signal.aborted);
  return ok ? ExitCode.Ok : ExitCode.Failed;
}

function forJson({ name, title, findings, facts }: Section) {
  const { matrix: _, ...rest } = facts;
  return {
    name,
    title,
    findings: findings.map(({ probe, level, text, change }) => ({
      probe,
      level,
      text,
      change: change?.text ?? null,
    })),
    ...rest,
  };
}

const MARKS: Readonly<Record<Level, string>> = {
  ok: "ok     ",
  unknown: "--     ",
  warning: "WARNING",
  problem: "PROBLEM",
};

function printSection({ title, findings, facts }: Section): void {
  printLine(title);
  for (const { level, probe, text } of findings) {
    printLine(`  ${MARKS[level]}  ${probe}: ${escapeText(text, 1024)}`);
  }
  if (facts.matrix !== undefined && facts.matrix.length > 0) {
    printLine();
    for (const line of facts.matrix) printLine(`    ${line}`.trimEnd());
  }
  printLine();
}

function printEnd(sections: readonly Section[], change: readonly string[], stopped: boolean): void {
  const hasMatrix = sections.some(({ facts }) => (facts.matrix ?? []).length > 0);
  if (hasMatrix) {
    for (const line of LEGEND) printLine(`    ${line}`);
    printLine();
  }
  if (stopped) printLine("Stopped before everything was looked at.");
  if (change.length === 0) {
    printLine(
      worst(sections.flatMap(({ findings }) => findings)) === "problem"
        ? "There are problems; see above."
        : "Nothing needs to be changed.",
    );
    return;
  }
  printLine("What to change");
  for (const [n, text] of change.entries()) printLine(`  ${n + 1}. ${escapeText(text, 1024)}`);
}

/** What only the system's own tools, or rooms beside the doctor's, can say. */
function surroundings(config: Config): Surroundings {
  const { localHost, localPort: port, spoolDir } = config;
  return {
    running() {
      try {
        return spoolIsLocked(spoolDir);
      } catch (error) {
        if (error instanceof Deno.errors.PermissionDenied) return "unknown";
        throw error;
      }
    },
    port: () => portState(localHost, port, { port, spoolDir }),
    service,
    firewall,
  };
}

async function service(): Promise<ServiceFacts | undefined> {
  try {
    const { state, config } = await serviceManager(Deno.execPath()).state();
    return { state, config };
  } catch (error) {
    if (error instanceof ServiceError) return undefined;
    throw error;
  }
}

async function firewall(): Promise<FirewallFacts> {
  if (Deno.build.os !== "windows") {
    const why =
      "what this machine's firewall lets in is not known: only root may see it (nft list ruleset)";
    return { kind: "unknown", why };
  }
  const rule = `name=${DISPLAY_NAME}`;
  const { code, text } = await runTool("netsh.exe", [
    "advfirewall",
    "firewall",
    "show",
    "rule",
    rule,
  ]);
  // netsh ends with 1 where there is no such rule; its words are those of the system's language.
  return code === 0 ? { kind: "rule", text } : { kind: "no-rule" };
}
