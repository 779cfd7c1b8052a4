/*
 * C-STORE as the forwarder serves it: data set into the spool, checks, commit, answer.
 *
 * Owns the decision what to answer. It refuses only what is proven wrong (nothing there, cut short, another instance than
 * announced) or what the disk does not take; a data set it merely cannot read is passed on, for the destination may.
 * Success is answered after the commit and by nothing else.
 */

import type { ReceptionObserver } from "../activity/observer.ts";
import type { Config } from "../config/load.ts";
import { HeaderReader } from "../dicom/header.ts";
import {
  CANNOT_UNDERSTAND,
  DATA_SET_MISMATCH,
  describeStatus,
  INVALID_SOP_INSTANCE,
  OUT_OF_RESOURCES,
  PROCESSING_FAILURE,
  SOP_CLASS_NOT_SUPPORTED,
  SUCCESS,
} from "../dicom/status.ts";
import { isStorageClass, isUid, transferSyntaxName } from "../dicom/uid.ts";
import type { DataSetSource, StoreAnswer, StoreRequest } from "../dimse/scp.ts";
import { getLog } from "../log.ts";
import { route } from "../routing/routing.ts";
import type { Entry } from "../spool/entry.ts";
import type { EventTaker } from "../ledger/event.ts";
import { crcOf, hashStudy, studyOf } from "../spool/entry_name.ts";
import { UNROUTED } from "../spool/failed.ts";
import { systemErrorCode } from "../spool/file_system.ts";
import type { Committed, IncomingInstance } from "../spool/incoming.ts";
import type { Spool } from "../spool/spool.ts";
import type { Association } from "../ul/association.ts";

const log = getLog("receiver");

/** A refusal on its way to being answered. */
class Refused extends Error {
  readonly status: number;
  /** For the peer: at most 64 characters are sent. */
  readonly comment: string;

  constructor(status: number, comment: string, detail = comment, cause?: unknown) {
    super(detail, { cause });
    this.status = status;
    this.comment = comment;
  }
}

/** What became of the instances of one association. */
export interface StoreCount {
  stored: number;
  refused: number;
  /** Of data sets stored. */
  bytes: number;
}

/** What one instance is treated by, from its first byte to its log line, whatever is configured meanwhile. */
interface Rules {
  readonly config: Config;
  /** Names of its destinations. */
  readonly destinations: readonly string[];
}

export class StoreService {
  readonly #spool: Spool;
  #rules: Rules;
  readonly #ledger: EventTaker;
  readonly #queued: (entry: Entry) => void;
  readonly #observer: ReceptionObserver | undefined;

  /** @param queued told of every instance that entered the queue */
  constructor(
    spool: Spool,
    ledger: EventTaker,
    config: Config,
    queued: (entry: Entry) => void,
    observer?: ReceptionObserver,
  ) {
    this.#spool = spool;
    this.#ledger = ledger;
    this.#rules = rulesOf(config);
    this.#queued = queued;
    this.#observer = observer;
  }

  /** Treats what begins from now on by another configuration. */
  configure(config: Config): void {
    this.#rules = rulesOf(config);
  }

  /**
   * Serves one C-STORE.
   *
   * @throws {AssociationError} where the association ends before the data set does; nothing is kept then
   */
  async store(
    association: Association,
    request: StoreRequest,
    dataSet: DataSetSource,
    count: StoreCount,
  ): Promise<StoreAnswer> {
    try {
      return await this.#receive(association, request, dataSet, count);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      count.refused++;
      this.#observer?.refused(error.status);
      log.warn("Instance refused: {reason}", {
        reason: error.message,
        status: describeStatus(error.status),
        calling: association.callingAeTitle,
        from: association.peer,
        sop: request.sopInstanceUid,
        ...(error.cause === undefined ? {} : { cause: error.cause }),
      });
      return { status: error.status, comment: error.comment };
    }
  }

