/*
 * The forwarder under test, as it is started in earnest: a process of its own, with the command and the permissions of the
 * task `start`, its log on the disk, its console to nowhere.
 *
 * Looks at it from outside only: at its `health.json`, and at what the system says of the process.
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ProcessFigures, processFigures } from "./process_figures.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

export const AE_TITLE = "BENCH";

/** How long it may take to start, or to stop, in ms. */
const PATIENCE_MS = 60_000;

/** Between two looks at whether it has started, in ms. */
const LOOK_MS = 2;

export class Forwarder {
  /** The port it listens on. */
  readonly port: number;
  /** When it began to receive and deliver, in ms since 1970. */
  readonly readyMs: number;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, port: number, readyMs: number) {
    this.#child = child;
    this.port = port;
    this.readyMs = readyMs;
  }

  /**
   * Starts one and waits until it receives and delivers. All settings but those that must differ are the defaults.
   *
   * @param home folder of its configuration, spool and log; what an earlier one left there is taken up
   * @param pacsPort its only destination, on this machine
   * @param destination settings of that destination that are not the defaults
   */
  static async start(
    home: string,
    pacsPort: number,
    destination: { readonly associations?: number } = {},
  ): Promise<Forwarder> {
    const config = join(home, "config.json");
    await Deno.writeTextFile(
      config,
      JSON.stringify({
        local_ae_title: AE_TITLE,
        local_host: "127.0.0.1",
        local_port: 0,
        destinations: [{
          name: "pacs",
          type: "dicom",
          host: "127.0.0.1",
          port: pacsPort,
          ae_title: "PACS",
          ...destination,
        }],
      }),
    );
    const child = new Deno.Command(Deno.execPath(), {
      args: [...await startArguments(), "--config", config],
      cwd: ROOT,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      const { port, written } = await listening(child, join(home, "spool", "health.json"));
      return new Forwarder(child, port, Date.parse(written));
    } catch (error) {
      await end(child, "SIGKILL");
      throw error;
    }
  }

  figures(): ProcessFigures {
    return processFigures(this.#child.pid);
  }

  /** Stops it in order. */
  async stop(): Promise<void> {
    const { code } = await end(this.#child, "SIGTERM");
    if (code !== 0) throw new Error(`The forwarder ended with ${code}, wanted 0`);
  }
}

/** What `deno` is called with by the task `start`. */
async function startArguments(): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  const [program, ...args] = String(tasks.start).split(/\s+/);
  if (program !== "deno" || args.at(-1) !== "main.ts") {
    throw new Error(
      `Cannot start as the task start does, it is not "deno ... main.ts": ${tasks.start}`,
    );
  }
  return args;
}

/** It writes `health.json` when it has begun to deliver; an earlier one's has another pid. */
async function listening(
  child: Deno.ChildProcess,
  path: string,
): Promise<{ port: number; written: string }> {
  let ended: number | undefined;
  void child.status.then(({ code }) => ended = code);
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline;) {
    if (ended !== undefined) {
      throw new Error(`The forwarder ended with ${ended} when it was started; see logs/ beside it`);
    }
    const health = readHealth(path);
    if (health?.pid === child.pid) return health;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new Error(`The forwarder has not written ${path} within ${PATIENCE_MS / 1000} s`);
}

function readHealth(path: string): { pid: number; port: number; written: string } | undefined {
  try {
    return JSON.parse(Deno.readTextFileSync(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function end(child: Deno.ChildProcess, signal: Deno.Signal): Promise<Deno.CommandStatus> {
  const kill = (how: Deno.Signal) => {
    try {
      child.kill(how);
    } catch {
      // It has ended by itself; its status tells how.
    }
  };
  const timer = setTimeout(() => kill("SIGKILL"), PATIENCE_MS);
  kill(signal);
  try {
    return await child.status;
  } finally {
    clearTimeout(timer);
  }
}
