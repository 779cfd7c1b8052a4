/*
 * One association at work: instances from the queue onto it, answers to outcomes.
 *
 * Owns which instances are outstanding, as many at a time as the peer has agreed to (PS3.7 §D.3.3.3). An outcome is told
 * for an instance when its own answer has come, and `delivered` for nothing else. Where the association ends before, the
 * oldest of those outstanding is told as interrupted, for it is the one the peer was most likely at; the others are to
 * go again and may have arrived. An association is never used again after a time-out, an abort or an answer that shows
 * misunderstanding.
 */

import { classifyStoreStatus, describeStatus } from "../dicom/status.ts";
import { encodingOf, transferSyntaxName } from "../dicom/uid.ts";
import type { Answer, OutgoingDataSet, Sent, ServiceUser } from "../dimse/scu.ts";
import type { Entry } from "../spool/entry.ts";
import type { StoredInstance } from "../spool/stored_instance.ts";
import type { Association } from "../ul/association.ts";
import { AssociationError } from "../ul/association_error.ts";
import type { AcceptedContext } from "../ul/negotiation.ts";
import { unreadable } from "./open_entry.ts";
import type { Outcome, Report, Session } from "./outcome.ts";

/** What a session asks of its destination. */
export interface SessionSetting {
  /** Whether the peer's error comments may be told: some name the patient. */
  readonly tellsComments: boolean;
  /** Opens an entry's file; an outcome where that is all there is to say. */
  openEntry(entry: Entry): StoredInstance | Outcome;
  /** Whether instances of this sender go over an association that calls itself so. */
  callsItself(association: Association, instance: StoredInstance): boolean;
  /** The data set as this context wants it; an outcome where it cannot be had. */
  transcoded(
    entry: Entry,
    instance: StoredInstance,
    context: AcceptedContext,
    signal: AbortSignal,
  ): Promise<OutgoingDataSet | Outcome>;
  /** Whether instances are to go one at a time now, whatever the peer has agreed to. */
  readonly oneAtATime: boolean;
  /** The association ended with several instances unanswered. */
  lostSeveral(): void;
}

export class DicomSession implements Session {
  readonly #setting: SessionSetting;
  readonly #user: ServiceUser;
  /** For the ledger: who called whom, where and since when. */
  readonly #name: string;
  /** Sent whole and not answered, the oldest first. */
  readonly #outstanding = new Set<Entry>();
  /** True where nothing has been answered since the association was idle: the peer may have left meanwhile. */
  #stale = false;
  /** True once the association has ended with instances outstanding, and one of them was told as interrupted. */
  #lost = false;
  /** Set by an answer after which nothing more is sent: how the association ends when those due have come. */
  #ending: "release" | { readonly abort: string } | undefined;
  /** What the report of an answer threw. */
  #fault: unknown;
  /** Told of the next answer, or of the end. */
  #wake: () => void = () => {};

  constructor(setting: SessionSetting, user: ServiceUser, establishedAt: number) {
    this.#setting = setting;
    this.#user = user;
    const { callingAeTitle, calledAeTitle, peer } = user.association;
    const since = new Date(establishedAt).toISOString();
    this.#name = `${callingAeTitle} to ${calledAeTitle} at ${peer} since ${since}`;
  }

  get usable(): boolean {
    return this.#user.association.established && this.#ending === undefined;
  }

