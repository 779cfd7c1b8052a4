/*
 * The audit trail of a running forwarder: told of events by whoever sees them, it makes messages, keeps them and has them
 * sent.
 *
 * Nothing waits for it and nothing fails with it: it is told and goes on in memory, writing and sending happen beside the
 * work. Without a configuration it does nothing. What is gathered and not told yet is noted each second, so that a process
 * that is killed loses no more than that.
 */

import { join } from "node:path";
import type { Clock } from "../clock.ts";
import type { AuditConfig } from "../config/audit.ts";
import { getLog } from "../log.ts";
import { type FileSystem, readFully, replaceTextFile } from "../spool/file_system.ts";
import { takeByHand } from "./by_hand.ts";
import { Courier } from "./courier.ts";
import {
  applicationActivity,
  configurationChanged,
  type Gathered,
  instancesMessage,
  lockedOut,
  nodeRejected,
  type Ourselves,
  recording,
  type Rejection,
  userAuthentication,
} from "./events.ts";
import { FactsBook } from "./facts.ts";
import { Gatherer, readGroups, type Told } from "./gather.ts";
import { type AuditMessage, auditXml } from "./message.ts";
import { Rejections } from "./rejections.ts";
import { AuditStore } from "./store.ts";
import { syslogMessage } from "./syslog.ts";

const log = getLog("audit");

/** How often is noted what is gathered, in ms. */
const NOTE_MS = 1_000;
/** The longest note that is read, in bytes. */
const LONGEST_NOTE = 16 * 1024 * 1024;
/** A stop waits no longer for the server, in ms. */
const STOP_MS = 3_000;
/** How often is told that messages are dropped, in ms. */
const DROPPED_MS = 60_000;

const APPLICATION = "dicomforwarder";

export interface AuditOptions {
  readonly config: AuditConfig | null;
  /** Ours. */
  readonly aeTitle: string;
  /** Ours; "" where it is not known. */
  readonly host: string;
  readonly process: number;
  /** The folder of messages that wait. */
  readonly directory: string;
  readonly files: FileSystem;
  readonly clock: Clock;
  /** 0 to 1 */
  readonly random: () => number;
}

/** How it is, for whoever raises alarms. */
export interface AuditStatus {
  /** When the oldest message that waits was made, in ms since 1970; null where none waits. */
  readonly oldest: number | null;
  /** Messages dropped since the start because too many waited. */
  readonly dropped: number;
  /** When the last were, in ms since 1970; null where none were. */
  readonly droppedAt: number | null;
  /** Why the server takes none; null where it does, or has not been tried. */
  readonly trouble: string | null;
}

/** What works while there is a configuration. */
interface Working {
  readonly store: AuditStore;
  readonly courier: Courier;
}

