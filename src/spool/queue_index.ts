/*
 * What is in the spool, in memory, for who looks at it page by page: what waits, what failed, what is held.
 *
 * Owns the counts and the order (as received); the spool tells it of every change, so that nothing is listed from the disk
 * for it. An instance that waits for two destinations is two items. What other processes do to the files shows here when
 * the spool notices it.
 */

import { Ages } from "../control/ages.ts";
import type { Entry } from "./entry.ts";
import { receivedMsOf, type Waiting } from "./entry_name.ts";
import { compareBases, InOrder } from "./in_order.ts";
import { unshared } from "./waiting_lists.ts";

export type ItemState = "queued" | "failed" | "held";
export type ApartState = Exclude<ItemState, "queued">;

/** One instance for one destination. */
export interface Item {
  readonly base: string;
  readonly destination: string;
  readonly state: ItemState;
  /** Where it is queued. */
  readonly entry: Entry | undefined;
}

/** Which items; all of them where nothing is said. */
export interface ItemFilter {
  readonly destination?: string | undefined;
  readonly state?: ItemState | undefined;
  /** Eight hexadecimal digits. */
  readonly study?: string | undefined;
}

export interface Counts {
  readonly queued: number;
  readonly failed: number;
  readonly held: number;
}

/** Entries that have left the queue are let go when there are so many, and more than others. */
const MOST_LEFT = 4096;

/** Studies of which the entries are known. */
const MOST_STUDIES = 16;

/** Where the study stands in a base, from its end. */
const STUDY_FROM_END = 17;

