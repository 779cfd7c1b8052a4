/*
 * Delivery to a DICOM node by C-STORE.
 *
 * Owns how associations to one destination come about, each to carry as many instances as it can, and what is known of
 * the node meanwhile; what goes over them is `dicom_session.ts`. It decides neither when nor how often.
 */

import type { DicomDestinationConfig } from "../config/load.ts";
import { transferSyntaxName } from "../dicom/uid.ts";
import { inMemory, type OutgoingDataSet, ServiceUser } from "../dimse/scu.ts";
import type { Entry } from "../spool/entry.ts";
import type { Spool } from "../spool/spool.ts";
import type { StoredInstance } from "../spool/stored_instance.ts";
import { Association } from "../ul/association.ts";
import { AssociationError } from "../ul/association_error.ts";
import { type AcceptedContext, planContexts, type StoragePair } from "../ul/negotiation.ts";
import type { ProposedContext } from "../ul/pdu.ts";
import { connectTo } from "../ul/connect.ts";
import { TransportError } from "../ul/transport.ts";
import { saidToBe } from "../ul/user_information.ts";
import { DicomSession, type SessionSetting } from "./dicom_session.ts";
import { openForDelivery } from "./open_entry.ts";
import { afterRequest, asks, UNASKED } from "./operations_asking.ts";
import { afterLoss, isCautious, MOST_OPERATIONS, NO_CAUTION } from "./operations_caution.ts";
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

export class DicomDestination implements Destination, SessionSetting {
  readonly name: string;
  readonly description: string;
  readonly deed = "Instance forwarded";
  readonly waitsForStudy = true;
  readonly sessions: number;
  readonly batch = Infinity;
  readonly idleMs: number;
  readonly retryAttempts: number;
  readonly tellsComments: boolean;
  readonly #config: DicomDestinationConfig;
  readonly #spool: Spool;
  readonly #transcoder: Transcoder;
  readonly #now: () => number;
  /** Pairs met so far, the latest last. */
  readonly #met = new Map<string, StoragePair>();
  #asking = UNASKED;
  #caution = NO_CAUTION;

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
    const contexts = planContexts(pairs, this.#config.transcode);
    try {
      return new DicomSession(
        this,
        new ServiceUser(
          await this.#associate(callingAeTitle, contexts, signal),
          this.#config.timeouts.responseMs,
        ),
        this.#now(),
      );
    } catch (error) {
      throw whyNot(error);
    }
  }

  get oneAtATime(): boolean {
    return isCautious(this.#caution, this.#now());
  }

  lostSeveral(): void {
    this.#caution = afterLoss(this.#caution, this.#now());
  }

  openEntry(entry: Entry): StoredInstance | Outcome {
    const hot = this.#now() - entry.receivedMs < HOT_MS;
    return openForDelivery(this.#spool, entry, this.name, hot);
  }

  callsItself(association: Association, instance: StoredInstance): boolean {
    return association.callingAeTitle === this.#callingAeTitle(instance);
  }

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

  async #associate(
    callingAeTitle: string,
    contexts: readonly ProposedContext[],
    signal: AbortSignal,
  ): Promise<Association> {
    const { aeTitle, timeouts, maxPduLength, userIdentity } = this.#config;
    const asked = asks(this.#asking);
    const transport = await connectTo(this.#config, timeouts.connectMs, signal);
    const giveUp = () => transport.close();
    // The connection may have come about in the very moment of the abort.
    if (signal.aborted) giveUp();
    signal.addEventListener("abort", giveUp);
    try {
      const association = await Association.request(
        transport,
        callingAeTitle,
        aeTitle,
        contexts,
        {
          maxPduLength,
          associationMs: timeouts.associationMs,
          idleMs: timeouts.responseMs,
          readMs: timeouts.responseMs,
          writeStallMs: timeouts.writeStallMs,
          releaseMs: timeouts.releaseMs,
          operations: asked ? MOST_OPERATIONS : 1,
          ...saidToBe(userIdentity),
        },
      );
      this.#asking = afterRequest(this.#asking, asked, "answered");
      return association;
    } catch (error) {
      const end = endOf(error);
      if (end !== undefined) this.#asking = afterRequest(this.#asking, asked, end);
      throw error;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
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

/** How the node ended a request; undefined where we did. Silence counts as breaking off: it may be how a node meets what it cannot read. */
function endOf(error: unknown): "answered" | "broken-off" | undefined {
  if (!(error instanceof AssociationError)) return undefined;
  if (error.kind === "rejected") return "answered";
  return ["aborted", "closed", "timeout"].includes(error.kind) ? "broken-off" : undefined;
}

/** Whether an association that did not come about is a matter of reach or of configuration. */
function whyNot(error: unknown): unknown {
  if (error instanceof TransportError) {
    const kind = error.kind === "security" ? "misconfigured" : "unreachable";
    return new DestinationError(kind, error.message, error);
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