export class Audit {
  readonly facts = new FactsBook();
  readonly #options: AuditOptions;
  #config: AuditConfig | null;
  #aeTitle: string;
  #working: Working | undefined;
  readonly #gatherer: Gatherer;
  readonly #rejections: Rejections;
  #cancelNote: (() => void) | undefined;
  #isNoted = false;
  /** Dropped and not told in a message yet. */
  #droppedUntold = 0;
  #droppedToldAt = -Infinity;
  #droppedAt: number | null = null;
  /** One change after the other. */
  #turns: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: AuditOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#aeTitle = options.aeTitle;
    const { clock } = options;
    this.#gatherer = new Gatherer(
      clock,
      (gathered) => this.#gathered(gathered),
      (study) => this.facts.get(study),
    );
    this.#rejections = new Rejections(
      clock,
      (rejection, at) => this.#record(nodeRejected(rejection, this.#us, at), at),
    );
  }

  /** True while messages are made: whoever would have work with telling may ask first. */
  get on(): boolean {
    return this.#working !== undefined;
  }

  /** Undefined where there is no audit trail. */
  get status(): AuditStatus | undefined {
    if (this.#working === undefined) return undefined;
    const { store, courier } = this.#working;
    const { oldest, dropped } = store;
    return { oldest, dropped, droppedAt: this.#droppedAt, trouble: courier.trouble };
  }

  /** Begins: takes over what an earlier run left, and tells that the program has started. */
  start(): void {
    if (this.#config === null) return;
    this.#open(this.#config);
    this.#tell(applicationActivity("start", this.#us, this.#options.clock.now()));
  }

  /** Another configuration is in force. What waits is sent by it. */
  reconfigure(config: AuditConfig | null, aeTitle: string): Promise<void> {
    this.#turns = this.#turns.then(() => this.#reconfigure(config, aeTitle));
    return this.#turns;
  }

  async #reconfigure(config: AuditConfig | null, aeTitle: string): Promise<void> {
    this.#aeTitle = aeTitle;
    if (this.#stopped) return;
    const { now } = this.#options.clock;
    if (config === null) {
      this.#tell(recording("stopped", "Switched off by another configuration", this.#us, now()));
      const closed = this.#close();
      this.#config = null;
      await closed;
      return;
    }
    this.#config = config;
    if (this.#working !== undefined) {
      this.#working.store.keepBytes = config.keepBytes;
      this.#working.courier.configure(config);
    } else {
      this.#open(config);
      this.#tell(recording("started", "Switched on by another configuration", this.#us, now()));
    }
  }

  /** Something happened to an instance. */
  instance(told: Told): void {
    if (!this.on) return;
    this.#gatherer.add(told);
    this.#noteSoon();
  }

  /** An association is over. */
  ended(session: string): void {
    this.#gatherer.end(session);
  }

  /** Takes what commands of other processes did. */
  async takeByHand(): Promise<void> {
    const working = this.#working;
    if (working === undefined) return;
    const { files, directory } = this.#options;
    try {
      const { groups, done } = takeByHand(files, directory);
      if (groups.length === 0) return done();
      this.#gatherer.restore(groups);
      await working.store.flush();
      done();
    } catch (error) {
      log.error("Cannot take what commands left for the audit trail", { error });
    }
  }

  /** A node, or a connection, was turned away: an association rejected, a TLS handshake failed. */
  rejected(rejection: Omit<Rejection, "times">): void {
    if (this.on) this.#rejections.add(rejection);
  }

  loggedIn(peer: string): void {
    this.#tell(userAuthentication("login", peer, true, this.#us, this.#options.clock.now()));
  }

  loggedOut(peer: string): void {
    this.#tell(userAuthentication("logout", peer, true, this.#us, this.#options.clock.now()));
  }

  /** @param lockedSeconds for how long nobody is let in from there now; 0 where somebody is */
  wrongPassword(peer: string, lockedSeconds: number): void {
    const at = this.#options.clock.now();
    this.#tell(userAuthentication("login", peer, false, this.#us, at));
    if (lockedSeconds > 0) this.#tell(lockedOut(peer, lockedSeconds, this.#us, at));
  }

  /** Somebody changed how the forwarder works. */
  changed(change: Parameters<typeof configurationChanged>[0]): void {
    this.#tell(configurationChanged(change, this.#us, this.#options.clock.now()));
  }

  /** Tells that the program stops, sends what it can within a few seconds, and keeps the rest. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.#turns;
    if (this.#working === undefined) return;
    await this.facts.looked();
    this.#gatherer.flush();
    this.#rejections.flush();
    this.#tell(applicationActivity("stop", this.#us, this.#options.clock.now()));
    await this.#close();
  }

  get #us(): Ourselves {
    const { process, host } = this.#options;
    return { aeTitle: this.#aeTitle, process, host };
  }

  #gathered(gathered: Gathered): void {
    const { last } = gathered;
    const patientData = this.#config?.patientData ?? false;
    this.#record(instancesMessage(gathered, this.#us, patientData), last);
  }

  #tell(message: AuditMessage): void {
    this.#record(message, message.event.at);
  }

  #record(message: AuditMessage, at: number): void {
    const { clock, host, process } = this.#options;
    if (this.#working === undefined || this.#config === null) return;
    const { site, enterpriseSiteId } = this.#config;
    const now = clock.now();
    if (this.#droppedUntold > 0 && Math.abs(now - this.#droppedToldAt) >= DROPPED_MS) {
      const count = this.#droppedUntold;
      this.#droppedUntold = 0;
      this.#droppedToldAt = now;
      this.#tell(recording("dropped", `${count} messages dropped`, this.#us, now));
    }
    const xml = auditXml(message, { site: site ?? this.#aeTitle, enterpriseSiteId });
    const severity = message.event.outcome === 0 ? "notice" : "warning";
    const sender = { host, application: APPLICATION, process };
    // Of an event in the past the header says when it was; none is from the future.
    this.#working.store.append(syslogMessage(xml, sender, Math.min(at, now), severity));
  }

  #open(config: AuditConfig): void {
    const { files, directory, clock, random } = this.#options;
    try {
      const store = AuditStore.open({
        files,
        directory,
        clock,
        keepBytes: config.keepBytes,
        changed: () => this.#working?.courier.wake(),
        report: (message, error) =>
          error === undefined ? log.info(message) : log.error(message, { error }),
        dropped: (count) => this.#dropped(count),
      });
      const courier = new Courier({
        clock,
        store,
        config,
        random,
        warn: (message) => log.warn("{message}", { message }),
        info: (message) => log.info("{message}", { message }),
      });
      this.#working = { store, courier };
    } catch (error) {
      // Images come before paper: it goes on without, and says so.
      log.error("There is no audit trail: its folder in the spool cannot be used", { error });
      return;
    }
    // The note goes when the messages are on the disk, a second later.
    this.#gatherer.restore(readGroups(this.#readNote()));
    this.#noteSoon();
    this.#working.courier.wake();
    void this.takeByHand();
  }

  async #close(): Promise<void> {
    const working = this.#working;
    if (working === undefined) return;
    this.#gatherer.flush();
    this.#rejections.flush();
    this.#working = undefined;
    this.#cancelNote?.();
    this.#cancelNote = undefined;
    await working.store.flush();
    this.#note("[]");
    await working.courier.stop(STOP_MS);
    await working.store.close();
  }

  #dropped(count: number): void {
    const first = this.#droppedUntold === 0;
    this.#droppedUntold += count;
    this.#droppedAt = this.#options.clock.now();
    if (!first) return;
    log.error("Audit messages are dropped: more wait than audit.keep allows", {
      dropped: count,
      inAll: this.#working?.store.dropped ?? count,
    });
  }

  #noteSoon(): void {
    this.#cancelNote ??= this.#options.clock.after(NOTE_MS, () => {
      this.#cancelNote = undefined;
      const groups = this.#gatherer.changes();
      if (groups !== undefined) this.#note(JSON.stringify(groups));
      if (this.#gatherer.size > 0) this.#noteSoon();
    });
  }

  get #notePath(): string {
    return join(this.#options.directory, "open.json");
  }

  #note(text: string): void {
    const { files } = this.#options;
    try {
      replaceTextFile(files, `${this.#notePath}.part`, text);
      files.rename(`${this.#notePath}.part`, this.#notePath);
      this.#isNoted = true;
    } catch (error) {
      if (this.#isNoted) {
        log.error("Cannot note what is gathered for the audit trail", { error });
      }
      this.#isNoted = false;
    }
  }

  #readNote(): string {
    const { files } = this.#options;
    if (!files.exists(this.#notePath)) return "[]";
    const bytes = new Uint8Array(Math.min(LONGEST_NOTE, files.measure(this.#notePath).size));
    const file = files.open(this.#notePath, "read");
    try {
      return new TextDecoder().decode(bytes.subarray(0, readFully(file, bytes)));
    } finally {
      file.close();
    }
  }
}
