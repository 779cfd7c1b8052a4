/*
 * Instances found by their ids, in a few bytes each: a start may have a million of them beside a million entries.
 *
 * A hash table of places in a list that the caller keeps. An id's sequence is the hash, for no two have the same but by
 * chance. Nothing can be added once it is made.
 */

import { sequenceOf } from "../spool/entry_name.ts";

export class ById<One extends { readonly base: string }> {
  readonly #all: readonly One[];
  /** Place in the list and one; 0 where nothing is. */
  readonly #table: Uint32Array;
  /** 1 for what was taken out. */
  readonly #gone: Uint8Array;

  /** @param all of two with the same id, the first counts */
  constructor(all: readonly One[]) {
    this.#all = all;
    let size = 16;
    while (size < all.length * 2) size *= 2;
    this.#table = new Uint32Array(size);
    this.#gone = new Uint8Array(all.length);
    for (let n = 0; n < all.length; n++) {
      const at = this.#find(all[n]!.base);
      if (this.#table[at] === 0) this.#table[at] = n + 1;
    }
  }

  get(id: string): One | undefined {
    const place = this.#table[this.#find(id)]!;
    return place === 0 || this.#gone[place - 1] === 1 ? undefined : this.#all[place - 1];
  }

  has(id: string): boolean {
    return this.get(id) !== undefined;
  }

  delete(id: string): void {
    const place = this.#table[this.#find(id)]!;
    if (place !== 0) this.#gone[place - 1] = 1;
  }

  /** Where an id is in the table, or would be. */
  #find(id: string): number {
    const mask = this.#table.length - 1;
    for (let at = sequenceOf(id) & mask;; at = (at + 1) & mask) {
      const place = this.#table[at]!;
      if (place === 0 || this.#all[place - 1]!.base === id) return at;
    }
  }
}
