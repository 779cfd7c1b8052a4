/*
 * `alarm-test`: sends a test through every channel that alarms are sent by, whether a forwarder runs or not.
 */

import { testChannels } from "../alarms/alarms.ts";
import { systemClock } from "../clock.ts";
import type { Config } from "../config/load.ts";
import { escapeText } from "../log.ts";
import { writeEvent } from "../service/event_log.ts";
import { runTool } from "../service/tool.ts";
import { ExitCode } from "./exit_code.ts";
import { printJson, printLine } from "./terminal.ts";
import { VERSION } from "./version.ts";

/** Runs `alarm-test`. The exit code is 1 where a channel did not take the test. */
export async function alarmTestCommand(
  config: Config,
  json: boolean,
  signal: AbortSignal,
): Promise<ExitCode> {
  const toEventLog = Deno.build.os === "windows"
    ? (level: "ERROR" | "WARNING" | "INFORMATION", id: number, text: string) =>
      writeEvent(runTool, level, id, text)
    : undefined;
  const { alarms, localAeTitle } = config;
  const result = await testChannels(alarms, localAeTitle, VERSION, systemClock, signal, toEventLog);
  if (json) printJson(result);
  else for (const line of result.lines) printLine(escapeText(line, 1024));
  return result.ok ? ExitCode.Ok : ExitCode.Failed;
}
