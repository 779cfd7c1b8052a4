/*
 * What alarms are decided by: how the forwarder is at one moment.
 *
 * A part of what the status pages show, and what only alarms ask for. Owns the shape alone. Times are ms since 1970.
 */

import type { DestinationView, Overview } from "../control/views.ts";

/** When a modality was last heard from. */
export interface Seen {
  readonly aeTitle: string;
  /** Its last instance; where there has been none, since when it has been waited for. */
  readonly at: number;
  /** Whether there has been one. */
  readonly heard: boolean;
}

/** A certificate in use. */
export interface Certificate {
  /** For people: `of pacs`, `of the status pages`. */
  readonly name: string;
  readonly expires: number;
}

/** Instances given up lately for one reason. */
export interface Failure {
  readonly destination: string;
  readonly reason: string;
  readonly count: number;
}

/** How the audit trail is. */
export interface AuditFigures {
  /** When the oldest message that waits was made; null where none waits. */
  readonly oldest: number | null;
  /** Messages dropped since the start, and when the last were; null where none were. */
  readonly dropped: number;
  readonly droppedAt: number | null;
  /** Why the server takes none; null where it does. */
  readonly trouble: string | null;
}

export interface AlarmSnapshot extends Pick<Overview, "now" | "failed" | "corrupt" | "missing"> {
  readonly destinations: readonly Pick<
    DestinationView,
    | "name"
    | "description"
    | "state"
    | "since"
    | "reason"
    | "queued"
    | "failed"
    | "oldest"
    | "lastAnswerAt"
  >[];
  readonly disk: Pick<Overview["disk"], "free" | "reserve" | "refuses">;
  /** Why the configuration file was refused; null where it was not. */
  readonly configuration: string | null;
  readonly seen: readonly Seen[];
  readonly certificates: readonly Certificate[];
  readonly failures: readonly Failure[];
  /** How the audit trail is; absent where there is none. */
  readonly audit?: AuditFigures | undefined;
}
