/*
 * What is seen of the forwarder while it runs, and whom it tells: figures, studies, the last lines of the log.
 *
 * Owns the observers that the other parts are given, what they are told of a start, and the pass that looks into files to
 * know whose they are. Delivery and reception neither wait for it nor depend on it; what goes wrong here costs a figure.
 */

import { Activity } from "../activity/activity.ts";
import { RecentLog } from "../activity/recent_log.ts";
import type { FileFacts } from "../activity/study_book.ts";
import type { Clock } from "../clock.ts";
import type { EventTaker } from "../ledger/event.ts";
import { getLog, listenToLog } from "../log.ts";
import { receivedMsOf, studyOf } from "../spool/entry_name.ts";
import type { FileSystem } from "../spool/file_system.ts";
import type { QueueIndex } from "../spool/queue_index.ts";
import { countCorrupt } from "../spool/inspect.ts";
import { CorruptError, StoredInstance } from "../spool/stored_instance.ts";
import type { ReceptionObserver } from "../activity/observer.ts";
import { AuditTrail, type AuditTrailParts } from "./audit.ts";
import { observedLedger } from "./observed_ledger.ts";

const log = getLog("daemon");

/** Between two files that are looked into, in ms: 5,000 studies take two minutes, beside the work. */
const LOOK_MS = 25;

/** How long a count of `corrupt/` is good for, in ms; people take files out of it. */
const CORRUPT_MS = 10_000;

/** A file of the spool as it was found at a start. */
export interface FoundFile {
  readonly base: string;
  readonly path: string;
}

/** One with what it waits for. */
export interface FoundInstance extends FoundFile {
  readonly waiting: readonly { readonly destination: string }[];
  /** By a person. */
  readonly held?: boolean;
}

export interface WatchingParts {
  readonly clock: Clock;
  readonly files: FileSystem;
  readonly spoolDirectory: string;
  /** What is in the spool; asked for once that is open. */
  readonly index: () => Pick<QueueIndex, "counts" | "has">;
  readonly audit: Pick<AuditTrailParts, "config" | "entry" | "identify">;
}

export class Watching {
  readonly activity: Activity<FoundFile>;
  readonly log = new RecentLog();
  readonly trail: AuditTrail;
  /** What the receiver tells: the activity and the audit trail. */
  readonly reception: ReceptionObserver;
  readonly #parts: WatchingParts;
  readonly #unlisten: () => void;
  #corrupt: { readonly at: number; readonly count: number } | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: WatchingParts) {
    this.#parts = parts;
    this.activity = new Activity({
      clock: parts.clock,
      identify: (file) => this.#identify(file),
      hasNone: (destination) => {
        const { queued, failed, held } = parts.index().counts(destination);
        return queued + failed + held === 0;
      },
    });
    this.trail = new AuditTrail({ clock: parts.clock, files: parts.files, ...parts.audit });
    this.reception = this.trail.reception(this.activity);
    this.#unlisten = listenToLog((at, level, text) => this.log.take(at, level, text));
  }

  /** The ledger, with what becomes of instances counted. */
  ledger(ledger: EventTaker): EventTaker {
    return observedLedger(this.trail.ledger(ledger), {
      delivered: (...told) => this.activity.delivered(...told),
      failed: (...told) => this.activity.failed(...told),
      retried: (...told) => this.activity.retried(...told),
      removed: (...told) => this.activity.removed(...told),
      corrupt: () => this.#corrupt = undefined,
    }, (id, destination) => this.#parts.index().has("failed", destination, id));
  }

  /**
   * What the spool held at the start.
   *
   * @param queued in the order in which it was received
   * @param apart what had failed, or is held
   * @param signal ends the looking into files
   */
  found(
    queued: readonly FoundInstance[],
    apart: readonly FoundInstance[],
    signal: AbortSignal,
  ): void {
    const { studies } = this.activity;
    for (const one of queued) {
      studies.found(studyOf(one.base), receivedMsOf(one.base), one.waiting, "queued", one);
    }
    for (const one of apart) {
      const state = one.held ? "queued" : "failed";
      studies.found(studyOf(one.base), receivedMsOf(one.base), one.waiting, state, one);
    }
    const pause = () => this.#pause(signal);
    this.#looking = studies.identifyAll(pause, signal);
  }

  #pause(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        signal.removeEventListener("abort", end);
        resolve();
      };
      const cancel = this.#parts.clock.after(LOOK_MS, end);
      signal.addEventListener("abort", end);
    });
  }

  /** Instances in `corrupt/`. */
  corrupt(): number {
    const { clock, files, spoolDirectory } = this.#parts;
    const now = clock.now();
    if (this.#corrupt === undefined || Math.abs(now - this.#corrupt.at) >= CORRUPT_MS) {
      this.#corrupt = { at: now, count: countCorrupt(files, spoolDirectory) };
    }
    return this.#corrupt.count;
  }

  /** Ends it; the signal given to `found` has been aborted. */
  async stop(): Promise<void> {
    this.#unlisten();
    await this.#looking;
    await this.trail.audit.stop();
  }

  /** Undefined where the file is not what was found any more, or cannot be read: others of its study may come. */
  async #identify({ base, path }: FoundFile): Promise<FileFacts | undefined> {
    const { files } = this.#parts;
    try {
      const instance = StoredInstance.open(files, path, false, { base, closed: () => {} });
      try {
        const { identification } = await instance.identify();
        // While it was read, the file may have been delivered and become another instance's.
        if (!files.exists(path)) return undefined;
        return { header: identification, from: instance.meta.sourceAeTitle };
      } finally {
        instance.close();
      }
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof CorruptError) return undefined;
      log.debug("A stored instance cannot be looked into", { entry: base, error });
      return undefined;
    }
  }
}
