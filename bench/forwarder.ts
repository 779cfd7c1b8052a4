/*
 * The forwarder under test, as it is started in earnest: a process of its own, with the command and the permissions of the
 * task `start`, its log on the disk, its console to nowhere.
 *
 * Looks at it from outside only: at its `health.json`, at its spool, and at what the system says of the process.
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ProcessFigures, ProcessTree } from "./process_tree.ts";
import { checkNothingAside, countQueued, emptied } from "./spool_watch.ts";
import { end, PATIENCE_MS, type Subject } from "./subject.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** Between two looks at whether it has started, in ms. */
const LOOK_MS = 2;

/** How long a full queue may take to be delivered, in ms. */
const DELIVERY_MS = 600_000;

export class Forwarder implements Subject {
  readonly aeTitle = "BENCH";
  readonly port: number;
  /** When it began to receive and deliver, in ms since 1970. */
  readonly readyMs: number;
  readonly #child: Deno.ChildProcess;
  readonly #tree: ProcessTree;
  readonly #spool: string;

  private constructor(child: Deno.ChildProcess, spool: string, port: number, readyMs: number) {
    this.#child = child;
    this.#tree = new ProcessTree(child.pid);
    this.#spool = spool;
    this.port = port;
    this.readyMs = readyMs;
  }

  /**
   * Starts one and waits until it receives and delivers. All settings but those that must differ are the defaults.
   *
   * @param home folder of its configuration, spool and log; what an earlier one left there is taken up
   * @param destinations ports of this machine
   * @param settings of each destination that are not the defaults
   */
  static async start(
    home: string,
    destinations: readonly number[],
    settings: { readonly associations?: number } = {},
  ): Promise<Forwarder> {
    const config = join(home, "config.json");
    await Deno.writeTextFile(
      config,
      JSON.stringify({
        local_ae_title: "BENCH",
        local_host: "127.0.0.1",
        local_port: 0,
        destinations: destinations.map((port, n) => ({
          name: `pacs-${n + 1}`,
          type: "dicom",
          host: "127.0.0.1",
          port,
          ae_title: "ANY",
          ...settings,
        })),
      }),
    );
    const child = new Deno.Command(Deno.execPath(), {
      args: [...await startArguments(), "--config", config],
      cwd: ROOT,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const spool = join(home, "spool");
    try {
      const { port, written } = await listening(child, join(spool, "health.json"));
      return new Forwarder(child, spool, port, Date.parse(written));
    } catch (error) {
      await end(child, "SIGKILL");
      throw error;
    }
  }

  figures(): ProcessFigures {
    return this.#tree.figures();
  }

  kept(): number {
    checkNothingAside(this.#spool);
    return countQueued(this.#spool);
  }

  async forwarded(): Promise<number> {
    const at = await emptied(this.#spool, DELIVERY_MS);
    checkNothingAside(this.#spool);
    return at;
  }

  async stop(): Promise<void> {
    this.#tree.stop();
    const code = await end(this.#child, "SIGTERM");
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
