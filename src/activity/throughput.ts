/*
 * Instances and bytes, in and out, for each second of the last ten minutes. Pure but for what it has been told: times are
 * passed in.
 */

import type { Throughput } from "../control/views.ts";

/** Seconds kept, all of them over. */
export const SECONDS = 600;

/** The second under way has a place, too. */
const PLACES = SECONDS + 1;

/** A clock set back by more than this, in s, begins anew; by less, what comes counts for the latest second. */
const SET_BACK = 10;

/** What is counted, in the order of the rings. */
const KINDS = [
  "receivedInstances",
  "receivedBytes",
  "deliveredInstances",
  "deliveredBytes",
] as const;

export class ThroughputRings {
  readonly #rings = KINDS.map(() => new Float64Array(PLACES));
  /** The second under way, since 1970. */
  #second: number;

  /** @param now ms since 1970 */
  constructor(now: number) {
    this.#second = Math.floor(now / 1000);
  }

  received(now: number, bytes: number): void {
    const at = this.#turnTo(now);
    this.#rings[0]![at]! += 1;
    this.#rings[1]![at]! += bytes;
  }

  delivered(now: number, bytes: number): void {
    const at = this.#turnTo(now);
    this.#rings[2]![at]! += 1;
    this.#rings[3]![at]! += bytes;
  }

  /** All that is over; seconds before the start are nothing. */
  read(now: number): Throughput {
    this.#turnTo(now);
    const first = this.#second - SECONDS;
    const values = this.#rings.map((ring) =>
      Array.from({ length: SECONDS }, (_, n) => ring[place(first + n)]!)
    );
    return {
      until: this.#second * 1000,
      step: 1000,
      receivedInstances: values[0]!,
      receivedBytes: values[1]!,
      deliveredInstances: values[2]!,
      deliveredBytes: values[3]!,
    };
  }

  /** Where the second of a time is counted; the seconds that went by without anything are made nothing. */
  #turnTo(now: number): number {
    const second = Math.floor(now / 1000);
    const gone = second - this.#second;
    if (gone === 0 || gone < 0 && gone >= -SET_BACK) return place(this.#second);
    if (gone < 0 || gone >= PLACES) { for (const ring of this.#rings) ring.fill(0); }
    else {
      for (let next = this.#second + 1; next <= second; next++) {
        for (const ring of this.#rings) ring[place(next)] = 0;
      }
    }
    this.#second = second;
    return place(second);
  }
}

function place(second: number): number {
  return ((second % PLACES) + PLACES) % PLACES;
}
