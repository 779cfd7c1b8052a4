/*
 * A virus scanner as Windows has them: it opens each file soon after it was written or got a new name, and until it is
 * through nobody can rename or delete that file. Some it opens so that nobody can even read them.
 */

import { between, type Random } from "../crash/random.ts";
import type { FakeClock } from "./fake_clock.ts";
import { type FaultyFiles, systemError } from "./faulty_files.ts";

/** One file in so many is opened so that nobody can read it. */
const EXCLUSIVE = 20;

export class Scanner {
  /** Operations that failed because of it. */
  refused = 0;
  readonly #held = new Map<string, { readonly until: number; readonly exclusive: boolean }>();
  readonly #clock: FakeClock;
  readonly #random: Random;
  readonly #mostMs: number;

  /** @param mostMs a file is held for up to so long, by the clock */
  constructor(files: FaultyFiles, clock: FakeClock, random: Random, mostMs: number) {
    this.#clock = clock;
    this.#random = random;
    this.#mostMs = mostMs;
    files.fault = (operation, path, from) => {
      if (operation === "write" && !this.#held.has(path)) this.#look(path);
      if (operation === "rename") {
        const error = this.#holds(from!) ? this.#busy() : undefined;
        if (error === undefined) this.#look(path);
        return error;
      }
      const held = this.#holds(path);
      if (operation === "remove" && held) return this.#busy();
      if (operation === "open" && held && this.#held.get(path)?.exclusive) return this.#busy();
      return undefined;
    };
  }

  #look(path: string): void {
    const until = this.#clock.now() + between(this.#random, 0, this.#mostMs);
    this.#held.set(path, { until, exclusive: this.#random() < 1 / EXCLUSIVE });
  }

  #holds(path: string): boolean {
    return (this.#held.get(path)?.until ?? -Infinity) > this.#clock.now();
  }

  #busy(): Error {
    this.refused++;
    return systemError("EBUSY", "Another program uses the file");
  }
}
