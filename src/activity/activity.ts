/*
 * All that is counted of a running forwarder, behind one observer: metrics, throughput, studies, latency of the disk.
 *
 * Owns none of the figures itself; it hands each thing told to those who count it. Memory is bounded, whatever is told.
 */

import type { Clock } from "../clock.ts";
import { classifyStoreStatus } from "../dicom/status.ts";
import { escapeText } from "../log.ts";
import type { Count, Distribution } from "../metrics/family.ts";
import { ForwarderMetrics } from "../metrics/forwarder_metrics.ts";
import { RecentLatency } from "./latency.ts";
import type {
  AttemptResult,
  DeliveryObserver,
  ReceivedInstance,
  ReceptionObserver,
} from "./observer.ts";
import { StudyBook, type StudyBookOptions } from "./study_book.ts";
import { ThroughputRings } from "./throughput.ts";

/** Senders whose counts are found without a look at the metrics. */
const MOST_SENDERS_FOUND = 1_000;

export interface ActivityOptions<File>
  extends Pick<StudyBookOptions<File>, "identify" | "hasNone"> {
  readonly clock: Clock;
}

/** Since the start. */
export interface Totals {
  received: number;
  receivedBytes: number;
  refused: number;
  rejected: number;
}

/** What a destination's counts are, found once. */
interface DestinationCounts {
  readonly bytes: Count;
  readonly duration: Distribution;
  readonly age: Distribution;
  /** By the result of attempts. */
  readonly attempts: Map<AttemptResult, Count>;
  readonly delivered: Map<AttemptResult, Count>;
}

/** @template File what a study's file is found by */
export class Activity<File> implements ReceptionObserver, DeliveryObserver {
  readonly metrics = new ForwarderMetrics();
  readonly throughput: ThroughputRings;
  readonly syncs: RecentLatency;
  readonly studies: StudyBook<File>;
  readonly totals: Totals = { received: 0, receivedBytes: 0, refused: 0, rejected: 0 };
  readonly #clock: Clock;
  readonly #dropped = {
    rate: this.metrics.connectionsDropped.of("rate"),
    crowded: this.metrics.connectionsDropped.of("crowded"),
  };
  readonly #receiveDuration = this.metrics.receiveDuration.of();
  readonly #syncDuration = this.metrics.syncDuration.of();
  readonly #senders = new Map<string, { readonly instances: Count; readonly bytes: Count }>();
  readonly #destinations = new Map<string, DestinationCounts>();

  constructor({ clock, ...book }: ActivityOptions<File>) {
    this.#clock = clock;
    this.throughput = new ThroughputRings(clock.now());
    this.syncs = new RecentLatency(clock.now());
    this.studies = new StudyBook({ now: () => clock.now(), ...book });
  }

  received({ study, header, from, bytes, destinations, ms }: ReceivedInstance): void {
    this.totals.received++;
    this.totals.receivedBytes += bytes;
    const sender = this.#senders.get(from) ?? this.#sender(from);
    sender.instances.add();
    sender.bytes.add(bytes);
    this.#receiveDuration.observe(ms / 1000);
    this.throughput.received(this.#clock.now(), bytes);
    this.studies.received(study, header, from, bytes, destinations);
  }

  refused(status: number): void {
    this.totals.refused++;
    this.metrics.refused.of(classifyStoreStatus(status)).add();
  }

  associationAccepted(): void {
    this.metrics.associationsAccepted.of().add();
  }

  associationRejected(result: number, source: number, reason: number): void {
    this.totals.rejected++;
    this.metrics.associationsRejected.of(String(result), String(source), String(reason)).add();
  }

  connectionDropped(reason: "rate" | "crowded"): void {
    this.#dropped[reason].add();
  }

  /** @param ms that an instance waited for the disk */
  synced(ms: number): void {
    this.#syncDuration.observe(ms / 1000);
    this.syncs.add(this.#clock.now(), ms);
  }

  attempted(destination: string, result: AttemptResult, bytes: number, ms: number): void {
    const counts = this.#destination(destination);
    counts.duration.observe(ms / 1000);
    if (result === "stored" || result === "stored-with-warning") {
      counts.bytes.add(bytes);
      this.throughput.delivered(this.#clock.now(), bytes);
    }
    let count = counts.attempts.get(result);
    if (count === undefined) {
      count = this.metrics.attempts.of(destination, result);
      counts.attempts.set(result, count);
    }
    count.add();
  }

  /**
   * A destination has an instance.
   *
   * @param received ms since 1970
   */
  delivered(destination: string, study: string, result: AttemptResult, received: number): void {
    const counts = this.#destination(destination);
    counts.age.observe(Math.max(0, this.#clock.now() - received) / 1000);
    let count = counts.delivered.get(result);
    if (count === undefined) {
      count = this.metrics.delivered.of(destination, result);
      counts.delivered.set(result, count);
    }
    count.add();
    this.studies.delivered(study, destination);
  }

  gone(destination: string, study: string): void {
    this.studies.removed(study, destination, "queued");
  }

  /** @param why a few words of ours: `refused`, `unrouted` */
  failed(destination: string, study: string, why: string): void {
    this.metrics.failed.of(destination, why).add();
    this.studies.failed(study, destination);
  }

  retried(study: string, of: string, now: readonly string[]): void {
    this.studies.retried(study, of, now);
  }

  /** A person has one removed. */
  removed(destination: string, study: string, state: "queued" | "failed"): void {
    this.studies.removed(study, destination, state);
  }

  /** Bytes delivered to a destination since the start. */
  deliveredBytes(destination: string): number {
    return this.#destinations.get(destination)?.bytes.value ?? 0;
  }

  #sender(from: string): { readonly instances: Count; readonly bytes: Count } {
    const title = escapeText(from.trim());
    const sender = {
      instances: this.metrics.receivedInstances.of(title),
      bytes: this.metrics.receivedBytes.of(title),
    };
    // Bounded as the metrics are: who comes after has the one count of all others.
    if (this.#senders.size < MOST_SENDERS_FOUND) this.#senders.set(from, sender);
    return sender;
  }

  #destination(name: string): DestinationCounts {
    const known = this.#destinations.get(name);
    if (known !== undefined) return known;
    const counts = {
      bytes: this.metrics.deliveredBytes.of(name),
      duration: this.metrics.deliveryDuration.of(name),
      age: this.metrics.ageAtDelivery.of(name),
      attempts: new Map(),
      delivered: new Map(),
    };
    this.#destinations.set(name, counts);
    return counts;
  }
}
