/*
 * How many bytes are free where the spool is. Asked for now and then rather than for every instance.
 */

import type { FileSystem } from "./file_system.ts";

/** A figure is believed for so long, in ms. */
const BELIEVED_MS = 250;

export class FreeSpace {
  readonly #files: FileSystem;
  readonly #directory: string;
  readonly #now: () => number;
  #bytes: number | undefined;
  #askedAt = -Infinity;

  /** @param now ms since 1970 */
  constructor(files: FileSystem, directory: string, now: () => number) {
    this.#files = files;
    this.#directory = directory;
    this.#now = now;
  }

  /** Undefined where the system does not say. */
  bytes(): number | undefined {
    const now = this.#now();
    // By the distance: the clock may have been set back.
    if (Math.abs(now - this.#askedAt) >= BELIEVED_MS) {
      this.#bytes = this.#files.freeBytes(this.#directory);
      this.#askedAt = now;
    }
    return this.#bytes;
  }
}
