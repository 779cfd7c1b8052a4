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
import type { Control } from "./control/control.ts";
import { StatusPage } from "./daemon/status_page.ts";
import { DicomDestination } from "./delivery/dicom.ts";
import { DirectoryDestination } from "./delivery/directory.ts";
import type { DestinationSnapshot } from "./delivery/delivery_setting.ts";
import { failedEvent } from "./delivery/ledger_events.ts";
import type { Destination } from "./delivery/outcome.ts";
import { type BackOff, DEFAULT_BACK_OFF } from "./delivery/retry.ts";
import { Scheduler } from "./delivery/scheduler.ts";
import { Transcoder } from "./transcode/transcoder.ts";
import { type Present, provenDeliveries, settleAtStart } from "./ledger/at_start.ts";
import { Ledger } from "./ledger/ledger.ts";
import type { Balance } from "./ledger/reconcile.ts";
import { getLog } from "./log.ts";
import { Receiver } from "./receiver/receiver.ts";
import { StoreService } from "./receiver/store.ts";
import { route } from "./routing/routing.ts";
import type { Entry } from "./spool/entry.ts";
import { listFailed, UNROUTED } from "./spool/failed.ts";
import { type FileSystem, realFileSystem, replaceTextFile } from "./spool/file_system.ts";
import { isHeld, patiently } from "./spool/held.ts";
import { lockSpool } from "./spool/lock.ts";
import { spoolPaths } from "./spool/paths.ts";
import { Spool } from "./spool/spool.ts";
import type { StoredInstance } from "./spool/stored_instance.ts";
import { checkVolume } from "./spool/volume_probe.ts";
import { orSpoolError } from "./spool/version.ts";

const log = getLog("daemon");

/** How often `retry/` is looked at, in ms. */
const RETRY_LOOK_MS = 1000;
/** How often leftovers and a broken disk are seen to, in ms. */
const MAINTENANCE_MS = 5_000;

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
  /** What the status page shows and does; without it none is served. */
  readonly control?: Control;
}

/** A running forwarder. */
export interface Daemon {
  /** The port listened on. */
  readonly port: number;
  /** Resolves when the ledger has been held against what was in the spool at the start, or could not be. */
  readonly balanced: Promise<void>;
  snapshot(): { associations: number; held: number; destinations: DestinationSnapshot[] };
  /** Stops in order, within `timeouts.stop`. */
  stop(): Promise<void>;
}

/**
 * Starts a forwarder.
 *
 * @throws {SpoolError} where the spool is locked, of another version, or on a disk that does not work or keeps no promise
 * @throws {ListenError} where the port cannot be had
 */
