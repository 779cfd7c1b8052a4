/*
 * Studies in flight or lately: what has come of each, and how far it is with each destination.
 *
 * Owns the counts in memory, which are made of what it is told, and what of a study is known about whom it is of. Bounded:
 * when there are too many, those that have arrived everywhere are given up first, the longest untouched before the others.
 * Studies are named by the spool's hash of their UID, which groups and does not identify: two of the same hash show as one.
 * Nothing here decides anything about an instance.
 */

import type { Identification, Study, StudyList, StudyQuery } from "../control/views.ts";
import type { Identification as Header } from "../dicom/header.ts";
import { readText } from "./text.ts";

/** Studies kept. */
export const MOST_STUDIES = 5_000;

/** So many more are let in before some are given up, all at once: choosing them is a look at all. */
const SLACK = 500;

/** Files opened at most for one search, to know of whom what they are of is. */
const MOST_OPENED = 64;

/** No further one is opened for a search after so many ms: a slow disk must not keep whoever looks waiting. */
const LOOKING_MS = 30;

/** What a file says of its study. */
export interface FileFacts {
  readonly header: Header;
  /** Calling AE title. */
  readonly from: string;
}

export interface StudyBookOptions<File> {
  /** ms since 1970 */
  readonly now: () => number;
  /** Reads what a file says; undefined where it is not there any more. Must not throw. */
  readonly identify: (file: File) => Promise<FileFacts | undefined>;
  /**
   * Whether the spool has nothing for a destination: then nothing of any study waits for it, whatever was not told of here
   * because another process did it.
   */
  readonly hasNone?: (destination: string) => boolean;
  readonly most?: number;
}

interface Progress {
  readonly name: string;
  wanted: number;
  delivered: number;
  failed: number;
}

interface Kept<File> {
  readonly id: string;
  identification: Identification | null;
  from: string;
  first: number;
  last: number;
  /** When something last came of it. */
  touched: number;
  received: number;
  bytes: number;
  destinations: Progress[];
  /** One of its files, where the study is not known yet: the latest, which leaves last. */
  file: File | undefined;
}

export class StudyBook<File> {
  readonly #options: StudyBookOptions<File>;
  readonly #most: number;
  readonly #studies = new Map<string, Kept<File>>();
  /** Those of which nobody has looked into a file yet. */
  readonly #unknown = new Set<Kept<File>>();
  /** Pairs of instance and destination that wait, of studies that had to be given up. */
  #forgotten = 0;

  constructor(options: StudyBookOptions<File>) {
    this.#options = options;
    this.#most = options.most ?? MOST_STUDIES;
  }

  /** Studies kept now. */
  get size(): number {
    return this.#studies.size;
  }

  /** An instance has been received. */
  received(
    study: string,
    header: Header,
    from: string,
    bytes: number,
    destinations: readonly string[],
  ): void {
    const now = this.#options.now();
    const kept = this.#studies.get(study) ?? this.#add(study, now);
    if (kept.identification === null) this.#identified(kept, { header, from });
    else if (kept.identification.studyInstanceUid !== header.studyInstanceUid) {
      kept.identification = identificationOf(header);
    }
    kept.from = from;
    kept.last = now;
    kept.touched = now;
    kept.received++;
    kept.bytes += bytes;
    for (const name of destinations) progressOf(kept, name).wanted++;
  }

  /**
   * An instance was in the spool when the forwarder started. To be told in the order in which they were received.
   *
   * @param received ms since 1970
   * @param waiting for which destinations
   * @param state that it is in for them
   */
  found(
    study: string,
    received: number,
    waiting: readonly { readonly destination: string }[],
    state: "queued" | "failed",
    file: File,
  ): void {
    const kept = this.#studies.get(study) ?? this.#add(study, received);
    kept.first = Math.min(kept.first, received);
    kept.last = Math.max(kept.last, received);
    kept.touched = Math.max(kept.touched, received);
    kept.received++;
    if (kept.identification === null) {
      if (kept.file === undefined) this.#unknown.add(kept);
      kept.file = file;
    }
    for (const { destination } of waiting) {
      const progress = progressOf(kept, destination);
      progress.wanted++;
      if (state === "failed") progress.failed++;
    }
  }

  delivered(study: string, destination: string): void {
    this.#change(study, destination, (progress) => progress.delivered++, -1);
  }

  failed(study: string, destination: string): void {
    this.#change(study, destination, (progress) => progress.failed++, 0);
  }

