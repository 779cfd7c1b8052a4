/*
 * Delivery to a DICOM node by C-STORE.
 *
 * Owns associations to one destination, each carrying as many instances as it can, and the translation of what the peer
 * says into outcomes. It decides neither when nor how often. An association is never used again after a time-out, an
 * abort or an answer that shows misunderstanding.
 */

import type { DicomDestinationConfig } from "../config/load.ts";
import { classifyStoreStatus, describeStatus } from "../dicom/status.ts";
import { encodingOf, transferSyntaxName } from "../dicom/uid.ts";
import { inMemory, type OutgoingDataSet, ServiceUser } from "../dimse/scu.ts";
import type { Entry } from "../spool/entry.ts";
import type { Spool } from "../spool/spool.ts";
import type { StoredInstance } from "../spool/stored_instance.ts";
import { Association } from "../ul/association.ts";
import { AssociationError } from "../ul/association_error.ts";
import { type AcceptedContext, planContexts, type StoragePair } from "../ul/negotiation.ts";
import { connectTcp, TransportError } from "../ul/transport.ts";
import { openForDelivery, unreadable } from "./open_entry.ts";
import {
  type Destination,
  DestinationError,
  type Outcome,
  type Report,
  type Session,
} from "./outcome.ts";
import { canTranscode } from "../transcode/syntaxes.ts";
import type { TranscodeResult } from "../transcode/request.ts";
import type { Transcoder } from "../transcode/transcoder.ts";

/** Waiting instances looked at to plan an association's contexts. */
const LOOK_AHEAD = 64;

/** Kinds of instances remembered, so that an association proposes what came before, too. */
const MOST_REMEMBERED = 60;

/** An instance received so recently is still in memory, in ms: reading it does not wait for the disk. */
const HOT_MS = 60_000;

export class DicomDestination implements Destination {
  readonly name: string;
  readonly description: string;
  readonly deed = "Instance forwarded";
  readonly waitsForStudy = true;
  readonly sessions: number;
  readonly batch = 64;
  readonly idleMs: number;
  readonly retryAttempts: number;
  /** Whether the peer's error comments may be told: some name the patient. */
  readonly tellsComments: boolean;
  readonly #config: DicomDestinationConfig;
  readonly #spool: Spool;
  readonly #transcoder: Transcoder;
  readonly #now: () => number;
  /** Pairs met so far, the latest last. */
  readonly #met = new Map<string, StoragePair>();

  constructor(
    config: DicomDestinationConfig,
    spool: Spool,
    transcoder: Transcoder,
    options: { readonly now: () => number; readonly tellComments: boolean },
  ) {
    this.#config = config;
    this.tellsComments = options.tellComments;
    this.#spool = spool;
    this.#transcoder = transcoder;
    this.#now = options.now;
    this.name = config.name;
    this.description = `${config.aeTitle} at ${config.host}:${config.port}`;
    this.sessions = config.associations;
    this.idleMs = config.timeouts.idleReleaseMs;
    this.retryAttempts = config.retryAttempts;
  }

  async open(upcoming: readonly Entry[], signal: AbortSignal): Promise<Session> {
    const { pairs, callingAeTitle } = this.#plan(upcoming);
    if (pairs.length === 0) return new UnreadableSession(this);
    const { host, port, aeTitle, timeouts, maxPduLength, transcode } = this.#config;
    let giveUp: (() => void) | undefined;
    try {
      const transport = await connectTcp(host, port, timeouts.connectMs, signal);
      giveUp = () => transport.close();
      signal.addEventListener("abort", giveUp);
      const association = await Association.request(
        transport,
        callingAeTitle,
        aeTitle,
        planContexts(pairs, transcode),
        {
          maxPduLength,
          associationMs: timeouts.associationMs,
          idleMs: timeouts.responseMs,
          readMs: timeouts.responseMs,
          writeStallMs: timeouts.writeStallMs,
          releaseMs: timeouts.releaseMs,
        },
      );
      return new DicomSession(
        this,
        new ServiceUser(association, timeouts.responseMs),
        this.#now(),
      );
    } catch (error) {
      throw whyNot(error);
    } finally {
      if (giveUp !== undefined) signal.removeEventListener("abort", giveUp);
    }
  }

