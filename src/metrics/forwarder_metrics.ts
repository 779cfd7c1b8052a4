/*
 * The forwarder's metrics: their names, units and labels, in one place.
 *
 * Names follow Prometheus' conventions (base units, `_total` for what only grows). Renaming one breaks dashboards and
 * alerts of others: `docs/grafana-dashboard.json` and `docs/prometheus-alerts.yml` are held to these by a test. No patient
 * data is in any of them.
 */

import { escapeText } from "../log.ts";
import { Counter, type Family, gauge, Histogram } from "./family.ts";

/** AE titles of senders told apart; they come from the network, and anybody who may connect can invent more. */
export const MOST_SENDERS = 200;

/** Upper ends of buckets, in s. */
const SYNC = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5];
const TRANSFER = [
  0.0005,
  0.001,
  0.002,
  0.005,
  0.01,
  0.02,
  0.05,
  0.1,
  0.2,
  0.5,
  1,
  2,
  5,
  10,
  30,
  60,
  300,
];
const AGE = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400, 604_800];

/** What is counted as it happens. */
export class ForwarderMetrics {
  readonly receivedInstances = new Counter(
    "dicomforwarder_received_instances_total",
    "Instances received and answered with Success, by the sender's AE title.",
    ["calling_ae_title"],
    MOST_SENDERS,
  );
  readonly receivedBytes = new Counter(
    "dicomforwarder_received_bytes_total",
    "Bytes of data sets received and answered with Success, by the sender's AE title.",
    ["calling_ae_title"],
    MOST_SENDERS,
  );
  readonly refused = new Counter(
    "dicomforwarder_refused_instances_total",
    "Instances refused by an answer other than Success, by the class of the status.",
    ["status_class"],
  );
  readonly associationsAccepted = new Counter(
    "dicomforwarder_associations_accepted_total",
    "Incoming associations accepted.",
  );
  readonly associationsRejected = new Counter(
    "dicomforwarder_associations_rejected_total",
    "Incoming associations rejected, by the numbers of the A-ASSOCIATE-RJ (PS3.8 Table 9-21).",
    ["result", "source", "reason"],
  );
  readonly connectionsDropped = new Counter(
    "dicomforwarder_connections_dropped_total",
    "Incoming connections closed unheard: faster than connection_rate (rate), or too many open (crowded).",
    ["reason"],
  );
  readonly receiveDuration = new Histogram(
    "dicomforwarder_receive_duration_seconds",
    "From the first bytes of a C-STORE request to its answer of Success.",
    TRANSFER,
  );
  readonly syncDuration = new Histogram(
    "dicomforwarder_sync_duration_seconds",
    "How long an instance waited for the disk before it was answered.",
    SYNC,
  );
  readonly attempts = new Counter(
    "dicomforwarder_attempts_total",
    "Attempts to deliver an instance, by destination and what came of them.",
    ["destination", "status_class"],
  );
  readonly delivered = new Counter(
    "dicomforwarder_delivered_instances_total",
    "Instances delivered, by destination and the class of its answer.",
    ["destination", "status_class"],
  );
  readonly deliveredBytes = new Counter(
    "dicomforwarder_delivered_bytes_total",
    "Bytes of data sets delivered, as stored, by destination.",
    ["destination"],
  );
  readonly failed = new Counter(
    "dicomforwarder_failed_instances_total",
    "Instances given up and kept in failed/, by destination and why.",
    ["destination", "status_class"],
  );
  readonly deliveryDuration = new Histogram(
    "dicomforwarder_delivery_duration_seconds",
    "One attempt to deliver an instance, from its beginning to what came of it.",
    TRANSFER,
    ["destination"],
  );
  readonly ageAtDelivery = new Histogram(
    "dicomforwarder_age_at_delivery_seconds",
    "From the reception of an instance to its delivery.",
    AGE,
    ["destination"],
  );

  /** All of them. */
  families(): Family[] {
    return [
      this.receivedInstances,
      this.receivedBytes,
      this.refused,
      this.associationsAccepted,
      this.associationsRejected,
      this.connectionsDropped,
      this.receiveDuration,
      this.syncDuration,
      this.attempts,
      this.delivered,
      this.deliveredBytes,
      this.failed,
      this.deliveryDuration,
      this.ageAtDelivery,
    ];
  }
}

/** A destination's gauges. */
export interface DestinationGauges {
  readonly name: string;
  readonly state: string;
  readonly queued: number;
  readonly failed: number;
  readonly held: number;
  /** ms since 1970; null where nothing waits. */
  readonly oldest: number | null;
  readonly sessions: number;
}

