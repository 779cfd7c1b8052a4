/*
 * What waits for one destination, in memory: a line of the ready and a heap of those that wait for a time.
 * No work in it grows with the length of the line but by the heap's logarithm.
 */

import type { Entry } from "../spool/entry.ts";

/** Slots at the front that may be empty before the line is moved up. */
const SLACK = 1024;

export class WaitingLine {
  #ready: (Entry | undefined)[] = [];
  #head = 0;
  /** Binary heap by time due. */
  readonly #delayed: { dueAt: number; entry: Entry }[] = [];

  /** Entries that can be attempted now. */
  get ready(): number {
    return this.#ready.length - this.#head;
  }

  /** All entries, the delayed ones included. */
  get length(): number {
    return this.ready + this.#delayed.length;
  }

  /** When the first delayed entry is due, in ms since 1970; undefined where none is. */
  get nextDueAt(): number | undefined {
    return this.#delayed[0]?.dueAt;
  }

  push(entry: Entry): void {
    this.#ready.push(entry);
  }

  /** Puts entries back where they were taken from, in their order. */
  putBack(entries: readonly Entry[]): void {
    for (let n = entries.length - 1; n >= 0; n--) {
      if (this.#head === 0) {
        this.#ready = [...new Array<undefined>(SLACK), ...this.#ready];
        this.#head = SLACK;
      }
      this.#ready[--this.#head] = entries[n];
    }
  }

  /** Takes up to `most` entries from the front. */
  take(most: number): Entry[] {
    const taken: Entry[] = [];
    while (taken.length < most && this.#head < this.#ready.length) {
      taken.push(this.#ready[this.#head]!);
      this.#ready[this.#head++] = undefined;
    }
    if (this.#head === this.#ready.length) {
      this.#ready = [];
      this.#head = 0;
    } else if (this.#head > SLACK && this.#head * 2 > this.#ready.length) {
      this.#ready = this.#ready.slice(this.#head);
      this.#head = 0;
    }
    return taken;
  }

  /** The first entries, left in the line. */
  peek(most: number): Entry[] {
    return this.#ready.slice(this.#head, this.#head + most) as Entry[];
  }

  delay(entry: Entry, dueAt: number): void {
    const heap = this.#delayed;
    let at = heap.push({ dueAt, entry }) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.dueAt <= heap[at]!.dueAt) break;
      [heap[parent], heap[at]] = [heap[at]!, heap[parent]!];
      at = parent;
    }
  }

  /** Keeps those alone of which it is true, asked once for each. Takes the time of the whole line. */
  keep(wanted: (entry: Entry) => boolean): void {
    const ready = this.#ready.slice(this.#head) as Entry[];
    this.#ready = ready.filter(wanted);
    this.#head = 0;
    const delayed = this.#delayed.splice(0);
    for (const { entry, dueAt } of delayed) if (wanted(entry)) this.delay(entry, dueAt);
  }

  /** Moves those of these that wait for a time to the front of the line, the first due first; false where none do. */
  hurry(entries: ReadonlySet<Entry>): boolean {
    const due = this.#delayed.filter(({ entry }) => entries.has(entry));
    if (due.length === 0) return false;
    const others = this.#delayed.filter(({ entry }) => !entries.has(entry));
    this.#delayed.length = 0;
    for (const { entry, dueAt } of others) this.delay(entry, dueAt);
    this.putBack(due.sort((a, b) => a.dueAt - b.dueAt).map(({ entry }) => entry));
    return true;
  }

  /** Moves the entries that are due to the end of the line. */
  ripen(now: number): void {
    const heap = this.#delayed;
    while (heap.length > 0 && heap[0]!.dueAt <= now) {
      this.push(heap[0]!.entry);
      const last = heap.pop()!;
      if (heap.length === 0) return;
      heap[0] = last;
      for (let at = 0;;) {
        const left = at * 2 + 1;
        const right = left + 1;
        let least = at;
        if (left < heap.length && heap[left]!.dueAt < heap[least]!.dueAt) least = left;
        if (right < heap.length && heap[right]!.dueAt < heap[least]!.dueAt) least = right;
        if (least === at) break;
        [heap[least], heap[at]] = [heap[at]!, heap[least]!];
        at = least;
      }
    }
  }
}