export class QueueIndex {
  readonly #entries = new InOrder<Entry>((entry) => entry.base);
  /** Entries of the list that have left the queue. */
  #left = 0;
  readonly #queued = new Map<string, number>();
  readonly #ages = new Ages();
  readonly #apart: Readonly<Record<ApartState, Map<string, InOrder<string>>>> = {
    failed: new Map(),
    held: new Map(),
  };
  /** Entries of the studies asked for last: to find those of one takes a look at every entry there is. */
  readonly #ofStudy = new Map<string, InOrder<Entry>>();
  /** The oldest that was found waiting for each destination. */
  readonly #oldest = new Map<string, Entry>();

  /** Entries that are in the queue now. */
  add(entries: readonly Entry[]): void {
    this.#entries.add(entries);
    for (const [study, list] of this.#ofStudy) {
      list.add(entries.filter(({ base }) => isOfStudy(base, study)));
    }
    for (const entry of entries) {
      const receivedMs = receivedMsOf(entry.base);
      for (const { destination } of entry.waiting) {
        this.#count(destination, receivedMs, 1);
        const oldest = this.#oldest.get(destination);
        if (oldest !== undefined && compareBases(entry.base, oldest.base) < 0) {
          this.#oldest.set(destination, entry);
        }
      }
    }
  }

  /** An entry that was added waits for something else. */
  changed(base: string, before: readonly Waiting[], after: readonly Waiting[]): void {
    const receivedMs = receivedMsOf(base);
    for (const { destination } of before) this.#count(destination, receivedMs, -1);
    for (const { destination } of after) this.#count(destination, receivedMs, 1);
    if (after.length > 0 || before.length === 0) return;
    this.#left++;
    if (this.#left < MOST_LEFT || this.#left * 2 < this.#entries.length) return;
    this.#entries.keep((entry) => entry.queued);
    this.#ofStudy.clear();
    this.#left = 0;
  }

  #count(destination: string, receivedMs: number, by: number): void {
    this.#ages.count(destination, receivedMs, by);
    this.#queued.set(destination, (this.#queued.get(destination) ?? 0) + by);
  }

  /** Instances lie in `failed/` or `held/` now. */
  setApart(state: ApartState, destination: string, bases: readonly string[]): void {
    let list = this.#apart[state].get(destination);
    if (list === undefined) {
      list = new InOrder((base) => base);
      this.#apart[state].set(destination, list);
    }
    const known = list;
    list.add([...new Set(bases)].filter((base) => !known.has(base)).map(unshared));
  }

  /** Instances do not lie there any more. */
  tookBack(state: ApartState, destination: string, bases: readonly string[]): void {
    const list = this.#apart[state].get(destination);
    if (bases.length < 32) { for (const base of bases) list?.delete(base); }
    else {
      const gone = new Set(bases);
      list?.keep((base) => !gone.has(base));
    }
  }

  counts(destination: string): Counts {
    return {
      queued: this.#queued.get(destination) ?? 0,
      failed: this.#apart.failed.get(destination)?.length ?? 0,
      held: this.#apart.held.get(destination)?.length ?? 0,
    };
  }

  /** How many wait for a destination, by age: see AGE_WORDS. */
  ages(destination: string, now: number): number[] {
    return this.#ages.of(destination, now);
  }

  /** Destinations that anything is here for. */
  destinations(): string[] {
    const names = new Set([
      ...this.#queued.keys(),
      ...this.#apart.failed.keys(),
      ...this.#apart.held.keys(),
    ]);
    return [...names].filter((name) => {
      const { queued, failed, held } = this.counts(name);
      return queued + failed + held > 0;
    });
  }

  /** When the oldest that waits for a destination was received, in ms since 1970; undefined where nothing waits. */
  oldest(destination: string): number | undefined {
    if (this.counts(destination).queued === 0) {
      this.#oldest.delete(destination);
      return undefined;
    }
    const known = this.#oldest.get(destination);
    const from = known === undefined ? 0 : this.#entries.placeOf(known.base);
    for (let place = from; place < this.#entries.length; place++) {
      const entry = this.#entries.at(place);
      if (!entry.waitsFor(destination)) continue;
      this.#oldest.set(destination, entry);
      return receivedMsOf(entry.base);
    }
    return undefined;
  }

  /** How many there are. */
  total(filter: ItemFilter): number {
    if (filter.study === undefined) {
      const names = filter.destination === undefined ? this.destinations() : [filter.destination];
      let sum = 0;
      for (const name of names) {
        const counts = this.counts(name);
        if (filter.state !== undefined) sum += counts[filter.state];
        else sum += counts.queued + counts.failed + counts.held;
      }
      return sum;
    }
    let total = 0;
    for (const source of this.#sources(filter)) {
      for (let place = 0; place < source.length; place++) total += source.count(place);
    }
    return total;
  }

  /** Up to `most` items behind a place, as received; from the beginning where `after` is undefined. */
  page(
    filter: ItemFilter,
    after: Pick<Item, "base" | "destination" | "state"> | undefined,
    most: number,
  ): Item[] {
    const sources = this.#sources(filter);
    const places = sources.map((source) => after === undefined ? 0 : source.placeOf(after.base));
    const found: Item[] = [];
    while (found.length < most) {
      let first: string | undefined;
      for (const [n, source] of sources.entries()) {
        while (places[n]! < source.length && source.count(places[n]!) === 0) places[n]!++;
        if (places[n] === source.length) continue;
        const base = source.base(places[n]!);
        if (first === undefined || compareBases(base, first) < 0) first = base;
      }
      if (first === undefined) break;
      const same: Item[] = [];
      for (const [n, source] of sources.entries()) {
        for (; places[n]! < source.length && source.base(places[n]!) === first; places[n]!++) {
          same.push(...source.items(places[n]!));
        }
      }
      same.sort(compareItems);
      for (const item of same) {
        if (after !== undefined && compareItems(item, after) <= 0) continue;
        if (found.length < most) found.push(item);
      }
    }
    return found;
  }

  /** All of them, source by source. */
  *all(filter: ItemFilter): Generator<Item> {
    for (const source of this.#sources(filter)) {
      for (let place = 0; place < source.length; place++) yield* source.items(place);
    }
  }

  /** Whether an instance is kept apart there. */
  has(state: ApartState, destination: string, base: string): boolean {
    return this.#apart[state].get(destination)?.has(base) ?? false;
  }

  /** An instance for a destination: more than one where it lies in two places. */
  find(base: string, destination: string): Item[] {
    const found: Item[] = [];
    for (const source of this.#sources({ destination })) {
      for (let n = source.placeOf(base); n < source.length && source.base(n) === base; n++) {
        found.push(...source.items(n));
      }
    }
    return found;
  }

  #entriesOf(study: string | undefined): InOrder<Entry> {
    if (study === undefined) return this.#entries;
    let list = this.#ofStudy.get(study);
    if (list === undefined) {
      list = new InOrder<Entry>((entry) => entry.base);
      list.add(this.#entries.those(({ base }) => isOfStudy(base, study)));
      if (this.#ofStudy.size === MOST_STUDIES) this.#ofStudy.clear();
      this.#ofStudy.set(study, list);
    }
    return list;
  }

  #sources(filter: ItemFilter): Source[] {
    const sources: Source[] = [];
    if (filter.state === undefined || filter.state === "queued") {
      sources.push(new QueuedSource(this.#entriesOf(filter.study), filter));
    }
    for (const state of ["failed", "held"] as const) {
      if (filter.state !== undefined && filter.state !== state) continue;
      for (const [destination, list] of this.#apart[state]) {
        if (filter.destination !== undefined && filter.destination !== destination) continue;
        sources.push(new ApartSource(list, state, destination, filter.study));
      }
    }
    return sources;
  }
}

function compareItems(
  a: Pick<Item, "base" | "destination" | "state">,
  b: Pick<Item, "base" | "destination" | "state">,
): number {
  return compareBases(a.base, b.base) || compareTexts(a.destination, b.destination) ||
    compareTexts(a.state, b.state);
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Asked of every entry there is: most differ in the first digits. */
function isOfStudy(base: string, study: string | undefined): boolean {
  if (study === undefined) return true;
  const at = base.length - STUDY_FROM_END;
  return base.charCodeAt(at) === study.charCodeAt(0) &&
    base.charCodeAt(at + 1) === study.charCodeAt(1) && base.startsWith(study, at);
}

/** One of the lists that a page is put together from. */
interface Source {
  readonly length: number;
  placeOf(base: string): number;
  base(place: number): string;
  /** Items there that are wanted. */
  count(place: number): number;
  items(place: number): Item[];
}

class QueuedSource implements Source {
  readonly #list: InOrder<Entry>;
  readonly #filter: ItemFilter;
  /** The list that was looked through last for the destination, and whether it was in it. */
  #asked: readonly Waiting[] | undefined;
  #isIn = false;

  constructor(list: InOrder<Entry>, filter: ItemFilter) {
    this.#list = list;
    this.#filter = filter;
  }

  get length(): number {
    return this.#list.length;
  }

  placeOf(base: string): number {
    return this.#list.placeOf(base);
  }

  base(place: number): string {
    return this.#list.at(place).base;
  }

  count(place: number): number {
    const entry = this.#list.at(place);
    if (!entry.queued || !isOfStudy(entry.base, this.#filter.study)) return 0;
    const { destination } = this.#filter;
    if (destination === undefined) return entry.waiting.length;
    // Many have the same list.
    if (entry.waiting !== this.#asked) {
      this.#asked = entry.waiting;
      this.#isIn = entry.waiting.some((one) => one.destination === destination);
    }
    return Number(this.#isIn);
  }

  items(place: number): Item[] {
    if (this.count(place) === 0) return [];
    const entry = this.#list.at(place);
    const { destination: only } = this.#filter;
    return entry.waiting.filter(({ destination }) => only === undefined || destination === only)
      .map(({ destination }) => ({ base: entry.base, destination, state: "queued", entry }));
  }
}

class ApartSource implements Source {
  readonly #list: InOrder<string>;
  readonly #state: ApartState;
  readonly #destination: string;
  readonly #study: string | undefined;

  constructor(
    list: InOrder<string>,
    state: ApartState,
    destination: string,
    study: string | undefined,
  ) {
    this.#list = list;
    this.#state = state;
    this.#destination = destination;
    this.#study = study;
  }

  get length(): number {
    return this.#list.length;
  }

  placeOf(base: string): number {
    return this.#list.placeOf(base);
  }

  base(place: number): string {
    return this.#list.at(place);
  }

  count(place: number): number {
    return Number(isOfStudy(this.#list.at(place), this.#study));
  }

  items(place: number): Item[] {
    if (this.count(place) === 0) return [];
    return [{
      base: this.#list.at(place),
      destination: this.#destination,
      state: this.#state,
      entry: undefined,
    }];
  }
}
