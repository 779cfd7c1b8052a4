/*
 * The composition root: a configuration in, a running forwarder out.
 *
 * Owns the order of starting and stopping; each of its concerns is a file in `daemon/`. Start: lock, spool, recovery,
 * delivery, then the listener, so that nothing is received before everything received earlier is accounted for. Stop: the
 * reverse. A start that cannot be completed undoes itself and throws.
 */

import { type Clock, systemClock } from "./clock.ts";
import type { Alarms } from "./alarms/alarms.ts";
import type { Config } from "./config/load.ts";
import { asWritten } from "./config/as_written.ts";
import { redact } from "./config/redact.ts";
import type { Control } from "./control/control.ts";
import type { ReloadResult } from "./control/views.ts";
import { alarmFigures, alarmsOf, heardBy } from "./daemon/alarms.ts";
import { certificatesInUse } from "./daemon/certificates.ts";
import { auditedItems } from "./daemon/audited_items.ts";
import { strikeBalance } from "./daemon/balance.ts";
import { controlOf } from "./daemon/control.ts";
import { ConfigWatch } from "./daemon/config_watch.ts";
import { destinationOf } from "./daemon/destinations.ts";
import { Figures } from "./daemon/figures.ts";
import { HealthFile } from "./daemon/health_file.ts";
import { Housekeeping } from "./daemon/housekeeping.ts";
import { InForce } from "./daemon/in_force.ts";
import { IntoQueue } from "./daemon/into_queue.ts";
import { QueueControl } from "./daemon/queue_control.ts";
import type { Daemon } from "./daemon/daemon.ts";
import type { DaemonOptions } from "./daemon/options.ts";
import { PausedFile } from "./daemon/paused_file.ts";
import { Ports } from "./daemon/ports.ts";
import { Reloader } from "./daemon/reloader.ts";
import { StatusPage } from "./daemon/status_page.ts";
import { Watching } from "./daemon/watching.ts";
import type { Destination } from "./delivery/outcome.ts";
import { DEFAULT_BACK_OFF } from "./delivery/retry.ts";
import { Scheduler } from "./delivery/scheduler.ts";
import type { Present } from "./ledger/at_start.ts";
import type { EventTaker } from "./ledger/event.ts";
import { testDestination } from "./doctor/test_destination.ts";
import { Ledger } from "./ledger/ledger.ts";
import { getLog } from "./log.ts";
import { Receiver } from "./receiver/receiver.ts";
import { StoreService } from "./receiver/store.ts";
import { type FileSystem, realFileSystem } from "./spool/file_system.ts";
import { lockSpool } from "./spool/lock.ts";
import { takeNotices } from "./spool/notices.ts";
import { spoolPaths } from "./spool/paths.ts";
import { Spool } from "./spool/spool.ts";
import { checkVolume } from "./spool/volume_probe.ts";
import { Transcoder } from "./transcode/transcoder.ts";

export type { Daemon } from "./daemon/daemon.ts";
export type { DaemonOptions } from "./daemon/options.ts";
export { ListenError } from "./daemon/listen.ts";
export { TlsError } from "./tls/credentials.ts";

const log = getLog("daemon");

/** How often `retry/` is looked at, in ms. */
const RETRY_LOOK_MS = 1000;
/** How often leftovers and a broken disk are seen to, in ms. */
const MAINTENANCE_MS = 5_000;

