/*
 * The forwarder as a process of its own, for tests of what only a process can show: signals, memory, sudden death.
 */

import { join } from "node:path";
import { startArguments } from "../cli/run_cli.ts";
import { Child } from "./child.ts";
import { TEST_SETTINGS } from "./forwarder.ts";

export interface DaemonSurroundings {
  /** Files and sockets it may have open (Linux). */
  readonly openFiles?: number;
  /** What the rights of the files it makes are cut by, as the shell writes it (not on Windows). */
  readonly umask?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export class DaemonProcess implements AsyncDisposable {
  readonly #child: Child;

  /** Starts `main.ts` without waiting for it, with a configuration written to `folder`. */
  constructor(folder: string, settings: Record<string, unknown>, around: DaemonSurroundings = {}) {
    const file = join(folder, "config.json");
    Deno.writeTextFileSync(file, JSON.stringify({ ...TEST_SETTINGS, ...settings }));
    const words = [Deno.execPath(), ...startArguments(), "--config", file];
    const { openFiles, umask, env = {} } = around;
    if (umask !== undefined) words.unshift("/bin/sh", "-c", `umask ${umask}; exec "$@"`, "sh");
    // The limiting program becomes the forwarder, under the same process id.
    if (openFiles !== undefined) words.unshift("prlimit", `--nofile=${openFiles}:${openFiles}`);
    this.#child = new Child(words[0]!, words.slice(1), { NO_COLOR: "1", ...env });
  }

  /** Starts one and waits until it listens. */
  static async start(
    folder: string,
    settings: Record<string, unknown>,
    around: DaemonSurroundings = {},
  ): Promise<DaemonProcess & { port: number }> {
    const daemon = new DaemonProcess(folder, settings, around);
    return Object.assign(daemon, { port: await daemon.listening() });
  }

  get pid(): number {
    return this.#child.pid;
  }

  get ended(): boolean {
    return this.#child.ended;
  }

  get said(): string {
    return this.#child.said;
  }

  /** The port it says it listens on. */
  async listening(withinMs?: number): Promise<number> {
    const found = await this.#child.says(/Forwarder started.*listening=\S*:(\d+)/, withinMs);
    return Number(found[1]);
  }

  says(pattern: RegExp, withinMs?: number): Promise<RegExpExecArray> {
    return this.#child.says(pattern, withinMs);
  }

  signal(signal: Deno.Signal): void {
    this.#child.signal(signal);
  }

  exit(): Promise<Deno.CommandStatus> {
    return this.#child.exit();
  }

  /** Peak resident memory so far, in bytes (Linux). */
  peakMemory(): number {
    return this.#memory("VmHWM");
  }

  /** Resident memory now, in bytes (Linux). */
  memory(): number {
    return this.#memory("VmRSS");
  }

  /** What its file descriptors refer to now, `socket:[1234]` or a path (Linux). */
  openFiles(): string[] {
    const folder = `/proc/${this.pid}/fd`;
    return [...Deno.readDirSync(folder)].flatMap(({ name }) => {
      try {
        return [Deno.readLinkSync(`${folder}/${name}`)];
      } catch {
        // Closed between the two looks.
        return [];
      }
    });
  }

  #memory(field: string): number {
    const status = Deno.readTextFileSync(`/proc/${this.pid}/status`);
    const kilobytes = new RegExp(`^${field}:\\s*(\\d+) kB$`, "m").exec(status)?.[1];
    if (kilobytes === undefined) throw new Error(`no ${field} in ${status}`);
    return Number(kilobytes) * 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.end();
  }
}