  /** Opens an entry's file; an outcome where that is all there is to say. */
  openEntry(entry: Entry): StoredInstance | Outcome {
    const hot = this.#now() - entry.receivedMs < HOT_MS;
    return openForDelivery(this.#spool, entry, this.name, hot);
  }

  /** Whether instances of this sender go over an association that calls itself so. */
  callsItself(association: Association, instance: StoredInstance): boolean {
    return association.callingAeTitle === this.#callingAeTitle(instance);
  }

  /** The data set as this context wants it; an outcome where it cannot be had. */
  async transcoded(
    entry: Entry,
    instance: StoredInstance,
    context: AcceptedContext,
    signal: AbortSignal,
  ): Promise<OutgoingDataSet | Outcome> {
    const { meta, record } = instance;
    const from = meta.transferSyntaxUid;
    const to = context.transferSyntax;
    const sentence = `${this.#config.aeTitle} does not take ${transferSyntaxName(from)}, and it`;
    if (!this.#config.transcode) {
      return { kind: "refused", reason: `${sentence} may not be converted (transcode is false)` };
    }
    if (!canTranscode(from, to)) {
      return {
        kind: "refused",
        reason: `${sentence} cannot be converted to ${transferSyntaxName(to)}`,
      };
    }
    const job = {
      dataSetOffset: record.dataSetOffset,
      dataSetLength: record.dataSetLength,
      crc32: record.crc32,
      sopClassUid: meta.sopClassUid,
      sopInstanceUid: meta.sopInstanceUid,
      from,
      to,
    };
    let path: string;
    let result: TranscodeResult;
    do {
      path = entry.path;
      result = await this.#transcoder.transcode({ ...job, path }, signal);
      // Another destination may have taken it meanwhile, and its name changed before the converter came to open it.
    } while (result.kind === "impossible" && entry.waitsFor(this.name) && entry.path !== path);
    if (result.kind === "transcoded") return inMemory(result.dataSet);
    if (result.kind === "corrupt") {
      return { kind: "corrupt", reason: `${instance.path} does not match its checksum` };
    }
    return {
      kind: "refused",
      reason: `${this.#config.aeTitle} does not take ${transferSyntaxName(from)}: ${result.reason}`,
    };
  }

  /** What to propose: the kinds that wait, soonest first, then those met before. */
  #plan(upcoming: readonly Entry[]): { pairs: StoragePair[]; callingAeTitle: string } {
    let callingAeTitle: string | undefined;
    const waiting = new Map<string, StoragePair>();
    for (const entry of upcoming.slice(0, LOOK_AHEAD)) {
      const instance = this.openEntry(entry);
      if ("kind" in instance) continue;
      const { sopClassUid, transferSyntaxUid } = instance.meta;
      callingAeTitle ??= this.#callingAeTitle(instance);
      waiting.set(`${sopClassUid} ${transferSyntaxUid}`, { sopClassUid, transferSyntaxUid });
      instance.close();
    }
    // None of what waits can be read: nothing to associate for.
    const met = waiting.size === 0 ? [] : [...this.#met.values()].reverse();
    const pairs = [...waiting.values(), ...met];
    for (const [key, pair] of waiting) {
      this.#met.delete(key);
      this.#met.set(key, pair);
      const oldest = this.#met.keys().next().value;
      if (this.#met.size > MOST_REMEMBERED && oldest !== undefined) this.#met.delete(oldest);
    }
    const configured = this.#config.callingAeTitle;
    return { pairs, callingAeTitle: callingAeTitle ?? (configured === "*" ? "ANY" : configured) };
  }

  #callingAeTitle(instance: StoredInstance): string {
    const configured = this.#config.callingAeTitle;
    return configured === "*" ? instance.meta.sourceAeTitle || "ANY" : configured;
  }
}

/** Stands in for an association where none of what waits can be read: it tells so of each, and is over. */
class UnreadableSession implements Session {
  readonly #destination: DicomDestination;
  usable = true;

  constructor(destination: DicomDestination) {
    this.#destination = destination;
  }

  deliver(batch: Iterable<Entry>, report: Report): Promise<void> {
    this.usable = false;
    for (const entry of batch) {
      const instance = this.#destination.openEntry(entry);
      if ("kind" in instance) report(entry, instance);
      else instance.close();
    }
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  abort(): Promise<void> {
    return Promise.resolve();
  }
}

class DicomSession implements Session {
  readonly #destination: DicomDestination;
  readonly #user: ServiceUser;
  /** For the ledger: who called whom, where and since when. */
  readonly #name: string;
  /** True where nothing has been answered since the association was idle: the peer may have left meanwhile. */
  #stale = false;

  constructor(destination: DicomDestination, user: ServiceUser, establishedAt: number) {
    this.#destination = destination;
    this.#user = user;
    const { callingAeTitle, calledAeTitle, peer } = user.association;
    const since = new Date(establishedAt).toISOString();
    this.#name = `${callingAeTitle} to ${calledAeTitle} at ${peer} since ${since}`;
  }

  get usable(): boolean {
    return this.#user.association.established;
  }

  async deliver(batch: Iterable<Entry>, report: Report, signal: AbortSignal): Promise<void> {
    for (const entry of batch) {
      if (signal.aborted || !this.usable) return;
      const instance = this.#destination.openEntry(entry);
      if ("kind" in instance) {
        report(entry, instance);
        continue;
      }
      let outcome: Outcome;
      try {
        outcome = await this.#attempt(entry, instance, signal);
      } finally {
        // Before the report: deleting a file that is open costs its closing the time.
        instance.close();
      }
      report(entry, outcome);
    }
    this.#stale = true;
  }

