/*
 * The forwarder under test with what a measure of scale asks of it: what it holds now and at most, when its balance is
 * struck, and the commands a person would run beside it.
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Forwarder } from "../forwarder.ts";
import type { ProcessFigures } from "../process_figures.ts";
import { Modality } from "./ends.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** How long a balance of the ledger may take, in ms. */
const BALANCE_MS = 120_000;
/** Between two looks at a file or a process, in ms. */
const LOOK_MS = 10;

export interface Started {
  readonly forwarder: WatchedForwarder;
  /** From the start of the process to the answer to a C-ECHO. */
  readonly listeningMs: number;
}

export class WatchedForwarder {
  readonly #forwarder: Forwarder;
  readonly #home: string;

  private constructor(forwarder: Forwarder, home: string) {
    this.#forwarder = forwarder;
    this.#home = home;
  }

  /** Starts one on `home`, and associates with it as soon as it can be done. */
  static async start(home: string, pacsPort: number): Promise<Started> {
    const began = performance.now();
    const forwarder = await Forwarder.start(home, pacsPort);
    const modality = await Modality.associate(forwarder.port);
    await modality.echo();
    const listeningMs = performance.now() - began;
    await modality.release();
    return { forwarder: new WatchedForwarder(forwarder, home), listeningMs };
  }

  get port(): number {
    return this.#forwarder.port;
  }

  figures(): ProcessFigures {
    return this.#forwarder.figures();
  }

  /** What it does in a while, by itself. */
  async cpuDuring(ms: number): Promise<number> {
    const before = this.figures().cpuS;
    await pause(ms);
    return this.figures().cpuS - before;
  }

  /**
   * Waits until the ledger is held against the spool.
   *
   * @returns pairs missing
   */
  async balanced(): Promise<number> {
    const path = join(this.#home, "spool", "health.json");
    for (const deadline = Date.now() + BALANCE_MS; Date.now() < deadline; await pause(LOOK_MS)) {
      try {
        const { missing } = JSON.parse(Deno.readTextFileSync(path));
        if (typeof missing === "number") return missing;
      } catch (error) {
        // It is being written anew.
        if (!(error instanceof SyntaxError || error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    throw new Error(`No balance in ${path} after ${BALANCE_MS / 1000} s`);
  }

  /** Stops it in order; how long that takes, in ms. */
  async stop(): Promise<number> {
    const began = performance.now();
    await this.#forwarder.stop();
    return performance.now() - began;
  }
}

/** What a command took. */
export interface CommandFigures {
  readonly wallMs: number;
  /** The most seen, in bytes. */
  readonly peakRssBytes: number;
}

/** Runs the program with a verb, on the configuration in `home`. */
export async function runCommand(home: string, ...verb: string[]): Promise<CommandFigures> {
  const began = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--frozen", "--quiet", "main.ts", ...verb].concat(
      ...["--config", join(home, "config.json")],
    ),
    cwd: ROOT,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  let peakKb = 0;
  const timer = setInterval(() => {
    try {
      const status = Deno.readTextFileSync(`/proc/${child.pid}/status`);
      peakKb = Math.max(peakKb, Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }, LOOK_MS);
  try {
    const { code } = await child.status;
    if (code > 1) throw new Error(`${verb.join(" ")} ended with ${code}`);
  } finally {
    clearInterval(timer);
  }
  return { wallMs: performance.now() - began, peakRssBytes: peakKb * 1024 };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
