/*
 * Chance that can be repeated: everything a fuzzer does follows from the seed it was given.
 */

import { hex } from "../helpers/hex.ts";

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to 2^32 - 1 (mulberry32). */
  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ mixed >>> 15, mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return (mixed ^ mixed >>> 14) >>> 0;
  }

  /** 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor(this.u32() / 2 ** 32 * limit);
  }

  /** True once in so many times. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new RangeError("nothing to pick from");
    return from[this.below(from.length)]!;
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(length);
    for (let at = 0; at < length; at++) out[at] = this.u32();
    return out;
  }

  /** Cuts bytes into pieces of random lengths: sometimes one, sometimes small ones, up to about a thousand. */
  *cut(whole: Uint8Array): Generator<Uint8Array> {
    const longest = Math.max(
      this.pick([1, 7, 100, 1000, whole.length + 1]),
      Math.ceil(whole.length / 500),
    );
    for (let at = 0; at < whole.length;) {
      const length = 1 + this.below(longest);
      yield whole.subarray(at, at + length);
      at += length;
    }
  }
}

/** Of an input that is found to violate something, so much stands in the message. */
const SHOWN = 2048;

/** What a fuzzer found, with the input it takes to see it again. */
export class Violation extends Error {
  override readonly name = "Violation";
  readonly input: Uint8Array;

  constructor(what: string, input: Uint8Array, cause?: unknown) {
    const shown = input.length === 0 ? "" : `; input: ${hex(input.subarray(0, SHOWN))}`;
    super(`${what}${shown}`, { cause });
    this.input = input;
  }
}
