/*
 * What can be seen of a running forwarder and done to it, as one interface: implemented by the daemon, used by the status
 * pages and, through them, by the command line.
 *
 * Every change takes the words for who makes it, and what it does to an instance is in the ledger before it is done.
 */

import type {
  ActionResult,
  AlarmView,
  ConnectionResult,
  ItemDetails,
  LogLine,
  Overview,
  QueuePage,
  QueueQuery,
  ReloadResult,
  StudyList,
  StudyQuery,
  Throughput,
} from "./views.ts";

/** Items by id and destination. */
export interface ItemName {
  readonly id: string;
  readonly destination: string;
}

/** Which items an action is for: those named, or all of a destination, or all of a study, in that state. */
export type ItemSelection =
  | { readonly items: readonly ItemName[] }
  | { readonly state: "queued" | "failed" | "held"; readonly destination: string }
  | { readonly state: "queued" | "failed" | "held"; readonly study: string };

export type ItemAction = "retry" | "hold" | "release" | "remove";

/** Who makes a change, for log and ledger: `web 127.0.0.1`, `cli`. */
export type Person = string;

export interface Control {
  overview(): Overview;
  throughput(): Throughput;
  studies(query: StudyQuery): Promise<StudyList>;
  queue(query: QueueQuery): Promise<QueuePage>;
  /** Undefined where there is no such item. */
  item(name: ItemName): Promise<ItemDetails | undefined>;
  /** The stored Part 10 file; undefined where there is no such item. Closed by who reads it to the end or cancels. */
  download(
    name: ItemName,
    by?: Person,
  ): Promise<{ size: number; body: ReadableStream<Uint8Array> } | undefined>;
  /** Retry: at once (failed ones are put back). Hold: not before `release`. Remove: for good. */
  act(action: ItemAction, selection: ItemSelection, by: Person): Promise<ActionResult>;
  /** False where there is no such destination. */
  pause(destination: string, by: Person): Promise<boolean>;
  resume(destination: string, by: Person): Promise<boolean>;
  /** Forget the back-off and try at once. */
  tryNow(destination: string, by: Person): Promise<boolean>;
  /** C-ECHO, or a file written and removed again. Undefined where there is no such destination. */
  test(destination: string, signal: AbortSignal): Promise<ConnectionResult | undefined>;
  /** The last lines of the log, oldest first. */
  log(limit: number): LogLine[];
  /** As in force, every default filled in, secrets replaced. */
  configuration(): Record<string, unknown>;
  reload(by: Person): Promise<ReloadResult>;
  alarms(): AlarmView[];
  /** Sends a test through every channel: what each said. */
  testAlarms(): Promise<ConnectionResult>;
  /** Prometheus text exposition format. */
  metrics(): string;
  /** Whether it is ready: listening, spool writable, disk above the reserve; else why not. */
  ready(): { readonly ok: boolean; readonly reasons: readonly string[] };
}
