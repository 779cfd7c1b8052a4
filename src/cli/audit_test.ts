/*
 * `audit-test`: sends one message to the audit server, whether a forwarder runs or not.
 */

import { testAudit } from "../audit/test.ts";
import type { Config } from "../config/load.ts";
import { escapeText } from "../log.ts";
import { ExitCode } from "./exit_code.ts";
import { printJson, printLine } from "./terminal.ts";

/** Runs `audit-test`. The exit code is 1 where the server did not take the message. */
export async function auditTestCommand(
  config: Config,
  json: boolean,
  signal: AbortSignal,
): Promise<ExitCode> {
  const result = await testAudit(config.audit, config.localAeTitle, Date.now(), signal);
  if (json) printJson(result);
  else for (const line of result.lines) printLine(escapeText(line, 1024));
  return result.ok ? ExitCode.Ok : ExitCode.Failed;
}