export async function startDaemon(config: Config, options: DaemonOptions = {}): Promise<Daemon> {
  const warning = checkVolume(config.spoolDir, config.allowUnsafeSpoolVolume);
  if (warning !== undefined) log.warn("{reason}", { reason: warning });
  const lock = await lockSpool(config.spoolDir);
  try {
    const running = new RunningDaemon(config, options, lock);
    return await running.start();
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
  #ledger!: Ledger;
  /** Pairs of instance and destination that the balance found missing; null until it is struck. */
  #missing: number | null = null;
  balanced: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();
  #scheduler!: Scheduler;
  #receiver!: Receiver;
  readonly #lock: { release(): void };
  #page: StatusPage | undefined;
  #timers: ReturnType<typeof setInterval>[] = [];
  #housekeeping: Promise<void> = Promise.resolve();
  #healthIsWritten = true;
  port = 0;

  constructor(config: Config, options: DaemonOptions, lock: { release(): void }) {
    this.#config = config;
    this.#lock = lock;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#files = options.files ?? realFileSystem;
    this.#names = config.destinations.map((destination) => destination.name);
  }

  async start(): Promise<Daemon> {
    // Before the spool is looked through, which takes seconds where much waits: a port that cannot be had is known at
    // once, and who connects meanwhile is answered a little later rather than refused.
    const listener = this.#listen();
    try {
      await this.#open();
      try {
        await this.#begin(listener);
        return this;
      } catch (error) {
        await this.#ledger.close();
        await this.#spool.close();
        throw error;
      }
    } catch (error) {
      listener.close();
      throw error;
    }
  }

  async #open(): Promise<void> {
    const config = this.#config;
    this.#spool = await Spool.open({
      directory: config.spoolDir,
      files: this.#files,
      now: () => this.#clock.now(),
      after: (ms, callback) => this.#clock.after(ms, callback),
      minimumFreeSpace: config.minimumFreeSpace,
      report: (message, error) =>
        error === undefined ? log.warn(message) : log.error(message, { error }),
      damaged: (id, reason) => this.#ledger.append({ event: "corrupt", id, reason }),
    });
    this.#ledger = Ledger.open({
      files: this.#files,
      directory: spoolPaths(config.spoolDir).ledger,
      clock: this.#clock,
      retentionDays: config.ledgerRetentionDays,
      report: (message, error) => log.error(message, error === undefined ? {} : { error }),
    });
  }

  async #begin(listener: Deno.TcpListener): Promise<void> {
    const config = this.#config;
    const { recovered, restored } = await orSpoolError(config.spoolDir, async () => {
      const recovered = await this.#spool.recover((instance) => this.#routeStored(instance));
      await this.#finishProven(recovered);
      return { recovered, restored: this.#spool.restoreConfigured(new Set(this.#names)) };
    });
    this.#recordReturned(restored, "configuration");
    const entries = [...recovered, ...restored];
    await this.#setUnknownAside(entries);
    this.#scheduler = new Scheduler(
      config.destinations.map((destination) => this.#destination(destination)),
      {
        spool: this.#spool,
        ledger: this.#ledger,
        clock: this.#clock,
        random: this.#options.random ?? Math.random,
        backOff: this.#options.backOff ?? DEFAULT_BACK_OFF,
        changed: () => this.#healthIsWritten = false,
        forwardImmediately: config.forwardImmediately,
        studyQuietMs: config.studyQuietMs,
      },
    );
    const service = new StoreService(
      this.#spool,
      this.#ledger,
      config,
      (entry) => this.#queued(entry),
    );
    this.#receiver = new Receiver(config, this.#spool, service);
    this.#receiver.serve(listener);
    this.#scheduler.add(entries.filter((entry) => entry.queued));
    this.#keepHouse();
    const { control } = this.#options;
    if (control !== undefined) {
      this.#page = new StatusPage({ control, clock: this.#clock, spoolDir: config.spoolDir });
      this.#page.serve(config.web);
    }
    const failed = [...listFailed(this.#files, spoolPaths(config.spoolDir).failed)];
    this.balanced = this.#balance(
      entries,
      failed.map(({ base, path, destination }) => ({ base, path, waiting: [{ destination }] })),
    );
    log.info("Forwarder started", {
      aeTitle: config.localAeTitle,
      listening: `${config.localHost}:${this.port}`,
      destinations: config.destinations.map((each) => each.name).join(","),
      queued: entries.length,
      spool: config.spoolDir,
    });
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
    await this.#page?.stop();
    // What is still being received goes on into the spool; delivery need not wait for it.
    await Promise.all([
      this.#receiver.stop(this.#config.timeouts.stopMs),
      this.#scheduler.stop(this.#config.timeouts.stopMs),
    ]);
    this.#stopping.abort();
    await this.balanced;
    this.#transcoder.close();
    await this.#housekeeping;
    // Delivered files leave the spool when the ledger has them.
    await this.#ledger.close();
    this.#writeHealth();
    await this.#spool.close();
    this.#lock.release();
    log.info("Forwarder stopped");
  }

  #listen(): Deno.TcpListener {
    const { localHost, localPort } = this.#config;
    try {
      const listener = Deno.listen({ hostname: localHost, port: localPort });
      this.port = listener.addr.port;
      return listener;
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
      // Another list takes this one's place when a destination is set aside; what is gone through stays as it is.
      for (const { destination, tries } of entry.waiting) {
        if (this.#names.includes(destination)) continue;
        const unrouted = destination === UNROUTED;
        const kind = unrouted ? "unrouted" : "not-configured";
        const reason = unrouted
          ? "No route of the configuration matches this instance"
          : `The configuration has no destination ${destination} any more`;
        try {
          await this.#spool.fail(entry, destination, {
            kind,
            reason,
            when: new Date(this.#clock.now()).toISOString(),
            tries,
          });
          this.#ledger.append(failedEvent(entry, destination, { kind, reason, tries }));
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

  /** What the end of the ledger proves delivered, and a crash left in the queue, is not sent again. */
  async #finishProven(entries: readonly Entry[]): Promise<void> {
    try {
      const { ledger } = spoolPaths(this.#config.spoolDir);
      const proven = await patiently(
        () => provenDeliveries(this.#files, ledger),
        (ms, callback) => this.#clock.after(ms, callback),
      );
      if (proven.size === 0) return;
      for (const entry of entries) {
        for (const destination of proven.get(entry.base) ?? []) {
          this.#spool.delivered(entry, destination);
        }
      }
    } catch (error) {
      log.error("Cannot read the ledger; deliveries that a crash interrupted may be repeated", {
        error,
      });
    }
  }

  #recordReturned(returned: readonly Entry[], by: "person" | "configuration"): void {
    for (const { base: id, failedFor, waiting } of returned) {
      const now = waiting.map((one) => one.destination);
      for (const of of failedFor) {
        this.#ledger.append({ event: "retried", id, by, of, for: now.includes(of) ? [of] : now });
      }
    }
  }

  /** Holds the ledger against the spool, beside the work. What is missing is named, loudly. */
  async #balance(queued: readonly Present[], failed: readonly Present[]): Promise<void> {
    try {
      const { balance, found } = await settleAtStart({
        files: this.#files,
        ledger: this.#ledger,
        spoolDirectory: this.#config.spoolDir,
        ledgerDirectory: spoolPaths(this.#config.spoolDir).ledger,
        queued,
        failed,
        pause: (ms) => new Promise((resolve) => this.#clock.after(ms, resolve)),
        signal: this.#stopping.signal,
      });
      this.#missing = balance.missing.length;
      this.#healthIsWritten = false;
      logBalance(balance, found);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      log.error("Cannot hold the ledger against the spool; say verify to try it again", { error });
    }
  }

  /** What another program held when this one started, and holds no more. */
  async #takeLate(): Promise<void> {
    const recovered = await this.#spool.recoverLate((instance) => this.#routeStored(instance));
    if (recovered.length > 0) await this.#finishProven(recovered);
    const restored = this.#spool.restoreHeldBack(new Set(this.#names));
    this.#recordReturned(restored, "configuration");
    const late = [...recovered, ...restored];
    if (late.length === 0) return;
    log.info("Instances that another program held at the start are in the queue now", {
      count: late.length,
    });
    await this.#setUnknownAside(late);
    this.#scheduler.add(late.filter((entry) => entry.queued));
  }

  #keepHouse(): void {
    const everySoOften = (ms: number, task: () => Promise<void>) => {
      // What goes on failing each second is told once.
      let trouble = "";
      this.#timers.push(setInterval(() => {
        this.#housekeeping = this.#housekeeping.then(task).then(
          () => void (trouble = ""),
          (error) => {
            if (String(error) !== trouble) log.error("Housekeeping failed", { error });
            trouble = String(error);
          },
        );
      }, ms));
    };
    everySoOften(RETRY_LOOK_MS, async () => {
      const adopted = await this.#spool.adoptRetries(
        (instance) => this.#routeStored(instance),
        UNROUTED,
      );
      if (adopted.length > 0) {
        log.info("Instances put back by hand are in the queue again", { count: adopted.length });
        this.#recordReturned(adopted, "person");
        await this.#setUnknownAside(adopted);
        this.#scheduler.add(adopted.filter((entry) => entry.queued));
      }
      if (!this.#healthIsWritten) this.#writeHealth();
    });
    everySoOften(MAINTENANCE_MS, async () => {
      this.#ledger.maintain();
      await this.#spool.maintain();
      await this.#takeLate();
    });
    this.#writeHealth();
  }

  /** For `status`: how the destinations are, as far as only this process knows. */
  #writeHealth(): void {
    this.#healthIsWritten = true;
    const health = {
      pid: Deno.pid,
      written: new Date(this.#clock.now()).toISOString(),
      port: this.port,
      missing: this.#missing,
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
      // Somebody reads it: there is another second.
      this.#healthIsWritten = !isHeld(error);
      if (isHeld(error)) return;
      log.warn("Cannot write health.json; status will not know how the destinations are", {
        error,
      });
    }
  }
}

/** Names told in one line of the log; `verify` lists all. */
const MOST_NAMED = 20;

function logBalance(balance: Balance, found: number): void {
  const sum = { accepted: 0, delivered: 0, queued: 0, failed: 0, corrupt: 0, missing: 0 };
  for (const one of balance.destinations.values()) {
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += one[key];
  }
  if (balance.missing.length === 0) log.info("Ledger and spool agree", { ...sum, found });
  else {
    const named = balance.missing.slice(0, MOST_NAMED).map(({ id, destination, accepted }) =>
      `${accepted?.sop ?? id} for ${destination}`
    );
    const more = balance.missing.length - named.length;
    log.error(
      "INSTANCES ARE MISSING: {names}: the ledger says that they were accepted, and neither the spool nor a delivery accounts for them. See docs/reliability.md",
      {
        names: named.join(", ") + (more > 0 ? ` and ${more} more (verify lists them)` : ""),
        ...sum,
      },
    );
  }
  if (balance.unreadable > 0) {
    log.warn("Lines of the ledger cannot be read; a crash cuts the last one short", {
      lines: balance.unreadable,
    });
  }
}
