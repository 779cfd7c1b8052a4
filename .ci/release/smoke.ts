/*
 * `smoke.ts PROGRAM`: whether a compiled program starts at all. It has to know its version, to listen, to answer an echo
 * that another of its own processes sends, and to stop.
 */

import { join, resolve } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { printLine } from "../../src/cli/terminal.ts";
import { runScript } from "./script.ts";

/** How long the program may take to listen, in ms: a first start on a machine with a virus scanner is slow. */
const PATIENCE_MS = 60_000;

const TITLE = "SMOKETEST";

/** Rejects unless the program prints the version in deno.json. */
async function checkVersion(program: string): Promise<void> {
  const { code, stdout } = await new Deno.Command(program, { args: ["--version"] }).output();
  const said = new TextDecoder().decode(stdout).trim();
  if (code !== 0 || said.split(" ")[0] !== manifest.version) {
    throw new Error(`${program} --version printed "${said}"; "${manifest.version}" is wanted.`);
  }
  printLine(`version ${said}`);
}

/** Starts the program, and resolves with what stops it and the port that it says it listens on. */
async function start(program: string, folder: string) {
  const config = join(folder, "config.json");
  await Deno.writeTextFile(
    config,
    JSON.stringify({
      local_ae_title: TITLE,
      local_host: "127.0.0.1",
      local_port: 0,
      pacs_host: "127.0.0.1",
      pacs_port: 11112,
      pacs_ae_title: TITLE,
    }),
  );
  const child = new Deno.Command(program, { args: ["--config", config], stderr: "piped" }).spawn();
  const stop = async () => {
    // Windows has no such signal: there the process just ends, and the service's stop is tried with the installer.
    child.kill("SIGTERM");
    return await child.status;
  };
  const listening = Promise.withResolvers<number>();
  const read = async () => {
    let said = "";
    // To the end: nobody listening, the program would wait.
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      said += text;
      const port = /Forwarder started.*listening=\S*:(\d+)/.exec(said)?.[1];
      if (port !== undefined) listening.resolve(Number(port));
    }
    listening.reject(new Error(`${program} ended, or took too long to listen. It said: ${said}`));
  };
  void read();
  const late = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  try {
    return { port: await listening.promise, stop };
  } finally {
    clearTimeout(late);
  }
}

/** Rejects unless a forwarder on this machine answers the program's echo. */
export async function echo(program: string, port: number, title: string): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "forwarder-echo-" });
  try {
    const config = join(folder, "config.json");
    const settings = { pacs_host: "127.0.0.1", pacs_port: port, pacs_ae_title: title };
    await Deno.writeTextFile(config, JSON.stringify({ local_ae_title: TITLE, ...settings }));
    const args = ["echo", "--config", config];
    const { code } = await new Deno.Command(program, { args }).spawn().status;
    if (code !== 0) throw new Error(`The echo to port ${port} failed with exit code ${code}.`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function main([named]: string[]): Promise<void> {
  if (named === undefined) throw new Error("Which program? smoke.ts PROGRAM");
  const program = resolve(named);
  await checkVersion(program);
  const folder = await Deno.makeTempDir({ prefix: "forwarder-smoke-" });
  try {
    const { port, stop } = await start(program, folder);
    const answered = echo(program, port, TITLE);
    await Promise.allSettled([answered]);
    const { code } = await stop();
    await answered;
    printLine(`stopped with code ${code}`);
    if (code !== 0 && Deno.build.os !== "windows") {
      throw new Error(`It did not stop in order: exit code ${code}.`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) await runScript(() => main(Deno.args));
