/*
 * The forwarder as a process of its own, for tests of what only a process can show: signals, memory, sudden death.
 */

import { join } from "node:path";
import { startArguments } from "../cli/run_cli.ts";
import { Child } from "./child.ts";
import { TEST_SETTINGS } from "./forwarder.ts";

export class DaemonProcess implements AsyncDisposable {
  readonly #child: Child;

  /** Starts `main.ts` without waiting for it, with a configuration written to `folder`. */
  constructor(
    folder: string,
    settings: Record<string, unknown>,
    env: Record<string, string> = {},
  ) {
    const file = join(folder, "config.json");
    Deno.writeTextFileSync(file, JSON.stringify({ ...TEST_SETTINGS, ...settings }));
    const args = [...startArguments(), "--config", file];
    this.#child = new Child(Deno.execPath(), args, { NO_COLOR: "1", ...env });
  }

  /** Starts one and waits until it listens. */
  static async start(
    folder: string,
    settings: Record<string, unknown>,
    env: Record<string, string> = {},
  ): Promise<DaemonProcess & { port: number }> {
    const daemon = new DaemonProcess(folder, settings, env);
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
  async listening(): Promise<number> {
    const found = await this.#child.says(/Forwarder started.*listening=\S*:(\d+)/);
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
    const status = Deno.readTextFileSync(`/proc/${this.pid}/status`);
    const kilobytes = /^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1];
    if (kilobytes === undefined) throw new Error(`no VmHWM in ${status}`);
    return Number(kilobytes) * 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.end();
  }
}
