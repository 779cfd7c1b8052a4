/*
 * What delivery speaks in: a destination's kind makes attempts and reports outcomes; the scheduler decides what follows.
 *
 * A failure is told apart where it happens: the destination cannot be reached, it is wrongly configured, or this one
 * instance was not taken.
 */

import type { Entry } from "../spool/entry.ts";

/** A destination's word that it has an instance. */
export interface Receipt {
  /** In words, for a person. */
  readonly answer: string;
  /** The same without what may name the patient, a path; absent where `answer` has nothing of that. */
  readonly brief?: string;
  /** (0000,0900) of the C-STORE response; absent where the destination is a folder. */
  readonly status?: number;
  /** Who called whom, where and since when. */
  readonly association?: string;
}

/** What one attempt on one instance came to. `reason` is one plain sentence or phrase for a person. */
export type Outcome =
  | ({ readonly kind: "delivered"; readonly warning: boolean } & Receipt)
  /** The destination does not want this instance. */
  | { readonly kind: "refused"; readonly reason: string }
  /** The destination is short of something and says so. */
  | { readonly kind: "out-of-resources"; readonly reason: string }
  /** The destination says that it has an instance of that UID already. */
  | ({ readonly kind: "duplicate" } & Receipt)
  /** The answer shows that the two sides do not understand each other; a new association may. */
  | { readonly kind: "protocol-error"; readonly reason: string }
  /** The answer is none that C-STORE knows. */
  | { readonly kind: "not-an-answer"; readonly reason: string }
  /** The attempt began and no answer came: whether the instance arrived is unknown. */
  | { readonly kind: "interrupted"; readonly reason: string }
  /** The destination does not let us. */
  | { readonly kind: "misconfigured"; readonly reason: string }
  /** The stored file does not match its checksum; nothing complete was sent. */
  | { readonly kind: "corrupt"; readonly reason: string }
  /** Another program holds the stored file, or the one to be written: nothing was attempted, and it will pass. */
  | { readonly kind: "held"; readonly reason: string }
  /** A person removed the file. */
  | { readonly kind: "gone" }
  /**
   * This session cannot carry it, another one may. `begun` where the attempt had begun before that showed, so that the
   * instance may have arrived all the same.
   */
  | { readonly kind: "reopen"; readonly begun: boolean };

/** The destination as a whole cannot be used now. */
export class DestinationError extends Error {
  override readonly name = "DestinationError";
  readonly kind: "unreachable" | "misconfigured";

  constructor(kind: DestinationError["kind"], message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

/** Told once for each instance that was attempted; instances not told of were not. */
export type Report = (entry: Entry, outcome: Outcome) => void;

/** A way to a destination that is open now: an association, say. Used by one caller at a time. */
export interface Session {
  /** False once nothing more can go this way. */
  readonly usable: boolean;
  /**
   * Attempts instances, in order, and stops early when the signal is aborted or the way is lost.
   *
   * @param batch to be taken from one by one, each when it can be attempted: what is not taken others may attempt
   * @throws {DestinationError} where the destination fails as a whole
   */
  deliver(batch: Iterable<Entry>, report: Report, signal: AbortSignal): Promise<void>;
  /** Ends it in order. Never throws. */
  close(): Promise<void>;
  /** Ends it at once, in the middle of whatever it does. Never throws. */
  abort(): Promise<void>;
}

/** A configured destination. */
export interface Destination {
  readonly name: string;
  /** For people: `PACS at 10.0.0.1:104`. */
  readonly description: string;
  /** What the log calls a delivery: `Instance forwarded`. */
  readonly deed: string;
  /** Whether it gets a study only when that is quiet, where studies are held back. */
  readonly waitsForStudy: boolean;
  /** Sessions at a time. */
  readonly sessions: number;
  /** Instances offered to a session at a time, at most. */
  readonly batch: number;
  /** How long an idle session is kept, in ms. */
  readonly idleMs: number;
  /** Tries granted to an instance that is refused, beside the first. */
  readonly retryAttempts: number;
  /**
   * Opens a way.
   *
   * @param upcoming what waits, soonest first: enough of it to prepare for
   * @throws {DestinationError}
   */
  open(upcoming: readonly Entry[], signal: AbortSignal): Promise<Session>;
}
