/*
 * The scheduler: from the queue to each destination's own line (`lane_group.ts`).
 *
 * Owns the fan-out, which is independent for each destination, and the holding back of studies. It never touches an
 * instance. Destinations may come, change and go while it runs; what waits for one that goes is given back.
 */

import type { Clock } from "../clock.ts";
import type { Entry } from "../spool/entry.ts";
import { LaneGroup } from "./lane_group.ts";
import type { LineControl } from "./line_control.ts";
import type { DeliverySetting, DestinationSnapshot, Paused } from "./delivery_setting.ts";
import type { Destination } from "./outcome.ts";
import { StudyHold } from "./study_hold.ts";

export interface Forwarding {
  /** Forward each instance at once, or hold a study until it is quiet. */
  readonly forwardImmediately: boolean;
  readonly studyQuietMs: number;
}

export interface SchedulerOptions extends DeliverySetting, Forwarding {
  readonly clock: Clock;
}

/** What is to be delivered to from now on. */
export interface NewDestinations extends Forwarding {
  /** All of them, in their order: a name alone where nothing changes for it. */
  readonly destinations: readonly (Destination | string)[];
  /** ms until attempts that began with former settings are aborted */
  readonly within: number;
}

/** A destination that is gone, and what still waits for it when its last attempt is over. */
export interface Gone {
  readonly name: string;
  readonly left: Promise<readonly Entry[]>;
}

export class Scheduler {
  #groups = new Map<string, LaneGroup>();
  /** Destinations that get a study only when it is quiet. */
  readonly #patient = new Set<string>();
  /** Entries held of which a destination has been given its own already, by the destinations. */
  readonly #served = new WeakMap<Entry, readonly string[]>();
  readonly #options: SchedulerOptions;
  #hold: StudyHold | undefined;
  /** Groups of destinations that are gone, at their last attempts. */
  readonly #leaving = new Set<Promise<unknown>>();

  constructor(destinations: readonly Destination[], options: SchedulerOptions) {
    this.#options = options;
    for (const destination of destinations) {
      this.#groups.set(destination.name, new LaneGroup(destination, options));
      if (destination.waitsForStudy) this.#patient.add(destination.name);
    }
    this.#holdBack(options);
  }

  /** Instances that entered the queue, in the order they are to go. */
  add(entries: readonly Entry[]): void {
    if (this.#hold === undefined) {
      this.#distribute(entries, () => true);
      return;
    }
    this.#distribute(entries, (name) => !this.#patient.has(name));
    for (const entry of entries) {
      if (entry.waiting.some((one) => this.#patient.has(one.destination))) this.#hold.add(entry);
    }
  }

  /** Instances that wait for one destination, whatever else they wait for is seen to. */
  addTo(destination: string, entries: readonly Entry[]): void {
    this.#groups.get(destination)?.add(entries.filter((entry) => entry.waitsFor(destination)));
  }

  /** Instances held back until their study is quiet. */
  get held(): number {
    return this.#hold?.length ?? 0;
  }

  /** What a person may do to what waits for a destination; undefined where there is none of that name. */
  control(destination: string): LineControl | undefined {
    return this.#groups.get(destination)?.control;
  }

  /** A person wants these attempted now: neither their study nor their own delay is waited for. */
  hurry(destination: string, entries: ReadonlySet<Entry>): void {
    this.control(destination)?.hurry(entries);
    if (this.#patient.has(destination)) {
      this.addTo(destination, this.#takeHeld(destination, (entry) => entries.has(entry)));
    }
  }

  snapshot(): DestinationSnapshot[] {
    return [...this.#groups.values()].map((group) => group.snapshot());
  }

  /** False where there is no such destination, as in the two below. */
  pause(destination: string, paused: Paused): boolean {
    return this.#with(destination, (group) => group.pause(paused));
  }

  resume(destination: string): boolean {
    return this.#with(destination, (group) => group.resume());
  }

  tryNow(destination: string): boolean {
    return this.#with(destination, (group) => group.tryNow());
  }

  /**
   * Goes on with other destinations, and holds studies back in another way. From its return on, what is added goes by the
   * new ones.
   */
  configure({ destinations, within, ...forwarding }: NewDestinations): Gone[] {
    const before = this.#groups;
    this.#groups = new Map();
    for (const one of destinations) {
      const name = typeof one === "string" ? one : one.name;
      const group = before.get(name);
      if (group !== undefined) this.#groups.set(name, group);
      if (typeof one === "string") continue;
      if (group === undefined) this.#groups.set(name, new LaneGroup(one, this.#options));
      else group.replace(one, within);
      this.#setPatient(name, one.waitsForStudy);
    }
    const gone = [...before].filter(([name]) => !this.#groups.has(name)).map(([name, group]) => {
      const held = this.#takeHeld(name);
      this.#patient.delete(name);
      const left = group.stop(within).then((waiting) => [...waiting, ...held]);
      const leaving = left.finally(() => this.#leaving.delete(leaving));
      this.#leaving.add(leaving);
      return { name, left };
    });
    this.#holdBack(forwarding);
    return gone;
  }

  /** Begins nothing new and lets the attempts under way finish; what is left after `within` ms is aborted. */
  async stop(within: number): Promise<void> {
    this.#hold?.stop();
    await Promise.all([
      ...[...this.#groups.values()].map((group) => group.stop(within)),
      ...this.#leaving,
    ]);
  }

  #with(destination: string, use: (group: LaneGroup) => void): boolean {
    const group = this.#groups.get(destination);
    if (group === undefined) return false;
    use(group);
    this.#options.changed();
    return true;
  }

  #holdBack({ forwardImmediately, studyQuietMs }: Forwarding): void {
    if (!forwardImmediately) {
      this.#hold?.waitFor(studyQuietMs);
      this.#hold ??= new StudyHold(
        studyQuietMs,
        this.#options.clock,
        (entries) =>
          this.#distribute(
            entries,
            (name, entry) =>
              this.#patient.has(name) && this.#served.get(entry)?.includes(name) !== true,
          ),
      );
      return;
    }
    const hold = this.#hold;
    this.#hold = undefined;
    hold?.releaseAll();
  }

  /** What is held for a destination that waits no longer goes to it; what one that begins to wait has had stays so. */
  #setPatient(name: string, isPatient: boolean): void {
    if (isPatient === this.#patient.has(name)) return;
    const held = this.#takeHeld(name);
    if (isPatient) this.#patient.add(name);
    else {
      this.#patient.delete(name);
      this.addTo(name, held);
    }
  }

  /** What is held and wants a destination, which no longer is held for it. */
  #takeHeld(name: string, which: (entry: Entry) => boolean = () => true): Entry[] {
    const taken: Entry[] = [];
    for (const entry of this.#hold?.entries() ?? []) {
      const served = this.#served.get(entry) ?? [];
      if (!entry.waitsFor(name) || served.includes(name) || !which(entry)) continue;
      this.#served.set(entry, [...served, name]);
      if (this.#patient.has(name)) taken.push(entry);
    }
    return taken;
  }

  #distribute(
    entries: readonly Entry[],
    to: (destination: string, entry: Entry) => boolean,
  ): void {
    const byDestination = new Map<string, Entry[]>();
    for (const entry of entries) {
      for (const { destination } of entry.waiting) {
        if (!to(destination, entry)) continue;
        const list = byDestination.get(destination);
        if (list === undefined) byDestination.set(destination, [entry]);
        else list.push(entry);
      }
    }
    for (const [destination, list] of byDestination) this.#groups.get(destination)?.add(list);
  }
}
