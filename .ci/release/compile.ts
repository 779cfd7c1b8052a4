/*
 * `deno task compile`: one executable that needs nothing else, for this machine or for the targets asked for.
 *
 * It only puts the compiler's command line together and runs it. The compiler fetches the runtime of a target on its first
 * use; a target whose runtime cannot be had, or whose code does not compile, fails the task and leaves the others' files.
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { printLine } from "../../src/cli/terminal.ts";
import { permissionFlags } from "./permissions.ts";
import { ROOT, runProgram, runScript } from "./script.ts";
import { executableName, releaseName, type Target, targetNamed, TARGETS } from "./targets.ts";

/** Modules that the program loads by their address only, which the compiler does not see. */
const WORKERS = ["src/transcode/worker.ts"];

/** Folders of files that the program reads beside its own modules: the status pages. */
const FILES = ["src/web/assets"];

const USAGE = `Usage: deno task compile [--target TARGET]... [--all] [--out FOLDER]

Without a target it builds for this machine, to dist/dicomforwarder (dicomforwarder.exe on Windows).
With --target or --all the files are named after their target, dist/dicomforwarder-linux-x64.
Targets: ${TARGETS.map((target) => target.triple).join("\n         ")}`;

/** The compiler's words for one target. Paths are relative to the repository, but for `output`. */
export function compileArguments(target: Target, output: string): string[] {
  return [
    "compile",
    "--frozen",
    ...permissionFlags(target.system),
    // The packages of the build and the tests, an installer's compiler among them, are in the lock file too.
    "--exclude-unused-npm",
    ...[...WORKERS, ...FILES].flatMap((path) => ["--include", path]),
    ...(target.system === "windows" ? ["--icon", ".ci/release/dicomforwarder.ico"] : []),
    "--target",
    target.triple,
    "--output",
    output,
    "main.ts",
  ];
}

/** Builds the program for one target. Rejects where the compiler fails. */
export async function compile(target: Target, output: string): Promise<void> {
  await runProgram(
    [Deno.execPath(), ...compileArguments(target, output)],
    `Compiling for ${target.triple}`,
  );
  const { size } = await Deno.stat(output);
  printLine(`${target.triple}: ${output} (${Math.round(size / 1e6)} MB)`);
}

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      target: { type: "string", multiple: true, default: [] },
      all: { type: "boolean", default: false },
      out: { type: "string", default: join(ROOT, "dist") },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return printLine(USAGE);
  const asked = values.all ? TARGETS : values.target.map(targetNamed);
  await Deno.mkdir(values.out, { recursive: true });
  const folder = await Deno.realPath(values.out);
  for (const target of asked) await compile(target, join(folder, releaseName(target)));
  if (asked.length === 0) {
    const here = targetNamed(Deno.build.target);
    await compile(here, join(folder, executableName(here)));
  }
}

if (import.meta.main) await runScript(() => main(Deno.args));