  async deliver(batch: Iterable<Entry>, report: Report, signal: AbortSignal): Promise<void> {
    try {
      for (const entry of batch) {
        if (signal.aborted || !this.usable || this.#fault !== undefined) break;
        await this.#deliverOne(entry, report, signal);
        // Before the next one is taken: another session may have room for it sooner.
        while (this.#outstanding.size >= this.#room() && this.usable) await this.#change();
      }
    } finally {
      while (this.#outstanding.size > 0) await this.#change();
      await this.#end();
      this.#stale = true;
    }
    if (this.#fault !== undefined) throw this.#fault;
  }

  async close(): Promise<void> {
    if (!this.#user.association.established) return;
    try {
      await this.#user.association.release();
    } catch {
      // The association is over either way, and nothing was under way on it.
    }
  }

  abort(): Promise<void> {
    return this.#user.association.abort("the forwarder is stopping");
  }

  #room(): number {
    return this.#setting.oneAtATime ? 1 : this.#user.association.operations;
  }

  /** The next answer, or the end of the association. */
  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }

  async #end(): Promise<void> {
    if (this.#ending === undefined) return;
    if (this.#ending === "release") await this.close();
    else await this.#user.association.abort(this.#ending.abort);
  }

  async #deliverOne(entry: Entry, report: Report, signal: AbortSignal): Promise<void> {
    const instance = this.#setting.openEntry(entry);
    if ("kind" in instance) return report(entry, instance);
    let sent: Sent | Outcome;
    try {
      sent = await this.#send(entry, instance, signal);
    } catch (error) {
      if (!(error instanceof AssociationError)) throw error;
      return this.#lose(error, report, entry);
    } finally {
      // Long before the report: deleting a file that is open costs its closing the time.
      instance.close();
    }
    if ("kind" in sent) return report(entry, sent);
    this.#outstanding.add(entry);
    void sent.answer.then(
      (answer) => this.#answered(entry, answer, report),
      (error) => this.#lose(error, report),
    );
  }

  /** Sends an instance; an outcome where it cannot go, or not this way. */
  async #send(
    entry: Entry,
    instance: StoredInstance,
    signal: AbortSignal,
  ): Promise<Sent | Outcome> {
    const { association } = this.#user;
    const { sopClassUid, sopInstanceUid, transferSyntaxUid } = instance.meta;
    if (!this.#setting.callsItself(association, instance)) {
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
      const { context } = carriage;
      const transcoded = await this.#setting.transcoded(entry, instance, context, signal);
      if ("kind" in transcoded) return transcoded;
      dataSet = transcoded;
    }
    const contextId = carriage.context.id;
    try {
      const sent = await this.#user.beginStore(contextId, sopClassUid, sopInstanceUid, dataSet);
      return sent ?? { kind: "corrupt", reason: `${instance.path} does not match its checksum` };
    } catch (error) {
      if (error instanceof AssociationError) throw error;
      // The peer still has to say what became of those before.
      await this.#user.allAnswered();
      await association.abort("the stored instance cannot be read");
      return unreadable(error);
    }
  }

  #answered(entry: Entry, { status, comment }: Answer, report: Report): void {
    this.#stale = false;
    this.#outstanding.delete(entry);
    try {
      report(entry, this.#outcomeOf(status, comment));
    } catch (error) {
      // Nobody awaits this: who awaits the batch is to hear of it.
      this.#fault ??= error;
    }
    this.#wake();
  }

  /**
   * The association has ended before the answers to these.
   *
   * @param sending what was being sent then, if anything
   */
  #lose(error: unknown, report: Report, sending?: Entry): void {
    const lost = [...this.#outstanding];
    this.#outstanding.clear();
    if (sending !== undefined) lost.push(sending);
    const known = error instanceof AssociationError;
    // An error of this program: what the association would carry next is unknown.
    if (!known) void this.#user.association.abort("answers cannot be read");
    const left = this.#stale && known && error.kind !== "timeout";
    if (!left && (lost.length > 1 || this.#lost && lost.length > 0)) this.#setting.lostSeveral();
    for (const entry of lost) {
      if (left || this.#lost) {
        report(entry, { kind: "reopen", begun: true });
        continue;
      }
      this.#lost = true;
      const reason = error instanceof Error ? error.message : String(error);
      report(entry, { kind: "interrupted", reason });
    }
    this.#wake();
  }

  #outcomeOf(status: number | undefined, comment: string): Outcome {
    const answer = comment === "" || !this.#setting.tellsComments
      ? describeStatus(status)
      : `${describeStatus(status)}: ${comment}`;
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
        this.#ending ??= "release";
        return { kind: "misconfigured", reason: answer };
      case "protocol-error":
        this.#ending = { abort: "the peer reports a protocol error" };
        return { kind: "protocol-error", reason: answer };
      case "not-an-answer":
        this.#ending = { abort: "the peer's answer is none of C-STORE" };
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
