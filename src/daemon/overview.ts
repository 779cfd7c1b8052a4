/*
 * How the forwarder is, in one view: put together from what each part of it knows.
 *
 * Owns no figure but the last answer to "how much is free", which is asked for at most once a second. Everything else is
 * counted elsewhere and read here, so that a view costs the same whatever waits.
 */

import manifest from "../../deno.json" with { type: "json" };
import type { Activity } from "../activity/activity.ts";
import type { Config, DestinationConfig } from "../config/load.ts";
import {
  type AlarmView,
  type DestinationState,
  destinationState,
  type DestinationView,
  type Overview,
} from "../control/views.ts";
import type { DestinationSnapshot } from "../delivery/delivery_setting.ts";
import { expose } from "../metrics/exposition.ts";
import { gaugesOf } from "../metrics/forwarder_metrics.ts";
import type { Counts, QueueIndex } from "../spool/queue_index.ts";
import { withoutPatient } from "./without_patient.ts";

/** How long an answer about free space is good for, in ms. */
const FREE_SPACE_MS = 1000;

/** Where the figures come from; all of them are had without waiting. */
export interface OverviewParts {
  /** ms since 1970 */
  readonly now: () => number;
  readonly config: () => Config;
  readonly activity: Pick<
    Activity<never>,
    "totals" | "syncs" | "deliveredBytes" | "metrics"
  >;
  readonly scheduler: () => { snapshot(): readonly DestinationSnapshot[]; readonly held: number };
  readonly spool: () => { refusesNew(): string | undefined };
  /** Bytes free where the spool is; undefined where the system does not say. */
  readonly freeBytes: () => number | undefined;
  /** Addresses listened on. */
  readonly listening: () => readonly string[];
  /** Incoming associations that are open. */
  readonly associations: () => number;
  /** What is in the spool. */
  readonly index: () => Pick<QueueIndex, "ages" | "counts" | "oldest" | "total">;
  /** Set aside in `corrupt/`. */
  readonly corrupt: () => number;
  /** Null until the balance is struck. */
  readonly missing: () => number | null;
  readonly alarms: () => readonly AlarmView[];
  /** What of the configuration file is not in force, in words. */
  readonly configuration: () => string | null;
}

export class OverviewMaker {
  readonly #parts: OverviewParts;
  readonly #started: number;
  #free: { readonly at: number; readonly bytes: number | null } | undefined;

  constructor(parts: OverviewParts) {
    this.#parts = parts;
    this.#started = parts.now();
  }

  /** How it is now. */
  overview(): Overview {
    const { now, config, activity, scheduler, spool, listening, associations } = this.#parts;
    const { corrupt, missing, alarms, configuration } = this.#parts;
    const { localAeTitle, minimumFreeSpace } = config();
    const at = now();
    const { median, p99 } = activity.syncs.read(at);
    const destinations = this.destinations();
    // Of all destinations, those included that instances without a route, or of a former destination, wait for.
    const index = this.#parts.index();
    return {
      version: manifest.version,
      aeTitle: localAeTitle,
      listening: [...listening()],
      started: this.#started,
      now: at,
      associations: associations(),
      ...activity.totals,
      queued: destinations.reduce((sum, { queued }) => sum + queued, 0),
      failed: index.total({ state: "failed" }),
      held: index.total({ state: "held" }),
      corrupt: corrupt(),
      heldForStudy: scheduler().held,
      missing: missing(),
      disk: {
        free: this.#freeBytes(at),
        reserve: minimumFreeSpace,
        refuses: spool().refusesNew() ?? null,
        syncMedian: median,
        syncP99: p99,
      },
      destinations,
      alarms: [...alarms()],
      configuration: configuration(),
    };
  }

  /** How each destination is, in the order of the configuration. */
  destinations(): DestinationView[] {
    const { config, activity, scheduler, now } = this.#parts;
    const index = this.#parts.index();
    const types = new Map(config().destinations.map(({ name, type }) => [name, type]));
    return scheduler().snapshot().map((snapshot) =>
      destinationViewOf(
        snapshot,
        types.get(snapshot.name) ?? "dicom",
        {
          ...index.counts(snapshot.name),
          oldest: index.oldest(snapshot.name) ?? null,
          ages: index.ages(snapshot.name, now()),
        },
        activity.deliveredBytes(snapshot.name),
      )
    );
  }

  /** Everything counted, in Prometheus' text format. */
  metrics(): string {
    const { rss } = Deno.memoryUsage();
    const gauges = gaugesOf(this.overview(), destinationState.options, rss);
    return expose([...gauges, ...this.#parts.activity.metrics.families()]);
  }

  #freeBytes(at: number): number | null {
    // By the distance: the clock may have been set back.
    if (this.#free === undefined || Math.abs(at - this.#free.at) >= FREE_SPACE_MS) {
      this.#free = { at, bytes: this.#parts.freeBytes() ?? null };
    }
    return this.#free.bytes;
  }
}

/** What is in the spool for a destination. */
export interface WaitingCounts extends Omit<Counts, "queued"> {
  /** ms since 1970; null where nothing waits. */
  readonly oldest: number | null;
  readonly ages: number[];
}

/** One destination as it shows itself. */
export function destinationViewOf(
  snapshot: DestinationSnapshot,
  type: DestinationConfig["type"],
  { failed, held, oldest, ages }: WaitingCounts,
  deliveredBytes: number,
): DestinationView {
  const { name, description, health, paused, since, waiting, sessions } = snapshot;
  const { lastAnswer, lastAnswerAt, delivered } = snapshot;
  const state: DestinationState = paused === null ? health.state : "paused";
  const down = health.state === "up" ? undefined : health;
  const folder = type === "directory" ? description : undefined;
  return {
    name,
    type,
    description,
    state,
    since,
    reason: paused !== null ? `paused by ${paused.by}` : withoutPatient(down?.reason ?? "", folder),
    attempts: down?.attempts ?? 0,
    nextAttempt: paused === null && waiting > 0 ? down?.nextAt ?? null : null,
    lastAnswer: withoutPatient(lastAnswer, folder),
    lastAnswerAt,
    sessions,
    queued: waiting,
    failed,
    held,
    oldest,
    ages,
    delivered,
    deliveredBytes,
  };
}
