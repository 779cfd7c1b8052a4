/*
 * What the audit trail is told, by whom: wrappers around the ledger, the destinations, the observer of receptions and what
 * people do, each of which hands everything on unchanged.
 *
 * Owns the translation from what each of them knows to what an audit message says. Nothing here waits, and nothing here can
 * fail what it wraps.
 */

import type { ReceptionObserver } from "../activity/observer.ts";
import { Audit, type AuditOptions } from "../audit/audit.ts";
import type { Gathered, Place } from "../audit/events.ts";
import { placeOf } from "../audit/places.ts";
import type { Clock } from "../clock.ts";
import type { Config, DestinationConfig } from "../config/load.ts";
import type { Control, ItemName } from "../control/control.ts";
import type { Destination, Outcome, Report, Session } from "../delivery/outcome.ts";
import { withSessions } from "../delivery/with_sessions.ts";
import type { Identification } from "../dicom/header.ts";
import type { EventTaker, LedgerEvent, Untimed } from "../ledger/event.ts";
import { getLog } from "../log.ts";
import type { Entry } from "../spool/entry.ts";
import { studyOf } from "../spool/entry_name.ts";
import { spoolPaths } from "../spool/paths.ts";

const log = getLog("daemon");

export interface AuditTrailParts {
  /** In force. */
  readonly config: () => Config;
  readonly clock: Clock;
  readonly files: AuditOptions["files"];
  /** Reads of whom an instance is that is in the spool; undefined where it is not there any more. */
  readonly identify: (id: string, destination: string) => Promise<Identification | undefined>;
  /** An instance that waits for a destination, or did a moment ago. */
  readonly entry: (id: string, destination: string) => Entry | undefined;
}

export class AuditTrail {
  readonly audit: Audit;
  readonly #parts: AuditTrailParts;
  /** The entry whose outcome is being dealt with at this moment. */
  #current: Entry | undefined;

  constructor(parts: AuditTrailParts) {
    this.#parts = parts;
    const { audit, localAeTitle, localHost, spoolDir } = parts.config();
    this.audit = new Audit({
      config: audit,
      aeTitle: localAeTitle,
      host: ourHost(localHost),
      process: Deno.pid,
      directory: spoolPaths(spoolDir).audit,
      files: parts.files,
      clock: parts.clock,
      random: Math.random,
    });
  }

  /** The same observer, and the audit trail. */
  reception(observer: ReceptionObserver): ReceptionObserver {
    const { audit } = this;
    return {
      received: (instance) => {
        observer.received(instance);
        if (!audit.on) return;
        const { study, header, sopClass, from, peer } = instance;
        audit.instance({
          deed: "received",
          by: "",
          reason: "",
          session: peer,
          study,
          facts: audit.facts.note(study, header),
          sopClass,
          place: { kind: "node", aeTitles: [from], address: hostOf(peer) },
          at: this.#parts.clock.now(),
        });
      },
      refused: (status) => observer.refused(status),
      associationAccepted: () => observer.associationAccepted(),
      associationRejected: (result, source, reason, who) => {
        observer.associationRejected(result, source, reason, who);
        if (who !== undefined) audit.rejected(who);
      },
      handshakeFailed: (host, why) => {
        observer.handshakeFailed?.(host, why);
        audit.rejected({ calling: "", called: "", host, why });
      },
      associationEnded: (peer) => {
        observer.associationEnded?.(peer);
        audit.ended(peer);
      },
      connectionDropped: (reason) => observer.connectionDropped(reason),
    };
  }

  /** The same ledger; what it says of instances is told. */
  ledger(ledger: EventTaker): EventTaker {
    return {
      append: (event, afterwards) => {
        ledger.append(event, afterwards);
        if (this.audit.on) this.#event(event);
      },
    };
  }

  #event(event: Untimed<LedgerEvent>): void {
    switch (event.event) {
      case "delivered":
        this.#instance("sent", event.id, event.to);
        return;
      case "failed":
        // What has no destination was not to be sent anywhere.
        if (this.#configured(event.to) === undefined) return;
        this.#instance("failed", event.id, event.to, "", event.kind);
        return;
      case "retried":
        if (event.by === "person") this.#instance("retry", event.id, event.of, event.who ?? "");
        return;
      case "held":
        this.#instance("hold", event.id, event.to, event.who ?? "");
        return;
      case "released":
        this.#instance("release", event.id, event.to, event.who ?? "");
        return;
      case "removed":
        this.#instance("remove", event.id, event.to, event.who ?? "");
        return;
    }
  }

