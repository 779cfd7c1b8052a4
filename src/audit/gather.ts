/*
 * Instances gathered into messages: one for a study and an association (or a destination), not one an instance.
 *
 * Owns the groups that are open, in bounded memory, and when one is told: at the end of its association, when it has been
 * quiet, when it is full or old. A group can be taken over a kill as plain values. It decides nothing about what is told.
 */

import type { Clock } from "../clock.ts";
import type { Gathered, Place, StudyFacts } from "./events.ts";

/** A group is told at the latest with so many instances, or when it is so old, in ms. */
export const MOST_INSTANCES = 1_000;
const OLDEST_MS = 60_000;
/** A group without an end of its own is told when nothing more came for so long, in ms. */
const QUIET_MS = 5_000;
/** How often is looked, in ms. */
const LOOK_MS = 1_000;
/** More SOP classes, and more accession numbers, go into another message: none is longer than a server takes. */
const MOST_CLASSES = 40;
const MOST_ACCESSIONS = 10;
/** Groups that are open at the same time; beyond it the oldest is told. */
const MOST_GROUPS = 2_000;

/** One instance and what became of it. */
export interface Told extends Pick<Gathered, "deed" | "by"> {
  readonly place: Place;
  /** What has an end that is told by `end`: an association in. "" where only silence ends it. */
  readonly session: string;
  /** Names the study, for what is not known of it yet: the spool's hash. */
  readonly study: string;
  /** Undefined where it is not known yet; asked for when the group is told. */
  readonly facts: (StudyFacts & { readonly accession: string }) | undefined;
  readonly sopClass: string;
  /** ms since 1970 */
  readonly at: number;
  readonly reason: string;
}

/** A group, as plain values. */
export interface Group {
  readonly told: Omit<Told, "facts" | "sopClass" | "at">;
  facts: StudyFacts | undefined;
  readonly classes: Record<string, number>;
  accessions: string[];
  count: number;
  first: number;
  last: number;
}

export class Gatherer {
  readonly #clock: Clock;
  readonly #emit: (gathered: Gathered) => void;
  readonly #lookUp: (study: string) => Told["facts"];
  /** In the order in which they were begun. */
  readonly #groups = new Map<string, Group>();
  #cancel: (() => void) | undefined;
  #changed = false;

  /** @param lookUp what is known by now of a study, by its hash */
  constructor(
    clock: Clock,
    emit: (gathered: Gathered) => void,
    lookUp: (study: string) => Told["facts"],
  ) {
    this.#clock = clock;
    this.#emit = emit;
    this.#lookUp = lookUp;
  }

  /** Groups that are open. */
  get size(): number {
    return this.#groups.size;
  }

  add(told: Told): void {
    const key = keyOf(told);
    let group = this.#groups.get(key);
    if (group !== undefined && isFull(group, told)) {
      this.#tell(key);
      group = undefined;
    }
    if (group === undefined) {
      const { facts: _facts, sopClass: _class, at, ...rest } = told;
      group = {
        told: rest,
        facts: told.facts,
        classes: {},
        accessions: [],
        count: 0,
        first: at,
        last: at,
      };
      this.#groups.set(key, group);
      this.#bound();
    }
    group.facts ??= told.facts;
    group.classes[told.sopClass] = (group.classes[told.sopClass] ?? 0) + 1;
    const { accession = "" } = told.facts ?? {};
    if (accession !== "" && !group.accessions.includes(accession)) group.accessions.push(accession);
    group.count++;
    group.first = Math.min(group.first, told.at);
    group.last = Math.max(group.last, told.at);
    this.#changed = true;
    if (group.count >= MOST_INSTANCES) this.#tell(key);
    else this.#wait();
  }

