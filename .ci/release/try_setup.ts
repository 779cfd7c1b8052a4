/*
 * `try_setup.ts SETUP.EXE`: installs silently, waits for the service, sends it an echo, stops it, and removes it all again.
 *
 * For a Windows machine that may be changed: it installs for every user and touches the service of that name. The first
 * thing that is not as it should be ends it with a sentence; Setup's logs are in the folder --log.
 */

import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { printLine } from "../../src/cli/terminal.ts";
import { runProgram, runScript } from "./script.ts";
import { echo } from "./smoke.ts";

/** How long the service and the uninstaller's second half may take, in ms, and the time between two looks at them. */
const PATIENCE_MS = 60_000;
const LOOK_MS = 500;

const QUIET = ["/VERYSILENT", "/SUPPRESSMSGBOXES", "/NORESTART"];

/** What `sc.exe` prints, or undefined where it knows no such service. */
async function sc(verb: string, service: string): Promise<string | undefined> {
  const { code, stdout } = await new Deno.Command("sc.exe", { args: [verb, service] }).output();
  return code === 0 ? new TextDecoder().decode(stdout) : undefined;
}

/** The state that `sc query` prints, `RUNNING`; undefined for no such service. */
export function serviceState(printed: string | undefined): string | undefined {
  return /STATE\s*:\s*\d+\s+([A-Z_]+)/.exec(printed ?? "")?.[1];
}

/** The folder of the program in `BINARY_PATH_NAME`, which may stand in quotes and have arguments. */
export function serviceFolder(printed: string): string | undefined {
  const program = /BINARY_PATH_NAME\s*:\s*"?(.+?\.exe)\b/i.exec(printed)?.[1];
  return program?.slice(0, program.lastIndexOf("\\"));
}

/** Resolves when `look` answers with what is wanted; rejects with what it answers instead, once patience is over. */
async function waitFor<T>(what: string, wanted: T, look: () => Promise<T>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found === wanted) return printLine(`${what}: ${wanted}`);
    if (Date.now() > deadline) {
      throw new Error(`${what} is ${found} after ${PATIENCE_MS} ms; ${wanted} is wanted.`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      log: { type: "string", default: "dist/setup-logs" },
      service: { type: "string", default: "DicomForwarder" },
      port: { type: "string", default: "11112" },
      aet: { type: "string", default: "DICOMFORWARDER" },
    },
  });
  const [named] = positionals;
  if (named === undefined) throw new Error("Which installer? try_setup.ts SETUP.EXE");
  const setup = resolve(named);
  const { service, port, aet } = values;
  const logs = resolve(values.log);
  await Deno.mkdir(logs, { recursive: true });
  const state = async () => serviceState(await sc("query", service));

  // Setup takes no settings without a PACS; nothing has to listen there.
  const settings = [`/PORT=${port}`, `/AET=${aet}`, "/PACSHOST=127.0.0.1"];
  const answers = [`/LOG=${join(logs, "install.log")}`, ...settings];
  await runProgram([setup, ...QUIET, ...answers], "Installing");
  await waitFor(`service ${service}`, "RUNNING", state);
  const folder = serviceFolder(await sc("qc", service) ?? "");
  if (folder === undefined) throw new Error(`sc qc ${service} names no program.`);
  await echo(join(folder, "dicomforwarder.exe"), Number(port), aet);

  await runProgram(["sc.exe", "stop", service], "Stopping the service");
  await waitFor(`service ${service}`, "STOPPED", state);

  const uninstaller = join(folder, "unins000.exe");
  await runProgram([uninstaller, ...QUIET, `/LOG=${join(logs, "uninstall.log")}`], "Uninstalling");
  // The uninstaller's copy of itself goes on after it has ended.
  await waitFor(`service ${service}`, undefined, state);
  const program = join(folder, "dicomforwarder.exe");
  await waitFor(`${program} there`, false, () => exists(program));
}

if (import.meta.main) await runScript(() => main(Deno.args));
