/*
 * Alarms: looks at how the forwarder is, every few seconds and when something changed, and tells people when something
 * begins to be wrong, goes on, or is over.
 *
 * Owns the timer, the state that a restart takes over, and one outbox for each channel. It only looks: nothing here changes
 * what the forwarder does, and no failure of it reaches the forwarder. What is told is in the log whatever the channels do.
 */

import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../clock.ts";
import type { AlarmsConfig } from "../config/alarms.ts";
import type { AlarmView, ConnectionResult } from "../control/views.ts";
import { getLog } from "../log.ts";
import { type Channel, testNotice } from "./channel.ts";
import { conditionsOf } from "./conditions.ts";
import { Email } from "./email.ts";
import { EventLog, type WriteEvent } from "./event_log.ts";
import { LastSeen } from "./last_seen.ts";
import { type AlarmEvent, EMPTY, look, type MachineState } from "./machine.ts";
import { Outbox, type Waiting } from "./outbox.ts";
import type { AlarmSnapshot } from "./snapshot.ts";
import { type KeptState, NOTHING_KEPT, readState, stateText } from "./state_file.ts";
import { Webhook } from "./webhook.ts";

const log = getLog("alarms");

/** How often is looked, and how soon after a change; ms. */
const LOOK_MS = 5_000;
const SOON_MS = 200;
/** What changes all the time is written at most so often, in ms. */
const KEEP_MS = 60_000;
/** A stop waits no longer for what is being sent, in ms. */
const STOP_MS = 3_000;
/** A test waits no longer, in ms. */
const TEST_MS = 60_000;

/** Where the state is kept over a restart. Both may throw: it is logged, and alarms go on. */
export interface AlarmStore {
  /** Undefined where there is none. */
  load(): string | undefined;
  save(text: string): void;
}

export interface AlarmsOptions {
  readonly config: AlarmsConfig;
  /** Ours: the name of the site where the configuration has none. */
  readonly aeTitle: string;
  /** Of the program. */
  readonly version: string;
  readonly clock: Clock;
  /** 0 to 1 */
  readonly random: () => number;
  /** How the forwarder is now; what only alarms know is added here. */
  readonly snapshot: () => Omit<AlarmSnapshot, "seen">;
  readonly store: AlarmStore;
  /** Writes to the event log of Windows; absent elsewhere. */
  readonly writeEvent?: WriteEvent;
  /** Makes the channels of a configuration; others in tests. */
  readonly channels?: (config: AlarmsConfig) => readonly Channel[];
}

/** The channels that a configuration names. */
export function channelsOf(
  config: AlarmsConfig,
  aeTitle: string,
  version: string,
  writeEvent?: WriteEvent,
): Channel[] {
  const sender = { site: config.name ?? aeTitle, version };
  return [
    ...(writeEvent === undefined ? [] : [new EventLog(writeEvent)]),
    ...(config.webhook === null ? [] : [new Webhook(config.webhook, sender)]),
    ...(config.email === null ? [] : [new Email(config.email, sender)]),
  ];
}

export class Alarms {
  readonly lastSeen: LastSeen;
  readonly #options: AlarmsOptions;
  #config: AlarmsConfig;
  #aeTitle: string;
  #machine: MachineState = EMPTY;
  #outboxes: Outbox[] = [];
  /** What waits for channels that are not configured now. */
  #unclaimed: Record<string, Waiting> = {};
  #cancel: (() => void) | undefined;
  #isSoon = false;
  #running = false;
  /** Something that has to be kept has changed. */
  #isKept = true;
  #keptAt = -Infinity;
  #keptText = stateText(NOTHING_KEPT);
  #cannotKeep = false;
  /** What went wrong last time, told once. */
  #trouble = "";

  constructor(options: AlarmsOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#aeTitle = options.aeTitle;
    this.lastSeen = new LastSeen(() => options.clock.now());
  }

