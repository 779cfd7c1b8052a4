/*
 * The composition root: a configuration in, a running forwarder out.
 *
 * Owns the order of starting and stopping, and the few timers of housekeeping. Start: lock, spool, recovery, delivery,
 * then the listener, so that nothing is received before everything received earlier is accounted for. Stop: the reverse.
 * A start that cannot be completed undoes itself and throws.
 */

import { join } from "node:path";
import { type Clock, systemClock } from "./clock.ts";
import type { Config, DestinationConfig } from "./config/load.ts";
import { DicomDestination } from "./delivery/dicom.ts";
import { DirectoryDestination } from "./delivery/directory.ts";
import type { DestinationSnapshot } from "./delivery/delivery_setting.ts";
import type { Destination } from "./delivery/outcome.ts";
import { type BackOff, DEFAULT_BACK_OFF } from "./delivery/retry.ts";
import { Scheduler } from "./delivery/scheduler.ts";
import { Transcoder } from "./transcode/transcoder.ts";
import { getLog } from "./log.ts";
import { Receiver } from "./receiver/receiver.ts";
import { StoreService } from "./receiver/store.ts";
import { route } from "./routing/routing.ts";
import type { Entry } from "./spool/entry.ts";
import { UNROUTED } from "./spool/failed.ts";
import { type FileSystem, realFileSystem, replaceTextFile } from "./spool/file_system.ts";
import { lockSpool } from "./spool/lock.ts";
import { Spool } from "./spool/spool.ts";
import type { StoredInstance } from "./spool/stored_instance.ts";
import { orSpoolError } from "./spool/version.ts";

const log = getLog("daemon");

/** How often `retry/` is looked at, in ms. */
const RETRY_LOOK_MS = 1000;
/** How often leftovers and a broken disk are seen to, in ms. */
const MAINTENANCE_MS = 10_000;

/** The port to listen on cannot be had. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

export interface DaemonOptions {
  readonly clock?: Clock;
  readonly files?: FileSystem;
  /** 0 to 1 */
  readonly random?: () => number;
  readonly backOff?: BackOff;
  /** Told of each entry that enters the queue. */
  readonly onQueued?: (entry: Entry) => void;
}

/** A running forwarder. */
export interface Daemon {
  /** The port listened on. */
  readonly port: number;
  snapshot(): { associations: number; held: number; destinations: DestinationSnapshot[] };
  /** Stops in order, within `timeouts.stop`. */
  stop(): Promise<void>;
}

/**
 * Starts a forwarder.
 *
 * @throws {SpoolError} where the spool is locked, of another version, or on a disk that does not work
 * @throws {ListenError} where the port cannot be had
 */