  /** An association is over: what it brought is told. */
  end(session: string): void {
    if (session === "") return;
    for (const [key, { told }] of [...this.#groups]) if (told.session === session) this.#tell(key);
  }

  /** Tells everything there is. */
  flush(): void {
    for (const key of [...this.#groups.keys()]) this.#tell(key);
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** The open groups where they differ from when this was asked last; undefined where they do not. */
  changes(): readonly Group[] | undefined {
    if (!this.#changed) return undefined;
    this.#changed = false;
    return [...this.#groups.values()];
  }

  /** Tells what an earlier run had gathered when it was killed. */
  restore(groups: readonly Group[]): void {
    for (const group of groups) this.#tellGroup(group);
    this.#changed = true;
  }

  #wait(): void {
    this.#cancel ??= this.#clock.after(LOOK_MS, () => {
      this.#cancel = undefined;
      this.#look();
      if (this.#groups.size > 0) this.#wait();
    });
  }

  #look(): void {
    const now = this.#clock.now();
    for (const [key, { told, first, last }] of [...this.#groups]) {
      // By the distance: the clock may have been set back.
      const isOld = Math.abs(now - first) >= OLDEST_MS;
      const isQuiet = told.session === "" && Math.abs(now - last) >= QUIET_MS;
      if (isOld || isQuiet) this.#tell(key);
    }
  }

  #bound(): void {
    if (this.#groups.size <= MOST_GROUPS) return;
    const [oldest] = this.#groups.keys();
    if (oldest !== undefined) this.#tell(oldest);
  }

  #tell(key: string): void {
    const group = this.#groups.get(key);
    if (group === undefined) return;
    const { told } = group;
    // That it began is told before what came of it.
    if (told.deed === "sent" || told.deed === "failed") {
      this.#tell(keyOf({ ...told, deed: "begun" }));
    }
    this.#groups.delete(key);
    this.#changed = true;
    this.#tellGroup(group);
  }

  #tellGroup(group: Group): void {
    const { told, classes, first, last } = group;
    const known = group.facts ?? this.#lookUp(told.study);
    const accession = group.facts === undefined ? this.#lookUp(told.study)?.accession ?? "" : "";
    const accessions = accession === "" ? group.accessions : [...group.accessions, accession];
    const facts = known ?? { studyInstanceUid: "", patientId: "", patientName: "" };
    const { deed, by, place, reason } = told;
    this.#emit({ deed, by, place, reason, classes, accessions, first, last, facts });
  }
}

/** A message is about one patient (PS3.15 A.5.3); what failed for another reason is another message. */
function keyOf(told: Pick<Told, "deed" | "by" | "place" | "session" | "study" | "reason">): string {
  const { deed, by, place, session, study } = told;
  const reason = deed === "failed" ? told.reason : "";
  return JSON.stringify([deed, by, place.address, place.aeTitles, session, study, reason]);
}

function isFull(group: Group, told: Told): boolean {
  const { facts = undefined, sopClass } = told;
  if (
    facts !== undefined && group.facts !== undefined &&
    (facts.patientId !== group.facts.patientId ||
      facts.studyInstanceUid !== group.facts.studyInstanceUid)
  ) return true;
  const isNewClass = !Object.hasOwn(group.classes, sopClass);
  if (isNewClass && Object.keys(group.classes).length >= MOST_CLASSES) return true;
  const accession = facts?.accession ?? "";
  return accession !== "" && !group.accessions.includes(accession) &&
    group.accessions.length >= MOST_ACCESSIONS;
}

/** Reads groups that were kept; none where the text is not what was written. */
export function readGroups(text: string): readonly Group[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Cut short by a crash: what was gathered in its last second is not known.
    return [];
  }
  return Array.isArray(value) ? value.filter(isGroup) : [];
}

function isGroup(value: unknown): value is Group {
  if (typeof value !== "object" || value === null) return false;
  const { told, classes, accessions, first, last } = value as Partial<Record<keyof Group, unknown>>;
  return typeof told === "object" && told !== null && "place" in told && "deed" in told &&
    typeof classes === "object" && classes !== null && Array.isArray(accessions) &&
    typeof first === "number" && typeof last === "number";
}
