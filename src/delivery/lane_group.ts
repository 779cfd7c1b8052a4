/*
 * Delivery to one destination: what waits for it, how it is, and the sessions that work on it.
 *
 * Owns when an attempt is made and what follows its outcome; how an attempt is made is the destination's, how long to wait
 * is `retry.ts` and `destination_health.ts`. Nothing here polls: a new entry, the end of an attempt or a timer for the
 * next one due wakes it. An outcome it was never told of leaves the instance in the line.
 */

import { getLog } from "../log.ts";
import type { Entry } from "../spool/entry.ts";
import {
  FRESH,
  type Health,
  onAnswer,
  onExhausted,
  onInterrupted,
  onMisconfigured,
  onSuccess,
  onUnreachable,
  toBeTriedNow,
} from "./destination_health.ts";
import { DueTimer } from "./due_timer.ts";
import { Gate } from "./gate.ts";
import { HealthLog } from "./health_log.ts";
import { Lane } from "./lane.ts";
import { type LaneHost, runLane } from "./lane_run.ts";
import { type Destination, DestinationError, type Outcome, type Receipt } from "./outcome.ts";
import {
  tellDelivered,
  tellGivenUp,
  tellGone,
  tellNotAuthorised,
  tellNotTaken,
} from "./instance_log.ts";
import { LineControl } from "./line_control.ts";
import type { DeliverySetting, DestinationSnapshot, Paused } from "./delivery_setting.ts";
import { deliveredEvent, failedEvent } from "./ledger_events.ts";
import { afterTrouble, TROUBLES, type Troubles } from "./retry.ts";
import { SessionLimit } from "./session_limit.ts";
import { TroubleBook } from "./trouble_book.ts";
import { WaitingLine } from "./waiting_line.ts";

const log = getLog("delivery");

/** Instances not authorised in a row that show that none is. */
const DENIALS_THAT_SHOW = 3;

/** A clock that goes back by less than this is merely being kept right, in ms. */
const SET_BACK_MS = 10_000;

/** One more session is opened when so many entries wait for each that runs. */
const WAITING_PER_SESSION = 4;

export class LaneGroup {
  #destination: Destination;
  /** Takes the place of `#destination` when what is under way is over. */
  #next: Destination | undefined;
  readonly #setting: DeliverySetting;
  #healthLog: HealthLog;
  readonly #line = new WaitingLine();
  #troubles = new TroubleBook();
  /** What a person may do to what waits. */
  readonly control = new LineControl({
    line: this.#line,
    trouble: (entry) => this.#troubles.last(entry),
    isWanted: (entry) => this.#isWanted(entry),
    wake: () => this.#wake(),
  });
  /** Entries of which an attempt ended without an answer. */
  #mayHaveArrived = new WeakSet<Entry>();
  readonly #lanes = new Set<Lane>();
  readonly #running = new Set<Promise<void>>();
  readonly #gate = new Gate();
  #paused: Paused | null = null;
  #health: Health = FRESH;
  /** Since when it is up or not, in ms since 1970; null = since the start. */
  #since: number | null = null;
  /** Entries that still want this destination, those being attempted included. */
  #waiting = 0;
  /** Instances in a row that the destination did not authorise. */
  #denials = 0;
  #delivered = 0;
  #failed = 0;
  #lastAnswer = "";
  #lastAnswerAt: number | null = null;
  readonly #limit = new SessionLimit();
  /** The latest time seen, in ms since 1970. */
  #latest = 0;
  readonly #timer: DueTimer;
  readonly #host: LaneHost;