export async function startDaemon(config: Config, options: DaemonOptions = {}): Promise<Daemon> {
  const lock = await lockSpool(config.spoolDir);
  try {
    const running = new RunningDaemon(config, options);
    return await running.start(lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

class RunningDaemon implements Daemon {
  readonly #config: Config;
  readonly #clock: Clock;
  readonly #files: FileSystem;
  readonly #options: DaemonOptions;
  readonly #transcoder = new Transcoder();
  readonly #names: readonly string[];
  #spool!: Spool;
  #scheduler!: Scheduler;
  #receiver!: Receiver;
  #lock: { release(): void } | undefined;
  #timers: ReturnType<typeof setInterval>[] = [];
  #housekeeping: Promise<void> = Promise.resolve();
  #healthIsWritten = true;
  port = 0;

  constructor(config: Config, options: DaemonOptions) {
    this.#config = config;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#files = options.files ?? realFileSystem;
    this.#names = config.destinations.map((destination) => destination.name);
  }

  async start(lock: { release(): void }): Promise<Daemon> {
    const config = this.#config;
    this.#lock = lock;
    const entries = await orSpoolError(config.spoolDir, () => this.#openSpool());
    await this.#setUnknownAside(entries);
    this.#scheduler = new Scheduler(
      config.destinations.map((destination) => this.#destination(destination)),
      {
        spool: this.#spool,
        clock: this.#clock,
        random: this.#options.random ?? Math.random,
        backOff: this.#options.backOff ?? DEFAULT_BACK_OFF,
        changed: () => this.#healthIsWritten = false,
        forwardImmediately: config.forwardImmediately,
        studyQuietMs: config.studyQuietMs,
      },
    );
    const service = new StoreService(this.#spool, config, (entry) => this.#queued(entry));
    this.#receiver = new Receiver(config, this.#spool, service);
    this.#listen();
    this.#scheduler.add(entries.filter((entry) => entry.queued));
    this.#keepHouse();
    log.info("Forwarder started", {
      aeTitle: config.localAeTitle,
      listening: `${config.localHost}:${this.port}`,
      destinations: config.destinations.map((each) => each.name).join(","),
      queued: entries.length,
      spool: config.spoolDir,
    });
    return this;
  }

  /** Opens the spool and gives what waits in it. */
  async #openSpool(): Promise<Entry[]> {
    this.#spool = await Spool.open({
      directory: this.#config.spoolDir,
      files: this.#files,
      now: () => this.#clock.now(),
      minimumFreeSpace: this.#config.minimumFreeSpace,
      report: (message, error) =>
        error === undefined ? log.warn(message) : log.error(message, { error }),
    });
    const entries = await this.#spool.recover((instance) => this.#routeStored(instance));
    entries.push(...this.#spool.restoreConfigured(new Set(this.#names)));
    return entries;
  }

  snapshot() {
    return {
      associations: this.#receiver.open,
      held: this.#scheduler.held,
      destinations: this.#scheduler.snapshot(),
    };
  }

  async stop(): Promise<void> {
    log.info("Forwarder is stopping", { associations: this.#receiver.open });
    for (const timer of this.#timers) clearInterval(timer);
    // What is still being received goes on into the spool; delivery need not wait for it.
    await Promise.all([
      this.#receiver.stop(this.#config.timeouts.stopMs),
      this.#scheduler.stop(this.#config.timeouts.stopMs),
    ]);
    this.#transcoder.close();
    await this.#housekeeping;
    this.#writeHealth();
    await this.#spool.close();
    this.#lock?.release();
    log.info("Forwarder stopped");
  }

  #listen(): void {
    const { localHost, localPort } = this.#config;
    try {
      this.port = this.#receiver.listen();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const why = error instanceof Deno.errors.AddrInUse
        ? "another program listens on it; stop that one, or set another local_port"
        : error instanceof Deno.errors.PermissionDenied
        ? "this user may not; ports below 1024 need the right to"
        : error instanceof Deno.errors.AddrNotAvailable
        ? "no network interface has that address; set another local_host"
        : message;
      throw new ListenError(`Cannot listen on ${localHost}, port ${localPort}: ${why}`, {
        cause: error,
      });
    }
  }

  #destination(config: DestinationConfig): Destination {
    return config.type === "dicom"
      ? new DicomDestination(config, this.#spool, this.#transcoder, {
        now: () => this.#clock.now(),
        tellComments: this.#config.logPatientInfo,
      })
      : new DirectoryDestination(config, this.#spool, this.#files, {
        tellPaths: this.#config.logPatientInfo,
      });
  }

  /** Routing is pure, so what was routed before a crash is simply routed again. */
  async #routeStored(instance: StoredInstance): Promise<readonly string[]> {
    const { identification } = await instance.identify();
    const destinations = route(
      {
        callingAeTitle: instance.meta.sourceAeTitle,
        calledAeTitle: instance.meta.receivingAeTitle,
        sopClassUid: instance.meta.sopClassUid,
        modality: identification.modality || null,
      },
      this.#config.routes,
      this.#names,
    );
    return destinations.length === 0 ? [UNROUTED] : destinations;
  }

  #queued(entry: Entry): void {
    this.#options.onQueued?.(entry);
    if (entry.waitsFor(UNROUTED)) void this.#setUnknownAside([entry]);
    else this.#scheduler.add([entry]);
  }

  /** What waits for a destination that the configuration does not have is kept apart until it has. */
  async #setUnknownAside(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) {
      for (const { destination, tries } of [...entry.waiting]) {
        if (this.#names.includes(destination)) continue;
        const unrouted = destination === UNROUTED;
        const reason = unrouted
          ? "No route of the configuration matches this instance"
          : `The configuration has no destination ${destination} any more`;
        try {
          await this.#spool.fail(entry, destination, {
            kind: unrouted ? "unrouted" : "not-configured",
            reason,
            when: new Date(this.#clock.now()).toISOString(),
            tries,
          });
          log.error("Instance kept in failed/: {reason}", { reason, entry: entry.base });
        } catch (error) {
          log.error("Cannot move an instance to failed/; it stays in the queue", {
            entry: entry.base,
            error,
          });
        }
      }
    }
  }

  #keepHouse(): void {
    const everySoOften = (ms: number, task: () => Promise<void>) => {
      this.#timers.push(setInterval(() => {
        this.#housekeeping = this.#housekeeping.then(task).catch((error) => {
          log.error("Housekeeping failed", { error });
        });
      }, ms));
    };
    everySoOften(RETRY_LOOK_MS, async () => {
      const adopted = await this.#spool.adoptRetries(
        (instance) => this.#routeStored(instance),
        UNROUTED,
      );
      if (adopted.length > 0) {
        log.info("Instances put back by hand are in the queue again", { count: adopted.length });
        await this.#setUnknownAside(adopted);
        this.#scheduler.add(adopted.filter((entry) => entry.queued));
      }
      if (!this.#healthIsWritten) this.#writeHealth();
    });
    everySoOften(MAINTENANCE_MS, () => this.#spool.maintain());
    this.#writeHealth();
  }

  /** For `status`: how the destinations are, as far as only this process knows. */
  #writeHealth(): void {
    this.#healthIsWritten = true;
    const health = {
      pid: Deno.pid,
      written: new Date(this.#clock.now()).toISOString(),
      port: this.port,
      destinations: this.#scheduler.snapshot().map(({ name, description, health, lastAnswer }) => ({
        name,
        description,
        health,
        lastAnswer,
      })),
    };
    try {
      const path = join(this.#config.spoolDir, "health.json");
      replaceTextFile(this.#files, `${path}.part`, JSON.stringify(health, null, 2) + "\n");
      this.#files.rename(`${path}.part`, path);
    } catch (error) {
      log.warn("Cannot write health.json; status will not know how the destinations are", {
        error,
      });
    }
  }
}
