/*
 * What can be seen of a running forwarder: the shapes that the status pages, the HTTP API and the command line share.
 *
 * Owns the shapes alone; the API's description (OpenAPI) is made from them. Times are ms since 1970, durations ms, sizes
 * bytes. Texts that came over the network are as they came: whoever shows them makes them harmless. Patient data stands in
 * `Identification` and `Study`; and, unless `log_patient_info` is false, in the reason of a queue item, the ledger's events
 * and the log, where a destination's comment or an archive's path has it.
 */

import { z } from "zod";
import { AGE_WORDS } from "./ages.ts";

const time = z.number().meta({ description: "ms since 1970" });
const duration = z.number().min(0).meta({ description: "ms" });
const count = z.int().min(0);
const bytes = z.number().min(0);

/** How a destination is. `paused` where a person has paused it, whatever its health. */
export const destinationState = z.enum(["up", "down", "misconfigured", "paused"]);
export type DestinationState = z.output<typeof destinationState>;

export const destinationView = z.object({
  name: z.string(),
  type: z.enum(["dicom", "directory"]),
  /** For people: `PACS at 10.0.0.1:104`. */
  description: z.string(),
  state: destinationState,
  /** Since when it has been in this state; null where it has been so since the start. */
  since: time.nullable(),
  /** Why it is down, misconfigured or paused, in words; empty where it is up. */
  reason: z.string(),
  /** Failed attempts in a row. */
  attempts: count,
  /** When the next attempt is made; null where one may be made now, or none will be. */
  nextAttempt: time.nullable(),
  /** What it answered last, in words, and when; empty and null where nothing has been sent since the start. */
  lastAnswer: z.string(),
  lastAnswerAt: time.nullable(),
  /** Sessions (associations) open now. */
  sessions: count,
  queued: count,
  failed: count,
  /** Instances that a person holds back. */
  held: count,
  /** When the oldest that waits was received; null where nothing waits. */
  oldest: time.nullable(),
  ages: z.array(count).length(AGE_WORDS.length).meta({
    description:
      "How many wait that were received within 5 minutes, 15 minutes, an hour, 4 hours, a day, and earlier, " +
      "to the minute; each counts once. Those held back until their study is quiet are among them, unlike in `queued`",
  }),
  /** Since the start. */
  delivered: count,
  deliveredBytes: bytes,
});
export type DestinationView = z.output<typeof destinationView>;

/** What a person should know of at once. */
export const alarmView = z.object({
  /** Which condition, and what it is about: `destination-down pacs`. */
  key: z.string(),
  severity: z.enum(["warning", "critical"]),
  /** One sentence: what is, since when, what to do. No patient data. */
  text: z.string(),
  since: time,
});
export type AlarmView = z.output<typeof alarmView>;

export const overview = z.object({
  version: z.string(),
  aeTitle: z.string(),
  /** Addresses listened on: `0.0.0.0:11112`. */
  listening: z.array(z.string()),
  started: time,
  now: time,
  /** Incoming associations open now. */
  associations: count,
  received: count,
  receivedBytes: bytes,
  /** Refused by an answer other than Success, since the start. */
  refused: count,
  /** Associations rejected since the start. */
  rejected: count,
  /** Pairs of instance and destination. */
  queued: count,
  failed: count,
  held: count,
  corrupt: count,
  /** Held back until their study is quiet. */
  heldForStudy: count,
  /** Found missing by the balance of ledger and spool; null until it is struck. */
  missing: count.nullable(),
  disk: z.object({
    free: bytes.nullable(),
    reserve: bytes,
    /** Nothing new is accepted: below the reserve, or the disk failed. In words; null where all is well. */
    refuses: z.string().nullable(),
    /** Of the last minute: median and 99th percentile of one sync; null where none was made. */
    syncMedian: duration.nullable(),
    syncP99: duration.nullable(),
  }),
  destinations: z.array(destinationView),
  alarms: z.array(alarmView),
  /** The configuration file differs from what is in force, or was refused; null where neither. */
  configuration: z.string().nullable(),
});
export type Overview = z.output<typeof overview>;

/** Throughput, one value for each step, oldest first; the last step is complete. */
export const throughput = z.object({
  /** End of the last step. */
  until: time,
  step: duration,
  receivedInstances: z.array(count),
  receivedBytes: z.array(bytes),
  /** To all destinations. */
  deliveredInstances: z.array(count),
  deliveredBytes: z.array(bytes),
});
export type Throughput = z.output<typeof throughput>;

