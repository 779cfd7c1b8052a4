/*
 * The scheduler: from the queue to each destination's own line (`lane_group.ts`).
 *
 * Owns the fan-out, which is independent for each destination, and the holding back of studies. It never touches an
 * instance.
 */

import type { Clock } from "../clock.ts";
import type { Entry } from "../spool/entry.ts";
import { LaneGroup } from "./lane_group.ts";
import type { LineControl } from "./line_control.ts";
import type { DeliverySetting, DestinationSnapshot } from "./delivery_setting.ts";
import type { Destination } from "./outcome.ts";
import { StudyHold } from "./study_hold.ts";

export interface SchedulerOptions extends DeliverySetting {
  readonly clock: Clock;
  /** Forward each instance at once, or hold a study until it is quiet. */
  readonly forwardImmediately: boolean;
  readonly studyQuietMs: number;
}

export class Scheduler {
  readonly #groups = new Map<string, LaneGroup>();
  /** Destinations that get a study only when it is quiet. */
  readonly #patient = new Set<string>();
  readonly #hold: StudyHold | undefined;

  constructor(destinations: readonly Destination[], options: SchedulerOptions) {
    for (const destination of destinations) {
      this.#groups.set(destination.name, new LaneGroup(destination, options));
      if (destination.waitsForStudy) this.#patient.add(destination.name);
    }
    if (!options.forwardImmediately) {
      this.#hold = new StudyHold(
        options.studyQuietMs,
        options.clock,
        (entries) => this.#distribute(entries, (name) => this.#patient.has(name)),
      );
    }
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
    this.#hold?.hurry(entries);
    this.control(destination)?.hurry(entries);
  }

  snapshot(): DestinationSnapshot[] {
    return [...this.#groups.values()].map((group) => group.snapshot());
  }

  /** Begins nothing new and lets the attempts under way finish; what is left after `within` ms is aborted. */
  async stop(within: number): Promise<void> {
    this.#hold?.stop();
    await Promise.all([...this.#groups.values()].map((group) => group.stop(within)));
  }

  #distribute(entries: readonly Entry[], to: (destination: string) => boolean): void {
    const byDestination = new Map<string, Entry[]>();
    for (const entry of entries) {
      for (const { destination } of entry.waiting) {
        if (!to(destination)) continue;
        const list = byDestination.get(destination);
        if (list === undefined) byDestination.set(destination, [entry]);
        else list.push(entry);
      }
    }
    for (const [destination, list] of byDestination) this.#groups.get(destination)?.add(list);
  }
}
