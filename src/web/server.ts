/*
 * The status page and its API, beside the forwarder: receiving images never waits for it and never fails with it.
 *
 * Owns the listening: a port that cannot be had is told once and tried again every 30 s. Owns `control.json`, by which
 * commands of this machine find it.
 */

import type { Clock } from "../clock.ts";
import type { WebConfig } from "../config/load.ts";
import type { Control } from "../control/control.ts";
import { getLog } from "../log.ts";
import { LiveCredentials } from "../tls/credentials.ts";
import type { AccessObserver } from "./access.ts";
import { WebApp } from "./app.ts";
import { controlFilePath, removeControlFile, writeControlFile } from "./control_file.ts";
import { isLoopback } from "./guard.ts";
import { HttpListener, type ListenerLimits, USUAL_LIMITS } from "./listener.ts";
import { pageUrl } from "./page_url.ts";
import type { Secured } from "./secured.ts";
import { newToken } from "./sessions.ts";

const log = getLog("web");

/** Time between two tries to listen, ms. */
const AGAIN_MS = 30_000;
const HOUR_MS = 3_600_000;

export interface WebOptions {
  readonly settings: WebConfig;
  readonly control: Control;
  readonly clock: Clock;
  /** Where `control.json` goes; null = nowhere. */
  readonly spoolDir: string | null;
  readonly limits?: ListenerLimits;
  /** Told of logins. */
  readonly observer?: AccessObserver;
}

/** A status page that is served, or waits for its port. */
export interface WebServer {
  /** The port once it listens; undefined before. */
  readonly port: number | undefined;
  /** Resolves when it listens. */
  readonly listening: Promise<number>;
  /** Closes every connection and removes `control.json`. */
  stop(): Promise<void>;
  /** Of its TLS; undefined where it has none, or none that can be used yet. */
  readonly credentials: LiveCredentials | undefined;
}

/** Starts to serve, and returns at once. */
export function startWeb(options: WebOptions): WebServer {
  return new RunningWeb(options);
}

class RunningWeb implements WebServer {
  readonly #options: WebOptions;
  readonly #token = newToken();
  readonly #app: WebApp;
  readonly #listening = Promise.withResolvers<number>();
  #listener: HttpListener | undefined;
  #credentials: LiveCredentials | undefined;
  #trying: Promise<void>;
  #cancelAgain: (() => void) | undefined;
  #told = false;
  #stopped = false;
  port: number | undefined;

  constructor(options: WebOptions) {
    this.#options = options;
    const { settings, control, clock, observer } = options;
    this.#app = new WebApp({
      ...observer === undefined ? {} : { observer },
      control,
      clock,
      now: () => clock.now(),
      token: this.#token,
      port: () => this.port ?? settings.port,
      passwordHash: settings.passwordHash,
      secure: settings.tls !== null,
      sessionMs: settings.sessionHours * HOUR_MS,
      metricsPublic: settings.metricsPublic,
      reach: settings,
    });
    this.#trying = this.#forget().then(() => this.#try());
  }

  get credentials(): LiveCredentials | undefined {
    return this.#credentials;
  }

  get listening(): Promise<number> {
    return this.#listening.promise;
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#cancelAgain?.();
    await this.#trying;
    this.#app.stop();
    const { spoolDir } = this.#options;
    if (this.#listener !== undefined && spoolDir !== null) {
      try {
        await removeControlFile(controlFilePath(spoolDir));
      } catch (error) {
        log.warn("Cannot remove control.json; its token is worth nothing any more", { error });
      }
    }
    await this.#listener?.close();
  }

  /** What a crash left leads to whoever has the port by now. */
  async #forget(): Promise<void> {
    const { spoolDir } = this.#options;
    if (spoolDir === null) return;
    try {
      await removeControlFile(controlFilePath(spoolDir));
    } catch (error) {
      log.warn("Cannot remove the control.json of an earlier start", { error });
    }
  }

  async #try(): Promise<void> {
    const { host, port } = this.#options.settings;
    const failed = (error: unknown) => log.debug("The status page lost a connection", { error });
    const listener = new HttpListener(this.#app, failed, this.#options.limits ?? USUAL_LIMITS);
    try {
      this.#credentials ??= credentialsOf(this.#options.settings);
      this.port = await listener.listen(host, port, this.#secured());
    } catch (error) {
      this.#tryAgain(error);
      return;
    }
    this.#listener = listener;
    await this.#announce(this.port);
    this.#listening.resolve(this.port);
  }

  #secured(): Secured | undefined {
    const { tls } = this.#options.settings;
    if (tls === null || this.#credentials === undefined) return undefined;
    return { credentials: this.#credentials, minVersion: tls.minVersion };
  }

  #tryAgain(error: unknown): void {
    const { host, port } = this.#options.settings;
    if (!this.#told) {
      const reason = error instanceof Error ? error.message : String(error);
      log.warn("No status page at {host}, port {port}: {reason}. It is tried again every 30 s", {
        host,
        port,
        reason,
      });
      this.#told = true;
    }
    if (this.#stopped) return;
    this.#cancelAgain = this.#options.clock.after(AGAIN_MS, () => this.#trying = this.#try());
  }

  async #announce(port: number): Promise<void> {
    const { settings, spoolDir } = this.#options;
    const url = pageUrl(settings, port);
    if (spoolDir !== null) {
      try {
        await writeControlFile(spoolDir, { url, token: this.#token, pid: Deno.pid });
      } catch (error) {
        log.warn("Cannot write control.json: commands of this machine work on the spool alone", {
          error,
        });
      }
    }
    log.info("Status page at {url}", { url });
    if (!isLoopback(settings.host) && settings.tls === null) {
      log.warn(
        "The status page is reached from the network without TLS: password and patient data can be read on the way. " +
          "Set web.tls",
        { host: settings.host },
      );
    }
  }
}

/** @throws {TlsError} where the files cannot be used */
function credentialsOf({ tls }: WebConfig): LiveCredentials | undefined {
  return tls === null ? undefined : new LiveCredentials(tls);
}
