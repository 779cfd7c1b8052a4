/*
 * Another configuration for a running forwarder.
 *
 * Owns that a change is whole: it is checked before anything is touched, and then put in force in one step, so that no
 * instance meets half of the one and half of the other. Associations go on. What takes longer (the last attempts at a
 * destination that is gone, moving what waits for it, bringing back what waited for one that is new) goes on beside the work.
 * A configuration with faults changes nothing and is told of until one without is there.
 */

import { isDeepStrictEqual } from "node:util";
import { type Config, ConfigError, loadConfig } from "../config/load.ts";
import type { ReloadResult } from "../control/views.ts";
import type { Destination } from "../delivery/outcome.ts";
import type { Scheduler } from "../delivery/scheduler.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { adjustLogging, getLog } from "../log.ts";
import type { Receiver } from "../receiver/receiver.ts";
import type { StoreService } from "../receiver/store.ts";
import type { Spool } from "../spool/spool.ts";
import type { InForce } from "./in_force.ts";
import type { IntoQueue } from "./into_queue.ts";
import { ListenError, listenOn } from "./listen.ts";
import type { Ports } from "./ports.ts";
import { planReload, type ReloadPlan } from "./plan_reload.ts";
import { pageRefusal } from "./status_page.ts";

const log = getLog("daemon");

/** Who wants it where the file was saved. */
const WATCH = "watch_config";

/** How soon a port that was given up and is wanted back is tried again, in ms. */
const AGAIN_MS = 500;

const STOPPING: ReloadResult = { ok: false, lines: ["The forwarder is stopping"] };

/** What is changed. */
export interface ReloaderParts {
  readonly inForce: InForce;
  readonly spool: Spool;
  readonly ledger: Ledger;
  readonly scheduler: Scheduler;
  readonly receiver: Receiver;
  readonly ports: Ports;
  readonly service: StoreService;
  readonly intoQueue: IntoQueue;
  readonly destinationOf: (settings: Config["destinations"][number], config: Config) => Destination;
  /** Told of a configuration that has come into force. */
  readonly changed: (config: Config) => void;
  /** Told of every attempt: who wanted it, what differs or is wrong, and whether all of it is in force. */
  readonly told?: (by: string, lines: readonly string[], ok: boolean) => void;
  /** Told of destinations that are gone. */
  readonly gone: (names: readonly string[]) => void;
}

export class Reloader {
  readonly #parts: ReloaderParts;
  /** The port listened on. */
  port: number;
  #trouble: string | null = null;
  /** Why the file was refused when it was read last; null where it was not. */
  #refusal: string | null = null;
  /** What stands in the file and nobody has asked for yet, in words. */
  #unapplied: string | null = null;
  #isStopped = false;
  /** One after the other, so that the last one asked for is the last one in force. */
  #turn: Promise<unknown> = Promise.resolve();
  /** What goes on beside the work. */
  readonly #later = new Set<Promise<void>>();

  constructor(parts: ReloaderParts, port: number) {
    this.#parts = parts;
    this.port = port;
  }

  /** In words, what of the configuration that was asked for last is not in force; null where all of it is. */
  get trouble(): string | null {
    return this.#trouble ?? this.#unapplied;
  }

