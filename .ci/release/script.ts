/*
 * What the scripts of a release share: running a program to its end, and ending with a sentence where something fails.
 */

import { fileURLToPath } from "node:url";
import { warnLine } from "../../src/cli/terminal.ts";

/** The repository's folder, with a separator at its end. */
export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Runs a program in the repository's folder, its output being this one's. Rejects where it cannot be started or ends with
 * another code than 0; it has said why itself.
 *
 * @param what completes "failed:", as in "Compiling for x failed: ..."
 */
export async function runProgram(words: readonly string[], what: string): Promise<void> {
  const [program, ...args] = words;
  if (program === undefined) throw new Error(`${what} failed: no program is named.`);
  let code: number;
  try {
    ({ code } = await new Deno.Command(program, { args, cwd: ROOT, stdin: "null" }).spawn().status);
  } catch (error) {
    throw new Error(`${what} failed: ${program} cannot be started (${sentence(error)}).`);
  }
  if (code !== 0) throw new Error(`${what} failed: ${program} ended with code ${code}.`);
}

/** Runs a script's main function; its error becomes one sentence and exit code 1. */
export async function runScript(main: () => void | Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    warnLine(sentence(error));
    Deno.exit(1);
  }
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