  /** Out of `failed/` and in the queue again, for the same destination or, where it had none, for others. */
  retried(study: string, of: string, now: readonly string[]): void {
    this.#change(study, of, (progress) => {
      progress.failed = Math.max(0, progress.failed - 1);
      if (!now.includes(of)) progress.wanted--;
    }, now.length - 1);
    for (const name of now) {
      if (name !== of) this.#change(study, name, (progress) => progress.wanted++, 0);
    }
  }

  /** Not wanted there any more: a person had it removed, or it is damaged. */
  removed(study: string, destination: string, state: "queued" | "failed"): void {
    this.#change(study, destination, (progress) => {
      if (state === "failed") progress.failed = Math.max(0, progress.failed - 1);
      progress.wanted--;
    }, -1);
  }

  /**
   * Studies that match, the latest first. Where some have not been looked into, some of their files are read for it.
   */
  async search({ search, active, limit }: StudyQuery): Promise<StudyList> {
    const wanted = search.trim().toLowerCase();
    let found = this.#matching(wanted, active, limit);
    const unread = wanted === "" ? found.filter((kept) => this.#unknown.has(kept)) : [
      ...this.#unknown,
    ];
    if (unread.length > 0 && (wanted === "" || found.length < limit)) {
      const began = this.#options.now();
      for (const kept of unread.slice(0, MOST_OPENED)) {
        await this.#identify(kept);
        if (Math.abs(this.#options.now() - began) >= LOOKING_MS) break;
      }
      found = this.#matching(wanted, active, limit);
    }
    return {
      studies: found.map(shown),
      complete: this.#unknown.size === 0 && this.#forgotten <= 0,
    };
  }

  /**
   * Looks into a file of each study that is not known yet, one by one, so that all can be found.
   *
   * @param pause between two files
   * @param signal ends it; never throws
   */
  async identifyAll(pause: () => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const [kept] = this.#unknown;
      if (kept === undefined) return;
      await this.#identify(kept);
      if (!signal.aborted) await pause();
    }
  }

  #matching(wanted: string, active: boolean, limit: number): Kept<File>[] {
    const found: Kept<File>[] = [];
    const empty = new Map<string, boolean>();
    for (const kept of this.#studies.values()) {
      for (const one of kept.destinations) if (one.delivered < one.wanted) this.#mend(one, empty);
      if (active && !isActive(kept)) continue;
      if (wanted === "" || matches(kept, wanted)) found.push(kept);
    }
    return found.sort((one, other) => other.touched - one.touched).slice(0, limit);
  }

  #mend(progress: Progress, empty: Map<string, boolean>): void {
    const { name, delivered } = progress;
    let none = empty.get(name);
    if (none === undefined) {
      none = this.#options.hasNone?.(name) ?? false;
      empty.set(name, none);
    }
    if (!none) return;
    progress.wanted = delivered;
    progress.failed = 0;
  }

  async #identify(kept: Kept<File>): Promise<void> {
    const { file } = kept;
    const facts = file === undefined ? undefined : await this.#options.identify(file);
    // It may have been received anew, or another of its files found, while this one was read.
    if (kept.file !== file) return;
    if (facts === undefined) {
      this.#unknown.delete(kept);
      kept.file = undefined;
    } else if (kept.identification === null) this.#identified(kept, facts);
  }

  #identified(kept: Kept<File>, { header, from }: FileFacts): void {
    kept.identification = identificationOf(header);
    kept.from ||= from;
    kept.file = undefined;
    this.#unknown.delete(kept);
  }

  #add(id: string, at: number): Kept<File> {
    if (this.#studies.size >= this.#most + SLACK) this.#giveUpSome();
    const kept: Kept<File> = {
      id,
      identification: null,
      from: "",
      first: at,
      last: at,
      touched: at,
      received: 0,
      bytes: 0,
      destinations: [],
      file: undefined,
    };
    this.#studies.set(id, kept);
    return kept;
  }

  #giveUpSome(): void {
    const order = [...this.#studies.values()].map((kept) => ({ kept, active: isActive(kept) }));
    order.sort((one, other) =>
      one.active === other.active ? one.kept.touched - other.kept.touched : one.active ? 1 : -1
    );
    for (const { kept } of order.slice(0, this.#studies.size - this.#most)) {
      this.#studies.delete(kept.id);
      this.#unknown.delete(kept);
      for (const { wanted, delivered } of kept.destinations) this.#forgotten += wanted - delivered;
    }
  }

  /** @param open by how much what is open of a study changes, where it has been given up */
  #change(study: string, name: string, change: (progress: Progress) => void, open: number): void {
    const kept = this.#studies.get(study);
    if (kept === undefined) {
      this.#forgotten = Math.max(0, this.#forgotten + open);
      return;
    }
    const progress = progressOf(kept, name);
    change(progress);
    // What was not told of here (found late, received before the study was given up) was wanted all the same.
    progress.wanted = Math.max(progress.wanted, progress.delivered + progress.failed, 0);
    kept.touched = this.#options.now();
  }
}

function progressOf<File>({ destinations }: Kept<File>, name: string): Progress {
  for (const one of destinations) if (one.name === name) return one;
  const progress = { name, wanted: 0, delivered: 0, failed: 0 };
  destinations.push(progress);
  return progress;
}

function isActive<File>({ destinations }: Kept<File>): boolean {
  return destinations.some(({ wanted, delivered }) => delivered < wanted);
}

function matches<File>({ identification }: Kept<File>, wanted: string): boolean {
  return identification !== null && (
    identification.patientId.toLowerCase().includes(wanted) ||
    identification.accessionNumber.toLowerCase().includes(wanted) ||
    identification.studyInstanceUid.includes(wanted)
  );
}

function identificationOf(header: Header): Identification {
  const read = (text: string) => readText(text, header.specificCharacterSet);
  return {
    patientId: read(header.patientId),
    patientName: read(header.patientName),
    accessionNumber: read(header.accessionNumber),
    studyInstanceUid: header.studyInstanceUid,
    modality: header.modality,
  };
}

function shown<File>(kept: Kept<File>): Study {
  return {
    id: kept.id,
    identification: kept.identification,
    from: kept.from,
    first: kept.first,
    last: kept.last,
    received: kept.received,
    receivedBytes: kept.bytes,
    destinations: kept.destinations
      .filter(({ wanted }) => wanted > 0)
      .map(({ name, wanted, delivered, failed }) => ({ name, wanted, delivered, failed })),
  };
}
