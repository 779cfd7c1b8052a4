/*
 * Slots: empty files made ahead of time whose names are already on the disk, so that committing an instance costs one
 * sync of its data and none of a directory.
 *
 * Owns the names in `incoming/`. Making slots that fails is not fatal: whoever wants one then hears why.
 */

import { join } from "node:path";
import type { FileSystem, SpoolFile } from "./file_system.ts";

/** Made together, with one directory sync. */
const BATCH = 64;
/** New ones are made when so few are left. */
const LOW = 24;

export class Slots {
  readonly #files: FileSystem;
  readonly #directory: string;
  /** Distinguishes this process's slots from those of earlier ones. */
  readonly #prefix: string;
  #next = 0;
  #ready: string[] = [];
  #making: Promise<void> | undefined;

  constructor(files: FileSystem, directory: string, prefix: string) {
    this.#files = files;
    this.#directory = directory;
    this.#prefix = prefix;
  }

  /** An empty file of our own, open for writing. */
  async take(): Promise<{ path: string; file: SpoolFile }> {
    for (;;) {
      const path = this.#ready.pop();
      if (path !== undefined) {
        if (this.#ready.length < LOW) {
          // A failure shows to whoever finds no slot left; until then there is nothing to tell.
          this.fill().catch(() => {});
        }
        return { path, file: this.#files.open(path, "write") };
      }
      await this.fill();
    }
  }

  /** Makes a batch of slots unless one is being made. */
  fill(): Promise<void> {
    this.#making ??= this.#make().finally(() => this.#making = undefined);
    return this.#making;
  }

  async #make(): Promise<void> {
    const made: string[] = [];
    for (let n = 0; n < BATCH; n++) {
      const path = join(this.#directory, `${this.#prefix}-${this.#next++}.part`);
      await this.#files.createLater(path);
      made.push(path);
    }
    await this.#files.syncDirectory(this.#directory);
    this.#ready.push(...made);
  }

  /** Removes the slots not taken. */
  clear(): void {
    for (const path of this.#ready) {
      try {
        this.#files.remove(path);
      } catch {
        // Gone already, or an empty file that the next start removes.
      }
    }
    this.#ready = [];
  }
}