  /** Applies nothing more. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Resolves when what was begun is over. */
  async over(): Promise<void> {
    await this.#turn;
    while (this.#later.size > 0) await Promise.all(this.#later);
  }

  /**
   * The file has changed, or is looked at for the first time: it is applied where that is wanted, else only told of.
   *
   * @returns false where it is to be read again: it was to be applied and is refused
   */
  async fileChanged(): Promise<boolean> {
    const { inForce, changed } = this.#parts;
    if (!inForce.config.watchConfig) {
      this.#unapplied = await this.#compare();
      changed(inForce.config);
      return true;
    }
    await this.fromFile(WATCH);
    return this.#refusal === null;
  }

  async #compare(): Promise<string | null> {
    const { file } = this.#parts.inForce.config;
    if (file === null) return null;
    try {
      const { lines, atNextStart } = planReload(this.#parts.inForce.config, await loadConfig(file));
      if (this.#refusal !== null) this.#trouble = this.#refusal = null;
      return lines.length > atNextStart.length
        ? `The configuration file has been changed and is not in force. ${lines.join(". ")}`
        : null;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return `The configuration file has faults, and the one before is in force. ${error.message}`;
    }
  }

  /**
   * Reads the configuration file again, and applies it.
   *
   * @param by who wants it, in words
   */
  fromFile(by: string): Promise<ReloadResult> {
    return this.#inTurn(() => this.#fromFile(by));
  }

  /** Applies a configuration. `ok` is false where a part of it could not be had; the rest is in force all the same. */
  apply(wanted: Config, by: string): Promise<ReloadResult> {
    return this.#inTurn(() => this.#apply(wanted, by));
  }

  #inTurn(task: () => Promise<ReloadResult>): Promise<ReloadResult> {
    const result = this.#turn.then(task);
    this.#turn = result.catch(() => {});
    return result;
  }

  async #fromFile(by: string): Promise<ReloadResult> {
    const { file } = this.#parts.inForce.config;
    if (file === null) {
      return { ok: false, lines: ["The configuration did not come from a file"] };
    }
    try {
      return await this.#apply(await loadConfig(file), by);
    } catch (error) {
      if (!(error instanceof ConfigError)) {
        log.error("The configuration cannot be applied by an error of this program", { error, by });
        return { ok: false, lines: [`An error of this program: ${error}`] };
      }
      // What is read again every two seconds is told of once.
      const isNew = this.#refusal !== error.message;
      this.#refusal = error.message;
      const lines = error.message.split("\n").map((line) => line.trim());
      if (!isNew && by === WATCH) return { ok: false, lines };
      this.#parts.told?.(by, lines, false);
      this.#trouble =
        `The configuration file is refused, and the one before stays in force. ${error.message}`;
      log.error("CONFIGURATION REFUSED, the one before stays in force: {reason}", {
        reason: error.message,
        by,
      });
      this.#parts.changed(this.#parts.inForce.config);
      return { ok: false, lines };
    }
  }

  async #apply(wanted: Config, by: string): Promise<ReloadResult> {
    const { inForce, spool, ledger, scheduler, receiver, service, destinationOf } = this.#parts;
    if (this.#isStopped) return STOPPING;
    const plan = planReload(inForce.config, wanted);
    const destinations = plan.destinations.map(({ settings, change }) =>
      change === "kept" ? settings.name : destinationOf(settings, plan.config)
    );
    const elsewhere = await this.#listenElsewhere(plan);
    const { localHost, localPort, tls, web, timeouts, logLevel, logRetentionDays } = inForce.config;
    const tlsRefusal = isDeepStrictEqual(tls, plan.config.tls)
      ? null
      : await this.#parts.ports.change(plan.config.tls, receiver);
    const webRefusal = pageRefusal(web, plan.config.web);
    if (this.#isStopped) return STOPPING;
    const config = {
      ...plan.config,
      ...elsewhere === null ? {} : { localHost, localPort },
      ...tlsRefusal === null ? {} : { tls },
      ...webRefusal === null ? {} : { web },
    };
    const refusals = [elsewhere, tlsRefusal, webRefusal].filter((one) => one !== null);
    const refusal = refusals.length === 0 ? null : refusals.join(". ");

    // From here to the next empty line all is one step.
    inForce.put(config);
    service.configure(config);
    receiver.configure(config);
    spool.keepFree(config.minimumFreeSpace);
    ledger.retentionDays = config.ledgerRetentionDays;
    const { forwardImmediately, studyQuietMs } = config;
    const gone = scheduler.configure({
      destinations,
      forwardImmediately,
      studyQuietMs,
      within: timeouts.stopMs,
    });

    this.#follow(plan, gone);
    if (config.logLevel !== logLevel || config.logRetentionDays !== logRetentionDays) {
      adjustLogging({ level: config.logLevel, retentionDays: config.logRetentionDays });
    }
    this.#trouble = troubleOf(plan, refusal);
    this.#refusal = this.#unapplied = null;
    this.#parts.changed(config);
    const lines = [...plan.lines, ...refusal === null ? [] : [refusal]];
    this.#tell(lines, refusal, by);
    this.#parts.told?.(by, lines, refusal === null);
    return {
      ok: refusal === null,
      lines: lines.length > 0 ? lines : ["Nothing differs from what is in force"],
    };
  }

  #follow(plan: ReloadPlan, gone: ReturnType<Scheduler["configure"]>): void {
    const { intoQueue } = this.#parts;
    this.#parts.gone(plan.removed);
    for (const { name, left } of gone) {
      this.#beside(left.then((entries) => intoQueue.gone(name, entries)));
    }
    const added = plan.destinations.filter(({ change }) => change === "added");
    if (added.length === 0) return;
    this.#beside(intoQueue.restore(added.map(({ settings }) => settings.name)));
  }