  async #receive(
    association: Association,
    request: StoreRequest,
    dataSet: DataSetSource,
    count: StoreCount,
  ): Promise<StoreAnswer> {
    checkRequest(request);
    this.#checkRoom();
    const { config, destinations: all } = this.#rules;
    const header = new HeaderReader(request.context.transferSyntax);
    const incoming = await this.#onDisk(() =>
      this.#spool.begin({
        sopClassUid: request.sopClassUid,
        sopInstanceUid: request.sopInstanceUid,
        transferSyntaxUid: request.context.transferSyntax,
        sourceAeTitle: association.callingAeTitle,
        receivingAeTitle: association.calledAeTitle,
      })
    );
    let committed;
    try {
      await this.#keep(association, dataSet, incoming, header, config.maxInstanceSize);
      header.end();
      checkDataSet(request, header, incoming.length);
      const study = hashStudy(header.identification.studyInstanceUid);
      committed = await this.#onDisk(() => incoming.commit(study));
    } catch (error) {
      incoming.discard();
      throw error;
    }
    count.stored++;
    count.bytes += committed.length;
    const destinations = route(
      {
        callingAeTitle: association.callingAeTitle,
        calledAeTitle: association.calledAeTitle,
        sopClassUid: request.sopClassUid,
        modality: header.identification.modality || null,
      },
      config.routes,
      all,
    );
    const instance = committed;
    return {
      status: SUCCESS,
      afterAnswer: () => {
        const waiting = destinations.length === 0 ? [UNROUTED] : destinations;
        const entry = this.#spool.enqueue(instance, waiting);
        this.#recordAccepted(association, request, header, instance, waiting);
        this.#logReceived(association, request, header, instance, waiting, config);
        // Before anybody can have delivered it.
        this.#observer?.received({
          study: studyOf(instance.base),
          header: header.identification,
          sopClass: request.sopClassUid,
          from: association.callingAeTitle,
          called: association.calledAeTitle,
          peer: association.peer,
          bytes: instance.length,
          destinations: waiting,
          ms: performance.now() - request.began,
        });
        this.#queued(entry);
      },
    };
  }

  /** Streams the data set into the slot. */
  async #keep(
    association: Association,
    dataSet: DataSetSource,
    incoming: IncomingInstance,
    header: HeaderReader,
    limit: number,
  ): Promise<void> {
    for (let bytes = await dataSet.read(); bytes !== undefined; bytes = await dataSet.read()) {
      if (incoming.length + bytes.length > limit) {
        log.error("Association aborted: an instance is larger than max_instance_size", {
          limit,
          calling: association.callingAeTitle,
          from: association.peer,
        });
        await association.abort(`instance of over ${limit} bytes (max_instance_size)`);
      }
      // One large instance must not take the room that all the others are kept.
      this.#checkRoom();
      try {
        incoming.write(bytes);
      } catch (error) {
        throw storageFailure(error);
      }
      header.push(bytes);
    }
  }

  #checkRoom(): void {
    const full = this.#spool.refusesNew();
    if (full !== undefined) throw new Refused(OUT_OF_RESOURCES, "No room in the spool", full);
  }

  async #onDisk<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      throw storageFailure(error);
    }
  }

  #recordAccepted(
    association: Association,
    request: StoreRequest,
    header: HeaderReader,
    committed: Committed,
    destinations: readonly string[],
  ): void {
    this.#ledger.append({
      event: "accepted",
      id: committed.base,
      sop: request.sopInstanceUid,
      class: request.sopClassUid,
      syntax: request.context.transferSyntax,
      study: header.identification.studyInstanceUid,
      from: association.callingAeTitle,
      peer: association.peer,
      bytes: committed.length,
      crc32: crcOf(committed.base),
      for: destinations,
    });
  }

  #logReceived(
    association: Association,
    request: StoreRequest,
    header: HeaderReader,
    committed: Committed,
    destinations: readonly string[],
    { logPatientInfo }: Config,
  ): void {
    const { identification } = header;
    if (header.state === "unreadable") {
      log.warn("Instance received whose data set cannot be read here; it is passed on as it is", {
        problem: header.problem,
        sop: request.sopInstanceUid,
      });
    }
    log.info("Instance received", {
      from: association.callingAeTitle,
      sop: request.sopInstanceUid,
      ...(logPatientInfo
        ? {
          patient: identification.patientId,
          study: identification.studyInstanceUid,
          ...(identification.accessionNumber === ""
            ? {}
            : { accession: identification.accessionNumber }),
        }
        : {}),
      modality: identification.modality,
      syntax: transferSyntaxName(request.context.transferSyntax),
      bytes: committed.length,
      for: destinations.join(","),
      entry: committed.base,
    });
  }
}

function rulesOf(config: Config): Rules {
  return { config, destinations: config.destinations.map((destination) => destination.name) };
}

function checkRequest(request: StoreRequest): void {
  if (!isUid(request.sopInstanceUid)) {
    throw new Refused(
      INVALID_SOP_INSTANCE,
      "Affected SOP Instance UID is not a UID",
      `Affected SOP Instance UID ${JSON.stringify(request.sopInstanceUid)} is not a UID`,
    );
  }
  if (!isStorageClass(request.sopClassUid)) {
    throw new Refused(
      SOP_CLASS_NOT_SUPPORTED,
      "Not a storage SOP class",
      `${JSON.stringify(request.sopClassUid)} is not a storage SOP class`,
    );
  }
  if (request.sopClassUid !== request.context.abstractSyntax) {
    throw new Refused(
      SOP_CLASS_NOT_SUPPORTED,
      "SOP class is not that of the presentation context",
      `SOP class ${
        JSON.stringify(request.sopClassUid)
      } is not ${request.context.abstractSyntax}, that of the presentation context`,
    );
  }
}

/** Command and data set agree, and there is a data set (PS3.4 Table B.2-1). */
function checkDataSet(request: StoreRequest, header: HeaderReader, length: number): void {
  if (length === 0) throw new Refused(CANNOT_UNDERSTAND, "Data set is empty");
  if (header.state === "truncated") {
    throw new Refused(
      CANNOT_UNDERSTAND,
      "Data set is cut short",
      `Data set is cut short: ${header.problem}, after ${length} bytes`,
    );
  }
  const { sopClassUid, sopInstanceUid } = header.identification;
  if (sopInstanceUid !== "" && sopInstanceUid !== request.sopInstanceUid) {
    throw new Refused(
      DATA_SET_MISMATCH,
      "SOP Instance UID of command and data set differ",
      `SOP Instance UID ${sopInstanceUid} in the data set is not the command's ${request.sopInstanceUid}`,
    );
  }
  if (sopClassUid !== "" && sopClassUid !== request.sopClassUid) {
    throw new Refused(
      DATA_SET_MISMATCH,
      "SOP Class UID of command and data set differ",
      `SOP Class UID ${sopClassUid} in the data set is not the command's ${request.sopClassUid}`,
    );
  }
}

const NO_ROOM: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "ENOMEM"]);

/** The spool could not keep the bytes: the sender is told to try again, by the status that fits. */
function storageFailure(error: unknown): Refused {
  const message = error instanceof Error ? error.message : String(error);
  const status = NO_ROOM.has(systemErrorCode(error)) ? OUT_OF_RESOURCES : PROCESSING_FAILURE;
  return new Refused(
    status,
    "The spool cannot keep it",
    `The spool cannot keep it: ${message}`,
    error,
  );
}
