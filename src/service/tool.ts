/*
 * The system's own tools, run by name: arguments in, exit code and text out.
 *
 * Owns the decoding of what they print. Only tools that the program's permissions name can be run at all.
 */

import { ServiceError } from "./definition.ts";

/** What a tool answered. */
export interface ToolResult {
  readonly code: number;
  /** stdout and stderr together. */
  readonly text: string;
}

/** Runs a tool and waits for it. Throws ServiceError where there is none of that name. */
export type RunTool = (tool: string, args: readonly string[]) => Promise<ToolResult>;

/** The real tools. */
export const runTool: RunTool = async (tool, args) => {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(tool, {
      args: [...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) {
      throw new ServiceError(`${tool} cannot be run here: it is needed to control the service`, {
        cause: error,
      });
    }
    throw error;
  }
  return { code: output.code, text: decoded(output.stdout) + decoded(output.stderr) };
};

/** Words of a system may come in its old code page; what is no UTF-8 becomes a replacement character. */
function decoded(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replaceAll("\r\n", "\n").trim();
}
