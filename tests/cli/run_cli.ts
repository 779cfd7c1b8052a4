/*
 * Runs the program as a person does: in a process of its own, under the permissions of the `start` task.
 */

import { fileURLToPath } from "node:url";
import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** What `deno task start` runs, without the task. */
export function startArguments(): string[] {
  const words = manifest.tasks.start.split(" ").slice(1);
  return words.map((word) => word === "main.ts" ? join(ROOT, "main.ts") : word);
}

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program to its end. */
export async function runCli(args: readonly string[], cwd: string): Promise<CliResult> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...startArguments(), ...args],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** A folder of its own for a test, with a configuration; removed afterwards. */
export async function inFolder(
  config: Record<string, unknown> | undefined,
  test: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "forwarder-cli-" });
  try {
    if (config !== undefined) {
      await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(config));
    }
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
