/*
 * A destination as it is, with each attempt told to an observer: what came of it and how long it took.
 *
 * Owns the times at which attempts under way began. It changes nothing of what passes through it.
 */

import type { AttemptResult, DeliveryObserver } from "../activity/observer.ts";
import type { Entry } from "../spool/entry.ts";
import { studyOf } from "../spool/entry_name.ts";
import type { Destination, Outcome, Report, Session } from "./outcome.ts";
import { withSessions } from "./with_sessions.ts";

/** The same destination; every attempt is told. */
export function observedDestination(
  destination: Destination,
  observer: DeliveryObserver,
): Destination {
  return withSessions(
    destination,
    (session) => new ObservedSession(session, destination.name, observer),
  );
}

class ObservedSession implements Session {
  readonly #session: Session;
  readonly #name: string;
  readonly #observer: DeliveryObserver;

  constructor(session: Session, name: string, observer: DeliveryObserver) {
    this.#session = session;
    this.#name = name;
    this.#observer = observer;
  }

  get usable(): boolean {
    return this.#session.usable;
  }

  deliver(batch: Iterable<Entry>, report: Report, signal: AbortSignal): Promise<void> {
    const began = new Map<Entry, number>();
    const reported: Report = (entry, outcome) => {
      this.#tell(entry, outcome, began.get(entry));
      began.delete(entry);
      report(entry, outcome);
    };
    return this.#session.deliver(timed(batch, began), reported, signal);
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  abort(): Promise<void> {
    return this.#session.abort();
  }

  #tell(entry: Entry, outcome: Outcome, began: number | undefined): void {
    const result = resultOf(outcome);
    if (began === undefined || result === undefined) return;
    const bytes = entry.opened?.bytes ?? 0;
    this.#observer.attempted(this.#name, result, bytes, performance.now() - began);
    if (result === "gone") this.#observer.gone(this.#name, studyOf(entry.base));
    if (result !== "corrupt") return;
    // Nobody gets it: it is set aside for all that wait for it.
    for (const { destination } of entry.waiting) {
      this.#observer.gone(destination, studyOf(entry.base));
    }
  }
}

/** Each is timed from when it is taken, which is when it can be attempted. */
function* timed(batch: Iterable<Entry>, began: Map<Entry, number>): Generator<Entry> {
  for (const entry of batch) {
    began.set(entry, performance.now());
    yield entry;
  }
}

/** Undefined where it was no attempt. */
function resultOf(outcome: Outcome): AttemptResult | undefined {
  switch (outcome.kind) {
    case "delivered":
      return outcome.warning ? "stored-with-warning" : "stored";
    case "misconfigured":
      return "not-authorised";
    case "reopen":
      return undefined;
    default:
      return outcome.kind;
  }
}
