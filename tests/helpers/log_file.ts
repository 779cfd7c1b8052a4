/*
 * The log as a technician reads it: captured in a file while a test runs.
 */

import { closeLogging, configureLogging } from "../../src/log.ts";
import { filesIn } from "./scratch.ts";

/** Starts logging to files in `folder`; the returned function ends it and gives the lines. */
export async function captureLog(
  folder: string,
  json = false,
): Promise<() => Promise<string[]>> {
  await configureLogging({ dir: folder, level: "debug", retentionDays: 1, console: false, json });
  return async () => {
    await closeLogging();
    const text = filesIn(folder).map((path) => Deno.readTextFileSync(path)).join("");
    return text.split("\n").filter((line) => line !== "");
  };
}
