/*
 * Whose study is which, for messages about instances that have left memory or were received before the start.
 *
 * Owns a bounded book by the spool's hash of the study, filled by what is received and by looks into files. Texts are as the
 * data set has them until they are told.
 */

import { readText } from "../activity/text.ts";
import type { Identification } from "../dicom/header.ts";
import type { StudyFacts } from "./events.ts";

/** Studies remembered; the longest untouched is forgotten first. */
const MOST_STUDIES = 5_000;
/** Looks into files at a time; beyond it a study stays unknown. */
const MOST_LOOKS = 16;

export type Facts = StudyFacts & { readonly accession: string };

export class FactsBook {
  readonly #studies = new Map<string, Facts>();
  readonly #looking = new Map<string, Promise<void>>();

  /** What an instance says of its study. */
  note(study: string, header: Identification): Facts {
    const known = this.#studies.get(study);
    const facts = known !== undefined && isSame(known, header) ? known : factsOf(header);
    this.#studies.delete(study);
    this.#studies.set(study, facts);
    if (this.#studies.size > MOST_STUDIES) {
      const [oldest] = this.#studies.keys();
      if (oldest !== undefined) this.#studies.delete(oldest);
    }
    return facts;
  }

  get(study: string): Facts | undefined {
    return this.#studies.get(study);
  }

  /** Looks into a file of a study that is not known. */
  look(study: string, identify: () => Promise<Identification | undefined>): void {
    if (this.#studies.has(study) || this.#looking.has(study)) return;
    if (this.#looking.size >= MOST_LOOKS) return;
    const looking = identify().then((header) => {
      if (header !== undefined) this.note(study, header);
    }).finally(() => this.#looking.delete(study));
    this.#looking.set(study, looking);
  }

  /** Resolves when the looks under way are over. */
  async looked(): Promise<void> {
    await Promise.allSettled(this.#looking.values());
  }
}

function isSame(known: Facts, header: Identification): boolean {
  return known.studyInstanceUid === header.studyInstanceUid &&
    known.patientId === readText(header.patientId, header.specificCharacterSet) &&
    known.accession === readText(header.accessionNumber, header.specificCharacterSet);
}

function factsOf(header: Identification): Facts {
  const text = (value: string) => readText(value, header.specificCharacterSet);
  return {
    studyInstanceUid: header.studyInstanceUid,
    patientId: text(header.patientId),
    patientName: text(header.patientName),
    accession: text(header.accessionNumber),
  };
}