/** Who and what an instance is of. */
export const identification = z.object({
  patientId: z.string(),
  patientName: z.string(),
  accessionNumber: z.string(),
  studyInstanceUid: z.string(),
  modality: z.string(),
});
export type Identification = z.output<typeof identification>;

/** A study that is coming in or going out, or did lately. */
export const study = z.object({
  /** Names it in the API: the spool's study hash, 8 hexadecimal digits. */
  id: z.string(),
  identification: identification.nullable(),
  /** Calling AE title of the last sender. */
  from: z.string(),
  first: time,
  last: time,
  received: count,
  receivedBytes: bytes,
  destinations: z.array(z.object({
    name: z.string(),
    /** Meant for it. */
    wanted: count,
    delivered: count,
    failed: count,
  })),
});
export type Study = z.output<typeof study>;

/** One instance for one destination: waiting, given up, or held back by a person. */
export const queueItem = z.object({
  id: z.string(),
  destination: z.string(),
  state: z.enum(["queued", "failed", "held"]),
  received: time,
  tries: count,
  /** Why it failed, is held, or was not taken at the last try; empty where nothing is known. */
  reason: z.string(),
  /** When it is next attempted; null where its destination's next attempt decides, or none will be made. */
  nextAttempt: time.nullable(),
});
export type QueueItemView = z.output<typeof queueItem>;

export const queuePage = z.object({
  /** All that match. */
  total: count,
  items: z.array(queueItem),
  /** Give it back as `after` for the next page; null on the last. */
  next: z.string().nullable(),
});
export type QueuePage = z.output<typeof queuePage>;

export const queueQuery = z.object({
  destination: z.string().max(16).optional(),
  state: z.enum(["queued", "failed", "held"]).optional(),
  /** Study id (8 hexadecimal digits). */
  study: z.string().regex(/^[0-9a-f]{8}$/).optional(),
  after: z.string().max(300).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
});
export type QueueQuery = z.output<typeof queueQuery>;

/** One instance in full. */
export const itemDetails = queueItem.extend({
  identification: identification.nullable(),
  sopInstanceUid: z.string(),
  sopClassUid: z.string(),
  transferSyntax: z.string(),
  from: z.string(),
  bytes: bytes,
  /** Why its file cannot be read; null where it can. */
  damaged: z.string().nullable(),
  /** What the ledger says of it, oldest first. */
  events: z.array(z.object({ at: z.string(), text: z.string() })),
});
export type ItemDetails = z.output<typeof itemDetails>;

export const studyQuery = z.object({
  /** Part of a patient ID, accession number, or Study Instance UID; empty = the latest. */
  search: z.string().max(64).default(""),
  /** Only studies with something still to deliver. */
  active: z.coerce.boolean().default(false),
  limit: z.coerce.number().int().min(1).max(500).default(50),
});
export type StudyQuery = z.output<typeof studyQuery>;

export const studyList = z.object({
  studies: z.array(study),
  /** Whether everything in the queue has been looked at; what an older ledger alone knows is never. */
  complete: z.boolean(),
});
export type StudyList = z.output<typeof studyList>;

export const logLine = z.object({
  at: time,
  level: z.enum(["debug", "info", "warning", "error"]),
  /** As in the file, without time and level. */
  text: z.string(),
});
export type LogLine = z.output<typeof logLine>;

/** What a test of a connection found. */
export const connectionResult = z.object({
  ok: z.boolean(),
  /** In words, one line a finding. */
  lines: z.array(z.string()),
  duration: duration,
});
export type ConnectionResult = z.output<typeof connectionResult>;

/** What an action on items did. */
export const actionResult = z.object({
  /** Items it was done to. */
  done: count,
  /** Those it could not be done to, each with why; 100 at most. */
  failed: z.array(z.object({ id: z.string(), destination: z.string(), reason: z.string() })),
});
export type ActionResult = z.output<typeof actionResult>;

/** What a reload did. */
export const reloadResult = z.object({
  ok: z.boolean(),
  /** What changed and what became of it, or what is wrong; one line each. */
  lines: z.array(z.string()),
});
export type ReloadResult = z.output<typeof reloadResult>;
