/*
 * The status page of a running daemon: served, or not, by the settings that are in force.
 *
 * The server is loaded when it is first wanted, so that a forwarder without one needs no memory for it and none waits for it
 * at a start. Nothing of it can fail the daemon: what goes wrong is logged.
 */

import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../clock.ts";
import type { WebConfig } from "../config/load.ts";
import type { Control } from "../control/control.ts";
import { getLog } from "../log.ts";
import { type LiveCredentials, loadCredentials, TlsError } from "../tls/credentials.ts";
import type { AccessObserver } from "../web/access.ts";
import type { WebServer } from "../web/server.ts";
import { ListenError, listenOn } from "./listen.ts";

const log = getLog("daemon");

export interface StatusPageParts {
  readonly control: Control;
  readonly clock: Clock;
  readonly spoolDir: string;
  /** Told of logins. */
  readonly observer?: AccessObserver;
}

/**
 * Why a page cannot be served by other settings than those in force, which then stay so; null where nothing is known
 * against it. Whoever changes them from the page itself would else be left without one.
 */
export function pageRefusal(inForce: WebConfig, wanted: WebConfig): string | null {
  if (!wanted.enabled || isDeepStrictEqual(inForce, wanted)) return null;
  try {
    if (wanted.tls !== null) loadCredentials(wanted.tls);
    // On its own port the page in force would be in the way; where that is any (0), it may be the one that is wanted.
    if (![0, inForce.port].includes(wanted.port) && inForce.port !== 0) {
      listenOn(wanted.host, wanted.port, "web.port", "web.host").close();
    }
    return null;
  } catch (error) {
    if (error instanceof TlsError || error instanceof ListenError) {
      return `${error.message}. web stays as it was`;
    }
    throw error;
  }
}

export class StatusPage {
  readonly #parts: StatusPageParts;
  #settings = "";
  #server: WebServer | undefined;
  /** One change after the other. */
  #changing: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(parts: StatusPageParts) {
    this.#parts = parts;
  }

  /** Of its TLS; undefined where it is served without. */
  get credentials(): LiveCredentials | undefined {
    return this.#server?.credentials;
  }

  /** Resolves to the port once it listens; undefined where it is not to be served. */
  async port(): Promise<number | undefined> {
    await this.#changing;
    return await this.#server?.listening;
  }

  /** Goes on by these settings. Returns at once: the change may have been asked for through the page itself. */
  serve(settings: WebConfig): void {
    const wanted = JSON.stringify(settings);
    if (wanted === this.#settings || this.#stopped) return;
    this.#settings = wanted;
    this.#changing = this.#changing.then(() => this.#change(settings)).catch((error) => {
      log.error("The status page cannot be served", { error });
    });
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#changing;
    await this.#server?.stop();
    this.#server = undefined;
  }

  async #change(settings: WebConfig): Promise<void> {
    await this.#server?.stop();
    this.#server = undefined;
    if (!settings.enabled || this.#stopped) return;
    const { startWeb } = await import("../web/server.ts");
    this.#server = startWeb({ ...this.#parts, settings });
  }
}
