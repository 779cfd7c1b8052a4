/*
 * The status page's server over real sockets, with a forwarder that is none behind it.
 */

import { systemClock } from "../../src/clock.ts";
import type { Clock } from "../../src/clock.ts";
import { configFrom, type WebConfig } from "../../src/config/load.ts";
import type { Control } from "../../src/control/control.ts";
import type { ListenerLimits } from "../../src/web/listener.ts";
import { startWeb, type WebServer } from "../../src/web/server.ts";
import { Authority, writeMade } from "../helpers/certificates.ts";
import { Scratch } from "../helpers/scratch.ts";
import type { Place } from "./raw_http.ts";

export interface HouseOptions {
  /** The `web` section as in config.json. */
  readonly web?: Record<string, unknown>;
  readonly limits?: ListenerLimits;
  readonly clock?: Clock;
  readonly spoolDir?: string;
  /** Whether it is served with TLS, by a certificate that `place` trusts. */
  readonly tls?: boolean;
}

/** The settings of a `web` section, on any free port unless it says otherwise. */
export function webSettings(web: Record<string, unknown> = {}): WebConfig {
  return configFrom({ pacs_host: "127.0.0.1", web: { port: 0, ...web } }, "/nowhere").web;
}

/** A served status page; dispose it to stop. */
export class WebHouse implements AsyncDisposable {
  readonly port: number;
  readonly #server: WebServer;
  readonly #ca: string | undefined;
  readonly #files: Scratch | undefined;

  private constructor(server: WebServer, port: number, ca?: string, files?: Scratch) {
    this.#server = server;
    this.port = port;
    this.#ca = ca;
    this.#files = files;
  }

  static async start(control: Control, options: HouseOptions = {}): Promise<WebHouse> {
    const files = options.tls === true ? await Scratch.make() : undefined;
    const issuer = await Authority.make();
    const tls = files === undefined
      ? {}
      : { tls: writeMade(files.path, "page", await issuer.issue("server", ["127.0.0.1"])) };
    const server = startWeb({
      settings: webSettings({ ...tls, ...options.web }),
      control,
      clock: options.clock ?? systemClock,
      spoolDir: options.spoolDir ?? null,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
    const ca = files === undefined ? undefined : issuer.made.certificate;
    return new WebHouse(server, await server.listening, ca, files);
  }

  /** Where it is. */
  get place(): Place {
    return this.#ca === undefined ? this.port : { port: this.port, ca: this.#ca };
  }

  get url(): string {
    return `http${this.#ca === undefined ? "" : "s"}://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#files?.[Symbol.asyncDispose]();
  }
}
