/*
 * The status page's server over real sockets, with a forwarder that is none behind it.
 */

import { systemClock } from "../../src/clock.ts";
import type { Clock } from "../../src/clock.ts";
import { configFrom, type WebConfig } from "../../src/config/load.ts";
import type { Control } from "../../src/control/control.ts";
import type { ListenerLimits } from "../../src/web/listener.ts";
import { startWeb, type WebServer } from "../../src/web/server.ts";

export interface HouseOptions {
  /** The `web` section as in config.json. */
  readonly web?: Record<string, unknown>;
  readonly limits?: ListenerLimits;
  readonly clock?: Clock;
  readonly spoolDir?: string;
}

/** The settings of a `web` section, on any free port unless it says otherwise. */
export function webSettings(web: Record<string, unknown> = {}): WebConfig {
  return configFrom({ pacs_host: "127.0.0.1", web: { port: 0, ...web } }, "/nowhere").web;
}

/** A served status page; dispose it to stop. */
export class WebHouse implements AsyncDisposable {
  readonly port: number;
  readonly #server: WebServer;

  private constructor(server: WebServer, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async start(control: Control, options: HouseOptions = {}): Promise<WebHouse> {
    const server = startWeb({
      settings: webSettings(options.web),
      control,
      clock: options.clock ?? systemClock,
      spoolDir: options.spoolDir ?? null,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
    return new WebHouse(server, await server.listening);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