  #beside(work: Promise<void>): void {
    const running = work.catch((error) => {
      log.error("What follows from another configuration is not done; the next start does it", {
        error,
      });
    }).finally(() => this.#later.delete(running));
    this.#later.add(running);
  }

  /** Listens where it is wanted. In words why that cannot be, where it listens as before; null where all is well. */
  async #listenElsewhere({ listen }: ReloadPlan): Promise<string | null> {
    const { inForce, receiver } = this.#parts;
    if (listen === null || !this.#parts.ports.isPlain) return null;
    const { localHost } = inForce.config;
    const isSame = listen.host === localHost && listen.port === this.port;
    if (isSame) return null;
    try {
      this.#serve(listenOn(listen.host, listen.port));
      return null;
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      const inOurWay = listen.port === this.port && error.cause instanceof Deno.errors.AddrInUse;
      if (!inOurWay) return `${error.message}. It still listens on ${localHost}, port ${this.port}`;
    }
    // Another address and the same port: the one has to go before the other can be had.
    await receiver.leave();
    try {
      this.#serve(listenOn(listen.host, listen.port));
      return null;
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      this.#beside(this.#listenAgain());
      return `${error.message}. It listens on ${localHost}, port ${this.port}, again`;
    }
  }

  /** Listens where it did. Nothing is more wanted: it is tried until it succeeds. */
  async #listenAgain(): Promise<void> {
    const { localHost } = this.#parts.inForce.config;
    for (let attempt = 1; !this.#isStopped; attempt++) {
      try {
        return this.#serve(listenOn(localHost, this.port));
      } catch (error) {
        if (attempt % 10 === 1) log.error("LISTENING NOWHERE, trying again and again", { error });
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  }

  #serve(listener: Deno.TcpListener): void {
    this.#parts.receiver.serve(listener);
    this.port = listener.addr.port;
    log.info("Listening", { listening: `${listener.addr.hostname}:${this.port}` });
  }

  #tell(lines: readonly string[], refusal: string | null, by: string): void {
    if (lines.length === 0) log.debug("Configuration read again: nothing differs", { by });
    for (const line of lines) {
      if (line === refusal) log.error("Configuration not applied in full: {line}", { line, by });
      else log.info("Configuration applied: {line}", { line, by });
    }
  }
}

function troubleOf({ atNextStart }: ReloadPlan, refusal: string | null): string | null {
  const waits = atNextStart.length === 0
    ? []
    : [`Changed, and in force from the next start on: ${atNextStart.join(", ")}`];
  const all = [...refusal === null ? [] : [refusal], ...waits];
  return all.length === 0 ? null : all.join(". ");
}
