/*
 * The Windows event log: why the service did not start, and its alarms, where administrators look first.
 *
 * Goes through eventcreate.exe. A failure to write there is returned as a sentence and never thrown: the same reason is in
 * the program's own log.
 */

import { SERVICE_NAME, ServiceError } from "./definition.ts";
import type { RunTool } from "./tool.ts";

/** The longest text that eventcreate is given; its command line ends at 8191 characters. */
const LONGEST = 4000;

/**
 * Writes an error.
 *
 * @param id 1 to 1000: the program's exit code
 * @returns null, or why it could not be written
 */
export function writeErrorEvent(run: RunTool, id: number, text: string): Promise<string | null> {
  return writeEvent(run, "ERROR", id, text);
}

/**
 * Writes an event.
 *
 * @param id 1 to 1000: exit codes, and from 101 on alarms
 * @returns null, or why it could not be written
 */
export async function writeEvent(
  run: RunTool,
  level: "ERROR" | "WARNING" | "INFORMATION",
  id: number,
  text: string,
): Promise<string | null> {
  try {
    const { code, text: answer } = await run("eventcreate.exe", [
      "/L",
      "APPLICATION",
      "/SO",
      SERVICE_NAME,
      "/T",
      level,
      "/ID",
      String(Math.min(1000, Math.max(1, id))),
      "/D",
      eventText(text),
    ]);
    return code === 0 ? null : `eventcreate ended with ${code}: ${answer}`;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return error.message;
  }
}

/** On one line, without the quotes that a command line gives a meaning. */
export function eventText(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " | ").replaceAll('"', "'").slice(0, LONGEST);
}