  /** Takes over what an earlier run left, and begins to look. */
  start(): void {
    const kept = this.#load();
    this.#machine = kept.machine;
    this.#unclaimed = { ...kept.waiting };
    this.lastSeen.watch(this.#config.silent.map((one) => one.aeTitle), kept.seen);
    this.#running = true;
    this.#open();
    this.#wait(SOON_MS);
  }

  /** Something changed: looks soon. May be called at any rate. */
  changed(): void {
    if (!this.#running || this.#isSoon) return;
    this.#isSoon = true;
    this.#wait(SOON_MS);
  }

  /** What is wrong now, the worst first. */
  active(): AlarmView[] {
    return this.#machine.watched
      .filter((one) => one.active)
      .map(({ key, severity, text, since }) => ({ key, severity, text, since }))
      .sort((a, b) =>
        a.severity === b.severity ? a.since - b.since : a.severity === "critical" ? -1 : 1
      );
  }

  /** Sends a test through every channel: what each answered. */
  test(signal?: AbortSignal): Promise<ConnectionResult> {
    const site = this.#config.name ?? this.#aeTitle;
    return testOutboxes(this.#outboxes, site, this.#options.clock, signal);
  }

  /** Another configuration is in force: what goes on goes on, what waits is sent by the new channels. */
  async reconfigure(config: AlarmsConfig, aeTitle: string): Promise<void> {
    const isSame = aeTitle === this.#aeTitle && isDeepStrictEqual(config, this.#config);
    if (isSame) return this.changed();
    this.#config = config;
    this.#aeTitle = aeTitle;
    this.lastSeen.watch(config.silent.map((one) => one.aeTitle));
    const old = this.#outboxes;
    for (const one of old) this.#unclaimed[one.name] = one.waiting;
    this.#outboxes = [];
    // What an old channel is sending now may be sent by the new one again: better twice than not at all.
    await Promise.all(old.map((one) => one.stop(0)));
    if (!this.#running) return;
    this.#open();
    this.changed();
  }

  /** Tries once more what waits, within 3 s, and keeps the rest. Never throws. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    this.#cancel?.();
    await Promise.all(this.#outboxes.map((one) => one.stop(STOP_MS)));
    this.#keep();
  }

  #open(): void {
    const { clock, random, version, writeEvent } = this.#options;
    const make = this.#options.channels ??
      ((config) => channelsOf(config, this.#aeTitle, version, writeEvent));
    this.#outboxes = make(this.#config).map((channel) => {
      const waiting = this.#unclaimed[channel.name];
      delete this.#unclaimed[channel.name];
      const changed = () => this.#isKept = false;
      return new Outbox(channel, { clock, random, changed }, waiting);
    });
  }

  #wait(ms: number): void {
    this.#cancel?.();
    this.#cancel = this.#options.clock.after(ms, () => {
      this.#isSoon = false;
      this.#look();
      this.#wait(LOOK_MS);
    });
  }

  #look(): void {
    try {
      const now = this.#options.clock.now();
      const snapshot = { ...this.#options.snapshot(), seen: this.lastSeen.list() };
      const conditions = conditionsOf(snapshot, this.#config);
      const { state, events } = look(this.#machine, conditions, now, this.#config.repeatMs);
      this.#machine = state;
      for (const event of events) this.#tell(event);
      this.#trouble = "";
      if (events.length > 0) this.#isKept = false;
      // What has to be kept is written at once, what merely gets older now and then.
      if (!this.#isKept || Math.abs(now - this.#keptAt) >= KEEP_MS) this.#keep();
    } catch (error) {
      // A look that fails is no reason to stop looking; the forwarder has nothing to do with it.
      if (String(error) !== this.#trouble) log.error("Cannot look for alarms", { error });
      this.#trouble = String(error);
    }
  }

  #tell(event: AlarmEvent): void {
    const { key, severity, text } = event;
    if (event.event === "end") log.info("Alarm over: {text}", { text, key });
    else if (severity === "critical") log.error("ALARM: {text}", { text, key });
    else log.warn("Alarm: {text}", { text, key });
    for (const outbox of this.#outboxes) outbox.offer(event);
  }

  #keep(): void {
    this.#isKept = true;
    this.#keptAt = this.#options.clock.now();
    const waiting = Object.fromEntries([
      ...Object.entries(this.#unclaimed),
      ...this.#outboxes.map((one) => [one.name, one.waiting] as const),
    ].filter(([, { notices, left }]) => notices.length > 0 || left > 0));
    // Without anything to watch nothing gets older: a forwarder that is well writes nothing, minute after minute.
    const machine = this.#machine.watched.length === 0 ? EMPTY : this.#machine;
    const text = stateText({ machine, seen: this.lastSeen.list(), waiting });
    if (text === this.#keptText) return;
    try {
      this.#options.store.save(text);
      this.#keptText = text;
      this.#cannotKeep = false;
    } catch (error) {
      if (!this.#cannotKeep) {
        log.warn("Cannot keep the state of the alarms; a restart may tell some again", { error });
      }
      this.#cannotKeep = true;
    }
  }

  #load(): KeptState {
    let text: string | undefined;
    try {
      text = this.#options.store.load();
    } catch (error) {
      log.warn("Cannot read the state of the alarms; they begin anew", { error });
      return NOTHING_KEPT;
    }
    if (text === undefined) return NOTHING_KEPT;
    this.#keptText = text;
    const kept = readState(text);
    if (kept !== undefined) return kept;
    log.warn("The state of the alarms is damaged and ignored; they begin anew");
    return NOTHING_KEPT;
  }
}

/** Sends a test through channels without anything else running: what each answered. */
export function testChannels(
  config: AlarmsConfig,
  aeTitle: string,
  version: string,
  clock: Clock,
  signal: AbortSignal,
  writeEvent?: WriteEvent,
): Promise<ConnectionResult> {
  const options = { clock, random: () => 0, changed: () => {} };
  const outboxes = channelsOf(config, aeTitle, version, writeEvent).map((one) =>
    new Outbox(one, options)
  );
  return testOutboxes(outboxes, config.name ?? aeTitle, clock, signal);
}

async function testOutboxes(
  outboxes: readonly Outbox[],
  site: string,
  clock: Clock,
  signal?: AbortSignal,
): Promise<ConnectionResult> {
  const begun = performance.now();
  const ending = new AbortController();
  const cancel = clock.after(TEST_MS, () => ending.abort());
  const either = signal === undefined ? ending.signal : AbortSignal.any([signal, ending.signal]);
  const notice = testNotice(site, clock.now());
  log.info("Test of the alarms: {text}", { text: notice.text });
  const results = await Promise.all(outboxes.map(async (outbox) => {
    const { ok, text } = await outbox.test(notice, either);
    return { ok, line: `${outbox.name}: ${ok ? "sent" : "NOT SENT"}: ${text}` };
  }));
  cancel();
  const lines = results.map((one) => one.line);
  if (lines.length === 0) {
    lines.push(
      "Alarms go to the log alone: neither alarms.webhook nor alarms.email is configured.",
    );
  }
  return {
    ok: results.every((one) => one.ok),
    lines,
    duration: Math.round(performance.now() - begun),
  };
}