  constructor(destination: Destination, setting: DeliverySetting) {
    this.#destination = destination;
    this.#setting = setting;
    this.#healthLog = new HealthLog(destination.name, destination.description);
    this.#timer = new DueTimer(setting.clock, () => this.#wake());
    this.#host = {
      line: this.#line,
      running: this.#running,
      clock: setting.clock,
      isWell: () => this.#health.state === "up",
      isWanted: (entry) => this.#isWanted(entry),
      begin: (entry) => this.#isWanted(entry) && this.control.begin(entry),
      notAttempted: (entry) => this.control.end(entry),
      settle: (entry, outcome) => this.#settleSafely(entry, outcome),
      mayHaveArrived: (entry) => void this.#mayHaveArrived.add(entry),
      failed: (error) => this.#destinationFailed(error),
      cannotOpen: (error) => this.#cannotOpen(error),
    };
  }

  get name(): string {
    return this.#destination.name;
  }

  snapshot(): DestinationSnapshot {
    return {
      name: this.name,
      description: (this.#next ?? this.#destination).description,
      paused: this.#paused,
      since: this.#paused?.since ?? this.#since,
      health: this.#health,
      waiting: this.#waiting,
      sessions: this.#lanes.size,
      delivered: this.#delivered,
      failed: this.#failed,
      lastAnswer: this.#lastAnswer,
      lastAnswerAt: this.#lastAnswerAt,
    };
  }

  /** Entries for this destination, in the order they are to go. */
  add(entries: readonly Entry[]): void {
    for (const entry of entries) this.#line.push(entry);
    this.#waiting += entries.length;
    this.#wake();
  }

  /** Begins no attempt until `resume`; those under way finish, and what is idle is released. */
  pause(paused: Paused): void {
    this.#paused = paused;
    this.#gate.pause();
    this.#endTurn();
  }

  resume(): void {
    this.#paused = null;
    this.#gate.resume();
    this.#wake();
  }

  /** Forgets whatever it waits for, and attempts what there is. */
  tryNow(): void {
    this.#health = toBeTriedNow(this.#health, this.#now());
    this.#limit.forget();
    this.#line.ripen(Infinity);
    this.#wake();
  }

  /**
   * Goes on with other settings, of the same name: the attempts under way finish by those they began with.
   *
   * @param within ms until what is left of them is aborted
   */
  replace(destination: Destination, within: number): void {
    this.#next = destination;
    if (!this.#gate.change()) return;
    void this.#quiet(within).then(() => this.#changeOver());
  }

  #changeOver(): void {
    const next = this.#next;
    this.#next = undefined;
    if (next === undefined || this.#gate.isStopped) return;
    if (next.description !== this.#destination.description) {
      // Another node: what the former one did says nothing of it.
      this.#health = FRESH;
      this.#since = this.#now();
      this.#troubles = new TroubleBook();
      this.#mayHaveArrived = new WeakSet();
      this.#denials = 0;
    }
    this.#destination = next;
    this.#healthLog = new HealthLog(next.name, next.description);
    this.#gate.changed();
    this.tryNow();
    this.#setting.changed();
  }

  /**
   * Begins no further attempt, lets those under way finish, and aborts what is left.
   *
   * @param within ms until the rest is aborted
   * @returns what still wants this destination then
   */
  async stop(within: number): Promise<Entry[]> {
    this.#gate.stop();
    this.#timer.set(Infinity, this.#now());
    await this.#quiet(within);
    this.#line.ripen(Infinity);
    const left = [...this.#line.take(Infinity), ...this.control.takePassedOver()];
    return left.filter((entry) => entry.waitsFor(this.name));
  }

  async #quiet(within: number): Promise<void> {
    this.#endTurn();
    const cancel = this.#setting.clock.after(within, () => {
      for (const lane of this.#lanes) void lane.session?.abort();
    });
    while (this.#running.size > 0) await Promise.all(this.#running);
    cancel();
  }

  #endTurn(): void {
    for (const lane of this.#lanes) lane.wake();
  }

  /** Starts or wakes lanes as far as there is work and the destination is well, and sets the timer for the rest. */
  #wake(): void {
    if (this.#gate.signal.aborted) return;
    const now = this.#now();
    // A clock that was set back must not put off for a day what was due in a minute.
    const setBack = now < this.#latest - SET_BACK_MS;
    if (setBack) this.#limit.forget();
    this.#latest = now;
    this.#line.ripen(setBack ? Infinity : now);
    if (this.#health.state !== "up") {
      const due = setBack || this.#health.nextAt <= now;
      // One lane goes and looks; the others follow when it has come through.
      if (this.#lanes.size === 0 && due && this.#line.ready > 0) {
        this.#startLane();
      }
    } else if (this.#line.ready > 0) {
      const parked = [...this.#lanes].filter((lane) => lane.parked);
      const useful = Math.ceil(this.#line.ready / WAITING_PER_SESSION);
      for (const lane of parked.slice(0, useful)) lane.wake();
      // Many entries may come at once, and no success need change the health any more: so all that are wanted, now.
      if (parked.length >= useful) return this.#setTimer(now);
      while (this.#lanes.size < this.#wantedLanes(this.#health.sessions)) this.#startLane();
    }
    this.#setTimer(now);
  }

  #wantedLanes(allowed: number): number {
    const most = Math.min(allowed, this.#destination.sessions, this.#limit.most(this.#now()));
    if (this.#lanes.size === 0) return Math.min(1, most);
    return this.#line.ready >= WAITING_PER_SESSION * this.#lanes.size ? most : 0;
  }

  #setTimer(now: number): void {
    if (this.#gate.signal.aborted) return this.#timer.set(Infinity, now);
    let at = this.#line.nextDueAt ?? Infinity;
    if (this.#health.state !== "up" && this.#lanes.size === 0 && this.#line.ready > 0) {
      at = Math.min(at, this.#health.nextAt);
    }
    this.#timer.set(at, now);
  }

  #startLane(): void {
    const lane = new Lane();
    this.#lanes.add(lane);
    const run = runLane(lane, this.#destination, this.#gate.signal, this.#host).catch((error) => {
      log.error("Delivery to {destination} met an error of this program", {
        destination: this.name,
        error,
      });
      this.#setHealth(
        onUnreachable(this.#health, String(error), this.#now(), this.#setting.backOff, 1),
      );
    }).finally(() => {
      this.#lanes.delete(lane);
      this.#running.delete(run);
      this.#wake();
    });
    this.#running.add(run);
  }

  /** One more session does not come about: it is down, or has no room for one more. */
  #cannotOpen(error: unknown): void {
    const open = [...this.#lanes].filter((other) => other.session?.usable).length;
    if (open === 0) return this.#destinationFailed(error);
    this.#limit.found(open, this.#now());
    log.debug("Destination {destination} takes no further session", {
      destination: this.name,
      sessions: open,
      reason: error instanceof Error ? error.message : String(error),
    });
  }

  /** False where the entry left the queue by another destination's doing (damaged) or a person's: then it is over here, too. */
  #isWanted(entry: Entry): boolean {
    const wanted = entry.waitsFor(this.name);
    if (!wanted) this.#over(entry);
    return wanted;
  }

  /** What cannot be settled, because the disk does not do its part, is tried again later. */
  #settleSafely(entry: Entry, outcome: Outcome): Promise<void> | undefined {
    const receipt = this.#receiptIn(entry, outcome);
    if (receipt === undefined) {
      return this.#settle(entry, outcome)
        .catch((error) => this.#unsettled(entry, error))
        .finally(() => {
          this.control.end(entry);
          // What is to be tried again is due at its time, not when this session is over.
          this.#setTimer(this.#now());
        });
    }
    // A promise for each of the many would be waste: there is nothing to wait for.
    try {
      this.#deliveredOne(entry, receipt, outcome.kind === "delivered" && outcome.warning);
    } catch (error) {
      this.#unsettled(entry, error);
      this.control.end(entry);
    }
    return undefined;
  }

  /** The destination's word that it has the instance, from this attempt or an earlier one; undefined where it has not. */
  #receiptIn(entry: Entry, outcome: Outcome): Receipt | undefined {
    if (outcome.kind === "delivered") return outcome;
    if (outcome.kind !== "duplicate" || !this.#mayHaveArrived.has(entry)) return undefined;
    return { ...outcome, answer: `${outcome.answer}, so an earlier attempt arrived` };
  }

  #unsettled(entry: Entry, error: unknown): void {
    log.error("Cannot put an instance where it belongs; it stays in the queue", {
      destination: this.name,
      entry: entry.base,
      error,
    });
    this.#line.delay(entry, this.#now() + this.#setting.backOff.mostMs);
    this.#setTimer(this.#now());
  }

  async #settle(
    entry: Entry,
    outcome: Outcome,
  ): Promise<void> {
    const { spool } = this.#setting;
    switch (outcome.kind) {
      case "duplicate":
        await this.#trouble(entry, "refused", outcome.answer);
        return;
      case "interrupted":
        this.#mayHaveArrived.add(entry);
        // We did it ourselves; it goes with what else is left.
        if (this.#gate.isEnding) return this.#line.putBack([entry]);
        await this.#trouble(entry, "interrupted", outcome.reason);
        return;
      case "held":
      case "refused":
      case "out-of-resources":
      case "protocol-error":
      case "not-an-answer":
        await this.#trouble(entry, TROUBLES[outcome.kind], outcome.reason);
        return;
      case "misconfigured":
        this.#denied(entry, outcome.reason);
        return;
      case "corrupt":
        log.error("Stored instance is damaged and set aside in corrupt/: {reason}", {
          reason: outcome.reason,
          destination: this.name,
        });
        await spool.setAside(entry, outcome.reason);
        this.#over(entry);
        return;
      case "gone":
        this.#over(entry);
        tellGone(this.name, entry);
        return;
      case "delivered":
      case "reopen":
        throw new Error(
          "Defect: an instance that arrived or was not attempted has nothing to settle",
        );
    }
  }

  /** Not authorised: this instance perhaps, or all of us; a few in a row tell. Nothing is spent, and others go first. */
  #denied(entry: Entry, reason: string): void {
    const now = this.#now();
    this.#answered(reason);
    this.#denials++;
    if (this.#denials >= DENIALS_THAT_SHOW) {
      this.#setHealth(onMisconfigured(this.#health, reason, now));
    }
    this.#line.delay(entry, now + this.#setting.backOff.mostMs);
    tellNotAuthorised(this.name, entry, reason);
  }

  /** An entry needs nothing more of this destination. */
  #over(entry: Entry): void {
    this.#troubles.forget(entry);
    this.#waiting--;
  }

  #deliveredOne(entry: Entry, receipt: Receipt, warning: boolean): void {
    const { spool, ledger } = this.#setting;
    const { answer } = receipt;
    this.#over(entry);
    this.#denials = 0;
    this.#delivered++;
    this.#answered(receipt.brief ?? answer);
    ledger.append(
      deliveredEvent(entry, this.name, receipt),
      () => {
        spool.delivered(entry, this.name);
        this.control.end(entry);
      },
    );
    const before = this.#health;
    this.#setHealth(onSuccess(before, this.#destination.sessions, this.#now()));
    // Room for one more session, perhaps.
    if (this.#health !== before) this.#wake();
    tellDelivered(this.#destination, entry, answer, warning);
  }

  /** An instance was not taken: its own count, the destination's health, and what follows. */
  async #trouble(entry: Entry, kind: keyof Troubles, reason: string): Promise<void> {
    const { spool, ledger, backOff, random } = this.#setting;
    const now = this.#now();
    const met = this.#troubles.note(entry, kind, this.#delivered, reason);
    const { counts, attempts } = met;
    if (kind === "refused") counts.refused = spool.countTry(entry, this.name);
    const tries = counts[kind];
    // What the disk does not give has been no word of the destination's.
    if (kind !== "held") this.#answered(reason);
    if (kind === "interrupted") {
      // It may be this one instance that the destination cannot bear: who reads that it is down should know.
      const sop = entry.sopInstanceUid || entry.base;
      const told = `${reason} (on instance ${sop}, attempt ${attempts} of it)`;
      this.#setHealth(onInterrupted(this.#health, told, now, backOff, random()));
    } else if (kind === "outOfResources") {
      this.#setHealth(onExhausted(this.#health, reason, now, backOff, random()));
    } else if (kind !== "held") this.#setHealth(onAnswer(this.#health));
    const { retryAttempts } = this.#destination;
    const next = afterTrouble(kind, met, retryAttempts, backOff, random());
    if (!this.#isWanted(entry)) return;
    if (next.kind === "again") {
      met.dueAt = now + next.delayMs;
      this.#line.delay(entry, met.dueAt);
      // While the destination is down, its own lines say so; one for each attempt would say nothing more.
      if (this.#health.state !== "up") return;
      tellNotTaken(this.name, entry, reason, tries, next.delayMs);
      return;
    }
    const when = new Date(now).toISOString();
    const why = { kind: "refused", reason, when, tries } as const;
    // A command took it away in the meantime.
    if (!await spool.fail(entry, this.name, why)) return this.#over(entry);
    ledger.append(failedEvent(entry, this.name, { kind: "refused", reason, tries }));
    this.#over(entry);
    this.#failed++;
    tellGivenUp(this.name, entry, reason, tries);
    this.#setting.changed();
  }

  #destinationFailed(error: unknown): void {
    const { backOff, random } = this.#setting;
    const now = this.#now();
    if (error instanceof DestinationError) {
      this.#answered(error.message);
      // What seemed to be its limit may have been its end.
      this.#limit.forget();
      this.#setHealth(
        error.kind === "misconfigured"
          ? onMisconfigured(this.#health, error.message, now)
          : onUnreachable(this.#health, error.message, now, backOff, random()),
      );
      return;
    }
    throw error;
  }

  #setHealth(next: Health): void {
    const before = this.#health;
    this.#health = next;
    if (before.state !== next.state) this.#since = this.#now();
    if (this.#healthLog.changed(before, next, this.#waiting, this.#now())) this.#setting.changed();
  }

  #answered(words: string): void {
    this.#lastAnswer = words;
    this.#lastAnswerAt = this.#now();
  }

  #now(): number {
    return this.#setting.clock.now();
  }
}
