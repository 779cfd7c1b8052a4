/*
 * The forwarder under test, started as in earnest (a process of its own, with the command and the permissions of the task
 * `start`), with what a measure of scale asks of it: what it holds at most, what it has used, when its balance is struck,
 * and the commands that a person runs beside it.
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AE_TITLE, Modality } from "./ends.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** How long a start, a balance of the ledger or a stop may take, in ms. */
const PATIENCE_MS = 120_000;
/** Between two looks at a file or a process, in ms. */
const LOOK_MS = 5;

/** /proc tells times in these, whatever the kernel counts in (proc_pid_stat(5), USER_HZ). */
const TICKS_PER_SECOND = 100;

/** What a process has used since it began. */
export interface ProcessFigures {
  /** User and system time of all its threads, in seconds, to a hundredth. */
  readonly cpuS: number;
  /** The most memory it has held at once, in bytes. */
  readonly peakRssBytes: number;
}

/** What the forwarder tells of itself in `health.json`. */
interface Health {
  readonly pid: number;
  readonly port: number;
  readonly missing: number | null;
}

export class WatchedForwarder {
  readonly #child: Deno.ChildProcess;
  readonly #home: string;
  #ended: number | undefined;
  /** From the start of the process to the answer to a C-ECHO. */
  readonly listeningMs: number;
  port = 0;

  private constructor(child: Deno.ChildProcess, home: string) {
    this.#child = child;
    this.#home = home;
    this.listeningMs = 0;
    void child.status.then(({ code }) => this.#ended = code);
  }

  /**
   * Starts one on what is in `home`, and associates with it as soon as it can be done.
   *
   * @param pacsPort of its only destination, `pacs`
   * @param more settings
   */
  static async start(
    home: string,
    pacsPort: number,
    more: Record<string, unknown> = {},
  ): Promise<WatchedForwarder> {
    const config = join(home, "config.json");
    await Deno.writeTextFile(
      config,
      JSON.stringify({
        local_ae_title: AE_TITLE,
        local_host: "127.0.0.1",
        local_port: 0,
        max_associations: 100,
        max_associations_per_host: 100,
        pacs_host: "127.0.0.1",
        pacs_port: pacsPort,
        ...more,
      }),
    );
    const began = performance.now();
    const child = new Deno.Command(Deno.execPath(), {
      args: [...startArguments(), "--config", config],
      cwd: ROOT,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const forwarder = new WatchedForwarder(child, home);
    try {
      const { port } = await forwarder.#health("it is ready", () => true);
      forwarder.port = port;
      const modality = await Modality.associate(port);
      await modality.echo();
      Object.assign(forwarder, { listeningMs: performance.now() - began });
      await modality.release();
      return forwarder;
    } catch (error) {
      await forwarder.stop().catch(() => {});
      throw error;
    }
  }

  figures(): ProcessFigures {
    return figuresOf(this.#child.pid);
  }

  /** Seconds of CPU that it uses in a while, by itself. */
  async cpuDuring(ms: number): Promise<number> {
    const before = this.figures().cpuS;
    await pause(ms);
    return this.figures().cpuS - before;
  }

  /**
   * Waits until the ledger is held against the spool.
   *
   * @throws where anything is missing
   */
  async balanced(): Promise<void> {
    const { missing } = await this.#health("its balance is struck", (one) => one.missing !== null);
    if (missing !== 0) throw new Error(`${missing} instances are missing, wanted none`);
  }

  async #health(what: string, wanted: (health: Health) => boolean): Promise<Health> {
    const path = join(this.#home, "spool", "health.json");
    for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await pause(LOOK_MS)) {
      if (this.#ended !== undefined) {
        throw new Error(`The forwarder ended with ${this.#ended}; see logs/ beside ${path}`);
      }
      const health = readHealth(path);
      // An earlier one's has another pid.
      if (health?.pid === this.#child.pid && wanted(health)) return health;
    }
    throw new Error(`${path} does not say within ${PATIENCE_MS / 1000} s that ${what}`);
  }

  /** Stops it in order; how long that takes, in ms. */
  async stop(): Promise<number> {
    const began = performance.now();
    const timer = setTimeout(() => this.#signal("SIGKILL"), PATIENCE_MS);
    this.#signal("SIGTERM");
    const { code } = await this.#child.status;
    clearTimeout(timer);
    if (code !== 0) throw new Error(`The forwarder ended with ${code}, wanted 0`);
    return performance.now() - began;
  }

  #signal(signal: Deno.Signal): void {
    if (this.#ended === undefined) this.#child.kill(signal);
  }
}

/** What a command took. */
export interface CommandFigures {
  readonly wallMs: number;
  /** The most seen, in bytes. */
  readonly peakRssBytes: number;
}

/**
 * Runs the program with a verb, on the configuration in `home`.
 *
 * @throws where it does not end well
 */
export async function runCommand(home: string, ...verb: string[]): Promise<CommandFigures> {
  const began = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [...startArguments(), ...verb, "--config", join(home, "config.json")],
    cwd: ROOT,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  let peakRssBytes = 0;
  const timer = setInterval(() => {
    try {
      peakRssBytes = figuresOf(child.pid).peakRssBytes;
    } catch {
      // It has ended: what was seen last counts.
    }
  }, LOOK_MS);
  try {
    const { code } = await child.status;
    if (code !== 0) throw new Error(`${verb.join(" ")} ended with ${code}, wanted 0`);
  } finally {
    clearInterval(timer);
  }
  return { wallMs: performance.now() - began, peakRssBytes };
}

/** What `deno` is called with by the task `start`. */
function startArguments(): string[] {
  const { tasks } = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
  const [program, ...args] = String(tasks.start).split(/\s+/);
  if (program !== "deno" || args.at(-1) !== "main.ts") {
    throw new Error(`The task start is "${tasks.start}", wanted "deno ... main.ts"`);
  }
  return args;
}

function readHealth(path: string): Health | undefined {
  try {
    return JSON.parse(Deno.readTextFileSync(path));
  } catch (error) {
    // Not there yet, or being written anew.
    if (error instanceof SyntaxError || error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** @throws where the process has ended */
function figuresOf(pid: number): ProcessFigures {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The second field is a name in parentheses that may contain anything; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1];
  if (peak === undefined) throw new Error(`Process ${pid} has ended`);
  return {
    cpuS: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    peakRssBytes: Number(peak) * 1024,
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
