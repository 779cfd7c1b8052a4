/*
 * Slots: empty files made ahead of time whose names are already on the disk, so that committing an instance costs one
 * sync of its data and none of a directory.
 *
 * Owns the names in `incoming/`. Making slots that fails is not fatal: whoever wants one then hears why.
 */

import { join } from "node:path";
import type { FileSystem, SpoolFile } from "./file_system.ts";

/** Made together, with one directory sync. */
const BATCH = 32;
/** New ones are made when so few are left. */
const LOW = 16;

/** An empty file whose name is on the disk, open for writing. */
export interface Slot {
  readonly path: string;
  readonly file: SpoolFile;
}

export class Slots {
  readonly #files: FileSystem;
  readonly #directory: string;
  /** Distinguishes this process's slots from those of earlier ones. */
  #prefix: number;
  #next = 0;
  #ready: Slot[] = [];
  #making: Promise<void> | undefined;
  #closed = false;

  /** @param now when this process began, in ms since 1970 */
  constructor(files: FileSystem, directory: string, now: number) {
    this.#files = files;
    this.#directory = directory;
    this.#prefix = now;
  }

  /**
   * Takes no name again that a slot has had, whatever the clock says: where the move of that slot into the queue is not yet
   * on the disk, and the new file of its name is, a power cut would leave the instance no name at all.
   */
  sawName(name: string): void {
    this.#prefix = Math.max(this.#prefix, Number(name.split("-", 1)[0]) + 1);
  }

  /** An empty file of our own. */
  async take(): Promise<Slot> {
    for (;;) {
      const slot = this.#ready.pop();
      if (slot !== undefined) {
        if (this.#ready.length < LOW) {
          // A failure shows to whoever finds no slot left; until then there is nothing to tell.
          this.fill().catch(() => {});
        }
        return slot;
      }
      await this.fill();
    }
  }

  /** Makes a batch of slots unless one is being made. Nothing is made any more after `clear`. */
  fill(): Promise<void> {
    if (this.#closed) return Promise.reject(new Error("The spool is closed: it has no more slots"));
    this.#making ??= this.#make().finally(() => this.#making = undefined);
    return this.#making;
  }

  async #make(): Promise<void> {
    const made: Slot[] = [];
    try {
      while (made.length < BATCH && await this.#makeOne(made));
      await this.#files.syncDirectory(this.#directory);
    } catch (error) {
      this.#drop(made);
      throw error;
    }
    this.#ready.push(...made);
  }

  /** False where no more can be made: some of those there are serve all the same. Throws where there is none. */
  async #makeOne(made: Slot[]): Promise<boolean> {
    const path = join(this.#directory, `${this.#prefix}-${this.#next++}.part`);
    try {
      made.push({ path, file: await this.#files.createLater(path) });
      return true;
    } catch (error) {
      if (made.length < 2) throw error;
      // Where no more files may be open, connections and the directory's sync need some, too.
      this.#drop(made.splice(made.length >>> 1));
      return false;
    }
  }

  /** Makes no more slots and removes those not taken. */
  async clear(): Promise<void> {
    this.#closed = true;
    try {
      await this.#making;
    } catch {
      // Whoever wanted one of them has heard why; here it only matters that none is made any more.
    }
    this.#drop(this.#ready);
    this.#ready = [];
  }

  #drop(slots: readonly Slot[]): void {
    for (const { path, file } of slots) {
      file.close();
      try {
        this.#files.remove(path);
      } catch {
        // Gone already, or an empty file that the next start removes.
      }
    }
  }
}
