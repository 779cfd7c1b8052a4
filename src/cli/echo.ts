/*
 * `echo`: tests a connection step by step (TCP, association, C-ECHO) and says in plain words where it ends.
 */

import type { Config, DicomDestinationConfig } from "../config/load.ts";
import { type ConnectionTest, testConnection } from "../dimse/try_connection.ts";
import { ExitCode } from "./exit_code.ts";
import { printJson, printLine } from "./terminal.ts";

/**
 * Runs `echo` for one destination of the configuration, or all of them.
 *
 * @param name the destination; undefined for all
 */
export async function echoCommand(
  config: Config,
  name: string | undefined,
  json: boolean,
  signal: AbortSignal,
): Promise<ExitCode> {
  const nodes = config.destinations.filter((one): one is DicomDestinationConfig =>
    one.type === "dicom" && (name === undefined || one.name === name)
  );
  if (nodes.length === 0) {
    const known = config.destinations.filter((one) => one.type === "dicom").map((one) => one.name);
    const what = name === undefined
      ? "The configuration has no DICOM destination to test"
      : `The configuration has no DICOM destination ${name}; it has ${known.join(", ") || "none"}`;
    if (json) printJson({ ok: false, error: what });
    else printLine(`${what}.`);
    return ExitCode.Usage;
  }
  const results: ConnectionTest[] = [];
  for (const node of nodes) {
    // "*" stands for the sender's title; a test has no sender but us.
    const calling = node.callingAeTitle === "*" ? config.localAeTitle : node.callingAeTitle;
    const result = await testConnection(
      node.name,
      { ...node, callingAeTitle: calling },
      node.timeouts,
      signal,
    );
    results.push(result);
    if (!json) printResult(result);
  }
  if (json) printJson(results);
  return results.every((result) => result.ok) ? ExitCode.Ok : ExitCode.Failed;
}

/** Prints one result for a person. */
function printResult(result: ConnectionTest): void {
  printLine(`${result.destination}:`);
  for (const step of result.steps) {
    printLine(`  ${step.ok ? "ok    " : "FAILED"}  ${step.step}: ${step.text} (${step.ms} ms)`);
  }
  if (result.advice !== undefined) printLine(`          ${result.advice}`);
}