  async close(): Promise<void> {
    if (!this.usable) return;
    try {
      await this.#user.association.release();
    } catch {
      // The association is over either way, and nothing was under way on it.
    }
  }

  abort(): Promise<void> {
    return this.#user.association.abort("the forwarder is stopping");
  }

  async #attempt(
    entry: Entry,
    instance: StoredInstance,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { association } = this.#user;
    const { sopClassUid, sopInstanceUid, transferSyntaxUid } = instance.meta;
    if (!this.#destination.callsItself(association, instance)) {
      return { kind: "reopen", begun: false };
    }
    const carriage = association.carriage({ sopClassUid, transferSyntaxUid });
    switch (carriage.kind) {
      case "not-proposed":
        return { kind: "reopen", begun: false };
      case "sop-class-refused":
        return {
          kind: "refused",
          reason:
            `${association.calledAeTitle} does not accept the SOP class ${sopClassUid} (result ${carriage.result})`,
        };
      case "transfer-syntax-refused":
        return {
          kind: "refused",
          reason: `${association.calledAeTitle} accepts neither ${
            transferSyntaxName(transferSyntaxUid)
          } nor an uncompressed transfer syntax for the SOP class ${sopClassUid}`,
        };
    }
    let dataSet: OutgoingDataSet = evenLength(instance);
    if (carriage.kind === "transcoded") {
      const transcoded = await this.#destination.transcoded(
        entry,
        instance,
        carriage.context,
        signal,
      );
      if ("kind" in transcoded) return transcoded;
      dataSet = transcoded;
    }
    try {
      const answer = await this.#user.store(
        carriage.context.id,
        sopClassUid,
        sopInstanceUid,
        dataSet,
      );
      this.#stale = false;
      if (answer === undefined) {
        return { kind: "corrupt", reason: `${instance.path} does not match its checksum` };
      }
      return await this.#outcomeOf(answer.status, answer.comment);
    } catch (error) {
      if (!(error instanceof AssociationError)) {
        await association.abort("the stored instance cannot be read");
        return unreadable(error);
      }
      if (this.#stale && error.kind !== "timeout") return { kind: "reopen", begun: true };
      return { kind: "interrupted", reason: error.message };
    }
  }

  async #outcomeOf(status: number | undefined, comment: string): Promise<Outcome> {
    const answer = comment === "" || !this.#destination.tellsComments
      ? describeStatus(status)
      : `${describeStatus(status)}: ${comment}`;
    const { association } = this.#user;
    const receipt = {
      answer,
      ...(status === undefined ? {} : { status }),
      association: this.#name,
    };
    switch (classifyStoreStatus(status)) {
      case "stored":
        return { kind: "delivered", ...receipt, warning: false };
      case "stored-with-warning":
        return { kind: "delivered", ...receipt, warning: true };
      case "out-of-resources":
        return { kind: "out-of-resources", reason: answer };
      case "refused":
        return { kind: "refused", reason: answer };
      case "duplicate":
        return { kind: "duplicate", ...receipt };
      case "not-authorised":
        await this.close();
        return { kind: "misconfigured", reason: answer };
      case "protocol-error":
        await association.abort("the peer reports a protocol error");
        return { kind: "protocol-error", reason: answer };
      case "not-an-answer":
        await association.abort("the peer's answer is none of C-STORE");
        return { kind: "not-an-answer", reason: answer };
    }
  }
}

/**
 * A deflated data set of odd length is given the NUL that PS3.5 §A.5 wants behind it: many peers abort where a last
 * fragment is odd (PS3.8 Annex E.2). Any other data set of odd length is wrong in itself and leaves as it came.
 */
function evenLength(instance: StoredInstance): OutgoingDataSet {
  const { length } = instance;
  if (length % 2 === 0 || !encodingOf(instance.meta.transferSyntaxUid).deflated) return instance;
  let left = length;
  return {
    length: length + 1,
    read(into) {
      const stored = into.subarray(0, left);
      left -= stored.length;
      if (stored.length < into.length) into[stored.length] = 0;
      if (stored.length > 0) return instance.read(stored);
    },
    vouch: () => instance.vouch(),
  };
}

/** Whether an association that did not come about is a matter of reach or of configuration. */
function whyNot(error: unknown): unknown {
  if (error instanceof TransportError) {
    return new DestinationError("unreachable", error.message, error);
  }
  if (!(error instanceof AssociationError)) return error;
  const reject = error.reject;
  const configuration = reject !== undefined && reject.result === 1 && reject.source !== 3 &&
    reject.reason !== 1;
  return new DestinationError(
    configuration ? "misconfigured" : "unreachable",
    error.message,
    error,
  );
}
