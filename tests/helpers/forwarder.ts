/*
 * The forwarder in the test's own process, on a spool of its own, with a look at how far it is.
 */

import { configFrom } from "../../src/config/load.ts";
import type { ReloadResult } from "../../src/control/views.ts";
import { type Daemon, type DaemonOptions, startDaemon } from "../../src/daemon.ts";
import { until } from "./until.ts";

/** What every forwarder of a test has, unless the test says otherwise. */
export const TEST_SETTINGS = {
  local_host: "127.0.0.1",
  local_port: 0,
  // Tests run on small disks, too.
  minimum_free_space: "64MB",
  // And wherever temporary files lie: nothing is kept there for long.
  allow_unsafe_spool_volume: true,
  // Many run at the same time, and few are looked at.
  web: { enabled: false },
} as const;

/** Settings of a DICOM destination on this machine. */
export function nodeAt(
  name: string,
  port: number,
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  return { type: "dicom", name, host: "127.0.0.1", port, ae_title: "STORESCP", ...more };
}

export class Forwarder implements AsyncDisposable {
  readonly #daemon: Daemon;
  readonly #folder: string;
  #stopped = false;

  private constructor(daemon: Daemon, folder: string) {
    this.#daemon = daemon;
    this.#folder = folder;
  }

  /** Starts one whose relative paths begin at `folder`. */
  static async start(
    folder: string,
    settings: Record<string, unknown>,
    options: DaemonOptions = {},
  ): Promise<Forwarder> {
    const config = configFrom({ ...TEST_SETTINGS, ...settings }, folder);
    const backOff = { firstMs: 200, mostMs: 1000 };
    return new Forwarder(await startDaemon(config, { backOff, ...options }), folder);
  }

  get daemon(): Daemon {
    return this.#daemon;
  }

  /** Goes on by other settings, all of them. */
  reload(settings: Record<string, unknown>): Promise<ReloadResult> {
    return this.#daemon.reload(configFrom({ ...TEST_SETTINGS, ...settings }, this.#folder), "test");
  }

  get port(): number {
    return this.#daemon.port;
  }

  /** Incoming associations that are open. */
  get associations(): number {
    return this.#daemon.snapshot().associations;
  }

  /** How one destination is. */
  destination(name: string) {
    const found = this.#daemon.snapshot().destinations.find((one) => one.name === name);
    if (found === undefined) throw new Error(`the forwarder has no destination ${name}`);
    return found;
  }

  /** Waits until so many instances have been delivered to a destination. */
  async delivered(name: string, count: number, withinMs = 60_000): Promise<void> {
    await until(
      () => this.destination(name).delivered >= count,
      withinMs,
      () => `${count} delivered to ${name}: ${JSON.stringify(this.destination(name))}`,
    );
  }

  /** Waits until a destination is not well for a reason. */
  async troubled(name: string, reason: RegExp, withinMs = 15_000): Promise<void> {
    await until(
      () => reason.test(JSON.stringify(this.destination(name).health)),
      withinMs,
      () => `${reason} of ${name}: ${JSON.stringify(this.destination(name).health)}`,
    );
  }

  /** Waits until so many instances have been given up for a destination. */
  async failed(name: string, count: number, withinMs = 30_000): Promise<void> {
    await until(
      () => this.destination(name).failed >= count,
      withinMs,
      () => `${count} failed at ${name}: ${JSON.stringify(this.destination(name))}`,
    );
  }

  /** What a person sees of the queue and does to it. */
  get queue(): Daemon["queue"] {
    return this.#daemon.queue;
  }

  /** Resolves when the ledger has been held against the spool. */
  get balanced(): Promise<void> {
    return this.#daemon.balanced;
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.#daemon.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