  #instance(
    deed: Gathered["deed"],
    id: string,
    destination: string,
    by = "",
    reason = "",
    at = this.#parts.clock.now(),
  ): void {
    const { facts } = this.audit;
    const study = studyOf(id);
    const known = facts.get(study);
    if (known === undefined) this.#look(study, id, destination);
    const entry = this.#current?.base === id ? this.#current : this.#parts.entry(id, destination);
    const isPersons = by !== "" || deed === "retry" || deed === "hold" || deed === "release" ||
      deed === "remove";
    this.audit.instance({
      deed,
      by: isPersons && by === "" ? "person" : by,
      reason,
      session: "",
      study,
      facts: known,
      sopClass: entry?.opened?.sopClassUid ?? "",
      place: this.#place(destination),
      at,
    });
  }

  #look(study: string, id: string, destination: string): void {
    this.audit.facts.look(study, async () => {
      try {
        return await this.#parts.identify(id, destination);
      } catch (error) {
        log.debug("A stored instance cannot be looked into for the audit trail", { error });
        return undefined;
      }
    });
  }

  #place(name: string): Place {
    return placeOf(this.#parts.config().destinations, name);
  }

  #configured(name: string): DestinationConfig | undefined {
    return this.#parts.config().destinations.find((one) => one.name === name);
  }

  /** The same destination; that attempts begin is told. */
  destination(destination: Destination): Destination {
    return withSessions(
      destination,
      (session) => this.audit.on ? this.#session(session, destination.name) : session,
    );
  }

  #session(session: Session, destination: string): Session {
    return {
      get usable() {
        return session.usable;
      },
      deliver: (batch, report, signal) => {
        const began = new Map<Entry, number>();
        const reported: Report = (entry, outcome) => {
          this.#begun(entry, destination, outcome, began.get(entry));
          began.delete(entry);
          this.#current = entry;
          try {
            report(entry, outcome);
          } finally {
            this.#current = undefined;
          }
        };
        return session.deliver(this.#noted(batch, destination, began), reported, signal);
      },
      close: () => session.close(),
      abort: () => session.abort(),
    };
  }

  /** Each is looked at when it is taken, while its file is there. */
  *#noted(
    batch: Iterable<Entry>,
    destination: string,
    began: Map<Entry, number>,
  ): Generator<Entry> {
    for (const entry of batch) {
      began.set(entry, this.#parts.clock.now());
      const study = studyOf(entry.base);
      if (this.audit.facts.get(study) === undefined) this.#look(study, entry.base, destination);
      yield entry;
    }
  }

  #begun(entry: Entry, destination: string, outcome: Outcome, at: number | undefined): void {
    if (at === undefined || !this.audit.on || !hasBegun(outcome)) return;
    if (this.#place(destination).kind === "folder") return;
    this.#current = entry;
    this.#instance("begun", entry.base, destination, "", "", at);
    this.#current = undefined;
  }

  /** The same control; what people do by it is told, but for what the ledger says. */
  control(control: Control): Control {
    const { audit } = this;
    const switching = (
      verb: "pause" | "resume" | "tryNow",
      words: string,
    ): Control["pause"] =>
    async (destination, by) => {
      const ok = await control[verb](destination, by);
      const what = `Destination ${destination} ${words}`;
      if (ok) audit.changed({ by, what, kind: "function", ok });
      return ok;
    };
    return {
      ...control,
      pause: switching("pause", "paused"),
      resume: switching("resume", "resumed after a pause"),
      tryNow: switching("tryNow", "tried at once"),
      download: async (name, by) => {
        const file = await control.download(name, by);
        if (file !== undefined && audit.on) this.#downloaded(name, by ?? "");
        return file;
      },
    };
  }

  #downloaded({ id, destination }: ItemName, by: string): void {
    const study = studyOf(id);
    if (this.audit.facts.get(study) === undefined) this.#look(study, id, destination);
    this.audit.instance({
      deed: "download",
      by: by === "" ? "person" : by,
      reason: "",
      session: "",
      study,
      facts: this.audit.facts.get(study),
      sopClass: this.#parts.entry(id, destination)?.opened?.sopClassUid ?? "",
      place: { kind: "folder", aeTitles: [], address: "/api/v1/queue" },
      at: this.#parts.clock.now(),
    });
  }

  /** Another configuration was asked for. */
  reloaded(by: string, lines: readonly string[], ok: boolean): void {
    const what = ok ? "Configuration reloaded" : "Configuration refused, or in force in part";
    this.audit.changed({ by, what, kind: "configuration", ok, details: lines });
  }
}

function hasBegun(outcome: Outcome): boolean {
  if (outcome.kind === "reopen") return outcome.begun;
  return outcome.kind !== "held" && outcome.kind !== "gone" && outcome.kind !== "corrupt";
}

/** Of `host:port`. */
function hostOf(peer: string): string {
  return peer.slice(0, peer.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}

/** The address we listen on, where it is one; else the name that Linux has in a file. "" where neither is known. */
function ourHost(localHost: string): string {
  if (localHost !== "0.0.0.0" && localHost !== "::") return localHost;
  try {
    return Deno.readTextFileSync("/etc/hostname").trim();
  } catch {
    // Not Linux, or without such a file: it is left out then.
    return "";
  }
}
