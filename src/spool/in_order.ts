/*
 * Things named by a base, in the order in which they were received, in an array: what is found in a few steps, what
 * comes at the end costs nothing, and a page begins anywhere.
 *
 * Owns the order alone. Of two with the same base, that which came first stands first.
 */

import { receivedMsOf, sequenceOf } from "./entry_name.ts";

/** So many are put in one by one; more are merged. */
const FEW = 16;

/** Where the sequence begins in a base from 2001 to 2286. */
const HYPHEN_AT = 13;
const HYPHEN = 0x2d;

/** Negative where `a` was received before `b`, by time and sequence. */
export function compareBases(a: string, b: string): number {
  if (
    a.length === b.length && a.charCodeAt(HYPHEN_AT) === HYPHEN &&
    b.charCodeAt(HYPHEN_AT) === HYPHEN
  ) {
    return a < b ? -1 : a > b ? 1 : 0;
  }
  return receivedMsOf(a) - receivedMsOf(b) || sequenceOf(a) - sequenceOf(b) ||
    (a < b ? -1 : a > b ? 1 : 0);
}

export class InOrder<T> {
  readonly #baseOf: (one: T) => string;
  #all: T[] = [];

  constructor(baseOf: (one: T) => string) {
    this.#baseOf = baseOf;
  }

  get length(): number {
    return this.#all.length;
  }

  at(place: number): T {
    return this.#all[place]!;
  }

  /** The place of the first that does not come before `base`. */
  placeOf(base: string): number {
    let low = 0;
    let high = this.#all.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBases(this.#baseOf(this.#all[middle]!), base) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Puts things where they belong, in whatever order they come. */
  add(some: Iterable<T>): void {
    const before: T[] = [];
    for (const one of some) {
      const last = this.#all.at(-1);
      if (last === undefined || compareBases(this.#baseOf(last), this.#baseOf(one)) <= 0) {
        this.#all.push(one);
      } else before.push(one);
    }
    if (before.length <= FEW) {
      for (const one of before) {
        const base = this.#baseOf(one);
        let place = this.placeOf(base);
        while (place < this.#all.length && this.#baseOf(this.#all[place]!) === base) place++;
        this.#all.splice(place, 0, one);
      }
    } else this.#merge(before);
  }

  /** Compares a few for each of these, and copies the rest. */
  #merge(some: T[]): void {
    some.sort((a, b) => compareBases(this.#baseOf(a), this.#baseOf(b)));
    const before = this.#all;
    const merged: T[] = [];
    let from = 0;
    for (const one of some) {
      const base = this.#baseOf(one);
      let place = this.placeOf(base);
      while (place < before.length && this.#baseOf(before[place]!) === base) place++;
      while (from < place) merged.push(before[from++]!);
      merged.push(one);
    }
    while (from < before.length) merged.push(before[from++]!);
    this.#all = merged;
  }

  /** Takes out all of a base; false where there is none. */
  delete(base: string): boolean {
    const place = this.placeOf(base);
    let end = place;
    while (end < this.#all.length && this.#baseOf(this.#all[end]!) === base) end++;
    this.#all.splice(place, end - place);
    return end > place;
  }

  /** Those of which it is true, in order. */
  those(wanted: (one: T) => boolean): T[] {
    return this.#all.filter(wanted);
  }

  /** Keeps those alone of which it is true. */
  keep(wanted: (one: T) => boolean): void {
    this.#all = this.#all.filter(wanted);
  }

  has(base: string): boolean {
    const place = this.placeOf(base);
    return place < this.#all.length && this.#baseOf(this.#all[place]!) === base;
  }
}