/**
 * Starts a forwarder.
 *
 * @throws {SpoolError} where the spool is locked, of another version, or on a disk that does not work or keeps no promise
 * @throws {ListenError} where the port cannot be had
 * @throws {TlsError} where certificates cannot be used, or the TLS port lets strangers in
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
  readonly #inForce: InForce;
  readonly #clock: Clock;
  readonly #files: FileSystem;
  readonly #options: DaemonOptions;
  readonly #transcoder = new Transcoder();
  #spool!: Spool;
  #ledger!: Ledger;
  /** The ledger, for those whose events are counted. */
  #events!: EventTaker;
  readonly #watching: Watching;
  readonly figures: Figures;
  #intoQueue!: IntoQueue;
  /** Pairs of instance and destination that the balance found missing; null until it is struck. */
  #missing: number | null = null;
  balanced: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();
  #scheduler!: Scheduler;
  #receiver!: Receiver;
  queue!: QueueControl;
  alarms!: Alarms;
  readonly #lock: { release(): void };
  readonly #housekeeping = new Housekeeping();
  readonly #health: HealthFile;
  readonly #paused: PausedFile;
  #reloader!: Reloader;
  #ports!: Ports;
  readonly #watch: ConfigWatch | undefined;
  #page: StatusPage | undefined;

  constructor(config: Config, options: DaemonOptions, lock: { release(): void }) {
    this.#inForce = new InForce(config);
    this.#lock = lock;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#files = options.files ?? realFileSystem;
    this.#watching = new Watching({
      clock: this.#clock,
      files: this.#files,
      spoolDirectory: config.spoolDir,
      index: () => this.#spool.index,
      audit: {
        config: () => this.#inForce.config,
        ...auditedItems(() => this.#spool, this.#files),
      },
    });
    this.figures = this.#makeFigures();
    this.#health = new HealthFile(this.#files, config.spoolDir, () => this.#healthNow());
    this.#paused = new PausedFile(config.spoolDir, this.#files);
    if (config.file === null) return;
    this.#watch = new ConfigWatch({
      file: config.file,
      clock: this.#clock,
      changed: () => this.#reloader.fileChanged(),
      missing: (error) =>
        log.warn("The configuration file cannot be found; what it said stays in force", { error }),
      failed: (error) => log.error("Cannot look at the configuration file", { error }),
    });
  }

  async start(): Promise<Daemon> {
    // Before the spool is looked through, which takes seconds where much waits: a port that cannot be had is known at
    // once, and who connects meanwhile is answered a little later rather than refused.
    this.#ports = await Ports.open(this.#inForce.config);
    try {
      await this.#open();
      try {
        await this.#begin();
        return this;
      } catch (error) {
        await this.alarms?.stop();
        await this.#ledger.close();
        await this.#spool.close();
        throw error;
      }
    } catch (error) {
      this.#stopping.abort();
      await this.#watching.stop();
      this.#ports.close();
      throw error;
    }
  }

  async #open(): Promise<void> {
    const { config } = this.#inForce;
    this.#spool = await Spool.open({
      directory: config.spoolDir,
      files: this.#files,
      now: () => this.#clock.now(),
      after: (ms, callback) => this.#clock.after(ms, callback),
      minimumFreeSpace: config.minimumFreeSpace,
      report: (message, error) =>
        error === undefined ? log.warn(message) : log.error(message, { error }),
      synced: (ms) => this.#watching.activity.synced(ms),
      damaged: (id, reason) => this.#events.append({ event: "corrupt", id, reason }),
    });
    this.#ledger = Ledger.open({
      files: this.#files,
      directory: spoolPaths(config.spoolDir).ledger,
      clock: this.#clock,
      retentionDays: config.ledgerRetentionDays,
      report: (message, error) => log.error(message, error === undefined ? {} : { error }),
    });
    this.#events = this.#watching.ledger(this.#ledger);
    this.#intoQueue = new IntoQueue({
      spool: this.#spool,
      ledger: this.#events,
      files: this.#files,
      clock: this.#clock,
      inForce: this.#inForce,
      deliver: (entries) => this.#scheduler.add(entries),
      deliverTo: (destination, entries) => this.#scheduler.addTo(destination, entries),
      signal: this.#stopping.signal,
    });
  }

  async #begin(): Promise<void> {
    const { config } = this.#inForce;
    const entries = await this.#intoQueue.recover();
    this.#scheduler = new Scheduler(
      config.destinations.map((settings) => this.#destinationOf(settings, config)),
      {
        spool: this.#spool,
        ledger: this.#events,
        clock: this.#clock,
        random: this.#options.random ?? Math.random,
        backOff: this.#options.backOff ?? DEFAULT_BACK_OFF,
        changed: () => {
          this.#health.changed();
          this.alarms?.changed();
        },
        forwardImmediately: config.forwardImmediately,
        studyQuietMs: config.studyQuietMs,
      },
    );
    const heard = heardBy(this.#ledger, () => this.alarms);
    const service = new StoreService(this.#spool, heard, config, (entry) => {
      this.#options.onQueued?.(entry);
      this.#intoQueue.received(entry);
    }, this.#watching.reception);
    this.#receiver = new Receiver(config, this.#spool, service, this.#watching.reception);
    this.#reloader = new Reloader({
      inForce: this.#inForce,
      spool: this.#spool,
      ledger: this.#ledger,
      scheduler: this.#scheduler,
      receiver: this.#receiver,
      ports: this.#ports,
      service,
      intoQueue: this.#intoQueue,
      destinationOf: (settings, wanted) => this.#destinationOf(settings, wanted),
      told: (by, lines, ok) => this.#watching.trail.reloaded(by, lines, ok),
      changed: ({ web, alarms, audit, localAeTitle }) => {
        void this.#watching.trail.audit.reconfigure(audit, localAeTitle);
        this.#health.changed();
        void this.alarms.reconfigure(alarms, localAeTitle);
        this.#page?.serve(web);
      },
      gone: (names) => names.forEach((name) => this.#paused.set(name, null)),
    }, this.#ports.port);
    this.queue = new QueueControl({
      spool: this.#spool,
      ledger: this.#events,
      files: this.#files,
      ledgerDirectory: spoolPaths(config.spoolDir).ledger,
      clock: this.#clock,
      scheduler: () => this.#scheduler,
      destinations: () => this.#inForce.names,
      route: (instance) => this.#intoQueue.routeStored(instance),
      handOver: (returned) => this.#intoQueue.handOver(returned),
    });
    for (const [name, paused] of [...this.#paused.read()]) {
      // One that is configured again later is not to be found paused.
      if (!this.#scheduler.pause(name, paused)) this.#paused.set(name, null);
    }
    const queued = entries.filter((entry) => entry.queued);
    const apart = this.#spool.apart.all();
    this.#watching.found(queued, apart, this.#stopping.signal);
    this.alarms = this.#alarmsOf();
    this.alarms.start();
    this.#watching.trail.audit.start();
    this.#ports.serve(this.#receiver);
    this.#scheduler.add(queued);
    this.#keepHouse();
    this.#watch?.start();
    const { page = false } = this.#options;
    if (page !== false) {
      const control = page === true ? this.#control() : page;
      const { spoolDir } = config;
      const observer = this.#watching.trail.audit;
      this.#page = new StatusPage({ control, clock: this.#clock, spoolDir, observer });
      this.#page.serve(config.web);
    }
    this.balanced = this.#balance(entries, apart);
    log.info("Forwarder started", {
      aeTitle: config.localAeTitle,
      listening: this.#ports.listening(config, this.port).join(", "),
      destinations: config.destinations.map((each) => each.name).join(","),
      queued: entries.length,
      spool: config.spoolDir,
    });
  }

  #destinationOf(settings: Config["destinations"][number], config: Config): Destination {
    return destinationOf(settings, config, {
      spool: this.#spool,
      files: this.#files,
      clock: this.#clock,
      transcoder: this.#transcoder,
      observer: this.#watching.activity,
      audit: this.#watching.trail,
    });
  }

  get port(): number {
    return this.#reloader.port;
  }

  get tlsPort(): number | undefined {
    return this.#ports.tlsPort;
  }

  get config(): Config {
    return this.#inForce.config;
  }

  get configurationTrouble(): string | null {
    return this.#reloader.trouble;
  }

  reload(config: Config, by: string): Promise<ReloadResult> {
    return this.#reloader.apply(config, by);
  }

  reloadFile(by: string): Promise<ReloadResult> {
    return this.#reloader.fromFile(by);
  }

  pause(destination: string, by: string): boolean {
    const paused = { since: this.#clock.now(), by };
    if (!this.#scheduler.pause(destination, paused)) return false;
    this.#paused.set(destination, paused);
    log.warn("Destination {destination} is paused", { destination, by });
    return true;
  }

  resume(destination: string, by: string): boolean {
    if (!this.#scheduler.resume(destination)) return false;
    this.#paused.set(destination, null);
    log.info("Destination {destination} goes on after a pause", { destination, by });
    return true;
  }

  tryNow(destination: string, by: string): boolean {
    if (!this.#scheduler.tryNow(destination)) return false;
    log.info("Destination {destination} is tried now", { destination, by });
    return true;
  }

  pagePort(): Promise<number | undefined> {
    return this.#page?.port() ?? Promise.resolve(undefined);
  }

  snapshot() {
    return {
      associations: this.#receiver.open,
      held: this.#scheduler.held,
      destinations: this.#scheduler.snapshot(),
    };
  }

  async stop(): Promise<void> {
    const { stopMs } = this.#inForce.config.timeouts;
    log.info("Forwarder is stopping", { associations: this.#receiver.open });
    await this.#page?.stop();
    this.#housekeeping.stop();
    this.#watch?.stop();
    this.#reloader.stop();
    const acted = this.queue.close();
    // What is still being received goes on into the spool; delivery need not wait for it.
    await Promise.all([this.#receiver.stop(stopMs), this.#scheduler.stop(stopMs)]);
    this.#stopping.abort();
    await this.balanced;
    await acted;
    await this.#watching.stop();
    await this.#watch?.over();
    await this.#reloader.over();
    this.#transcoder.close();
    await Promise.all([this.#housekeeping.over(), this.alarms.stop()]);
    // Delivered files leave the spool when the ledger has them.
    await this.#ledger.close();
    this.#health.write();
    await this.#spool.close();
    this.#lock.release();
    log.info("Forwarder stopped");
  }

  #alarmsOf(): Alarms {
    const { config } = this.#inForce;
    return alarmsOf({
      config,
      version: this.#options.version ?? "",
      clock: this.#clock,
      files: this.#files,
      random: this.#options.random ?? Math.random,
      certificates: () =>
        certificatesInUse(this.#inForce.config, {
          "of the TLS port": this.#ports.credentials,
          "of the status page": this.#page?.credentials,
        }),
      figures: () => ({
        ...alarmFigures(this.figures.overview(), this.#scheduler.snapshot()),
        audit: this.#watching.trail.audit.status,
      }),
    });
  }

  #control(): Control {
    return this.#watching.trail.control(controlOf({
      daemon: this,
      figures: this.figures,
      queue: this.queue,
      alarms: this.alarms,
      test: testDestination,
      shown: (config) => redact(asWritten(config)),
    }));
  }

  async #balance(queued: readonly Present[], failed: readonly Present[]): Promise<void> {
    const { spoolDir } = this.#inForce.config;
    const missing = await strikeBalance({
      files: this.#files,
      ledger: this.#ledger,
      spoolDirectory: spoolDir,
      ledgerDirectory: spoolPaths(spoolDir).ledger,
      queued,
      failed,
      pause: (ms) => new Promise((resolve) => this.#clock.after(ms, resolve)),
      signal: this.#stopping.signal,
    });
    if (missing === null) return;
    this.#missing = missing;
    this.alarms.changed();
    this.#health.changed();
  }

  #makeFigures(): Figures {
    const watching = this.#watching;
    return new Figures(watching, {
      now: () => this.#clock.now(),
      config: () => this.#inForce.config,
      scheduler: () => this.#scheduler,
      spool: () => this.#spool,
      freeBytes: () => this.#files.freeBytes(this.#inForce.config.spoolDir),
      listening: () => this.#ports.listening(this.#inForce.config, this.port),
      associations: () => this.#receiver.open,
      index: () => this.#spool.index,
      missing: () => this.#missing,
      alarms: () => this.alarms?.active() ?? [],
      configuration: () => this.configurationTrouble,
    });
  }

  #keepHouse(): void {
    this.#housekeeping.every(RETRY_LOOK_MS, async () => {
      await this.#intoQueue.adoptRetries();
      const { spoolDir } = this.#inForce.config;
      await this.queue.follow(() => takeNotices(this.#files, spoolDir));
      this.#health.keepUp();
    });
    this.#housekeeping.every(MAINTENANCE_MS, async () => {
      this.#ledger.maintain();
      await this.#spool.maintain();
      await this.#intoQueue.takeLate();
      await this.#watching.trail.audit.takeByHand();
    });
    this.#health.write();
  }

  /** For `status`: how the destinations are, as far as only this process knows. */
  #healthNow(): Record<string, unknown> {
    return {
      pid: Deno.pid,
      written: new Date(this.#clock.now()).toISOString(),
      port: this.port,
      missing: this.#missing,
      configuration: this.#reloader.trouble,
      destinations: this.#scheduler.snapshot().map((
        { name, description, health, paused, lastAnswer },
      ) => ({ name, description, health, paused, lastAnswer })),
    };
  }
}