/** What the gauges are made of; times in ms since 1970, sizes in bytes. */
export interface GaugeFigures {
  readonly version: string;
  readonly started: number;
  readonly now: number;
  readonly associations: number;
  readonly failed: number;
  readonly corrupt: number;
  readonly missing: number | null;
  readonly heldForStudy: number;
  readonly disk: {
    readonly free: number | null;
    readonly reserve: number;
    readonly refuses: string | null;
  };
  readonly destinations: readonly DestinationGauges[];
  readonly alarms: readonly { readonly severity: string }[];
}

/**
 * How things are now.
 *
 * @param states every state a destination can be in: one line each, 1 for the one it is in
 * @param residentBytes memory of the process
 */
export function gaugesOf(
  figures: GaugeFigures,
  states: readonly string[],
  residentBytes: number,
): Family[] {
  const { destinations, disk, now } = figures;
  const each = (value: (one: DestinationGauges) => number) =>
    destinations.map((one) => [{ destination: one.name }, value(one)] as const);
  const one = (value: number) => [[{}, value]] as const;
  const severity = (name: string) => figures.alarms.filter((each) => each.severity === name).length;
  return [
    gauge(
      "dicomforwarder_build_info",
      "Always 1; the version is its label.",
      [[{ version: escapeText(figures.version) }, 1]],
    ),
    gauge(
      "dicomforwarder_start_time_seconds",
      "When the forwarder was started, in seconds since 1970.",
      one(figures.started / 1000),
    ),
    gauge(
      "dicomforwarder_associations_open",
      "Incoming associations open now.",
      one(figures.associations),
    ),
    gauge(
      "dicomforwarder_queued_instances",
      "Instances that wait for a destination.",
      each(({ queued }) => queued),
    ),
    gauge(
      "dicomforwarder_failed_instances",
      "Instances in failed/ for a configured destination, until a person sees to them.",
      each(({ failed }) => failed),
    ),
    gauge(
      "dicomforwarder_failed_instances_all",
      "Instances in failed/ all told: those without a route or without a configured destination, too.",
      one(figures.failed),
    ),
    gauge(
      "dicomforwarder_held_instances",
      "Instances that a person holds back.",
      each(({ held }) => held),
    ),
    gauge(
      "dicomforwarder_oldest_queued_age_seconds",
      "How long the oldest instance that waits for a destination has waited; 0 where none does.",
      each(({ oldest }) => oldest === null ? 0 : Math.max(0, now - oldest) / 1000),
    ),
    gauge(
      "dicomforwarder_destination_state",
      "1 for the state that a destination is in, 0 for the others.",
      destinations.flatMap(({ name, state }) =>
        states.map((each) => [{ destination: name, state: each }, each === state ? 1 : 0] as const)
      ),
    ),
    gauge(
      "dicomforwarder_destination_sessions",
      "Associations (or folders) open to a destination now.",
      each(({ sessions }) => sessions),
    ),
    gauge(
      "dicomforwarder_disk_free_bytes",
      "Bytes free where the spool is.",
      disk.free === null ? [] : one(disk.free),
    ),
    gauge(
      "dicomforwarder_disk_reserve_bytes",
      "Bytes that must stay free for new instances to be taken (minimum_free_space).",
      one(disk.reserve),
    ),
    gauge(
      "dicomforwarder_spool_refuses",
      "1 where no new instance is taken, for want of room or of a disk that works.",
      one(disk.refuses === null ? 0 : 1),
    ),
    gauge(
      "dicomforwarder_corrupt_instances",
      "Instances set aside in corrupt/.",
      one(figures.corrupt),
    ),
    gauge(
      "dicomforwarder_missing_instances",
      "Pairs of instance and destination that the ledger knows and the spool does not have; absent until that is known.",
      figures.missing === null ? [] : one(figures.missing),
    ),
    gauge(
      "dicomforwarder_held_for_study_instances",
      "Instances held back until their study is quiet.",
      one(figures.heldForStudy),
    ),
    gauge("dicomforwarder_alarms_active", "Alarms active now, by severity.", [
      [{ severity: "warning" }, severity("warning")],
      [{ severity: "critical" }, severity("critical")],
    ]),
    gauge(
      "process_resident_memory_bytes",
      "Resident memory of the process in bytes.",
      one(residentBytes),
    ),
  ];
}
