/*
 * Whether the spool's disk takes new instances: it has room, and it syncs.
 *
 * After a failed sync nothing new is taken until the disk has proved itself again; delivery goes on and does not ask here.
 */

import type { Clock } from "../clock.ts";
import { type FileSystem, isOutOfRoom, probeDisk } from "./file_system.ts";
import { FreeSpace } from "./free_space.ts";
import { patiently } from "./held.ts";
import { SpoolError, unusable } from "./version.ts";

export interface DiskOptions {
  readonly files: FileSystem;
  /** The spool's. */
  readonly directory: string;
  /** A file that may be written and removed there. */
  readonly probe: string;
  /** ms since 1970 */
  readonly now: () => number;
  readonly after: Clock["after"];
  /** Bytes that must stay free for new instances to be taken. */
  readonly minimumFreeSpace: number;
  /** Something a person should know of. */
  readonly report: (message: string, error?: unknown) => void;
}

export class SpoolDisk {
  readonly #options: DiskOptions;
  readonly #freeSpace: FreeSpace;
  /** Bytes that must stay free for new instances to be taken. */
  minimumFreeSpace: number;
  /** Why nothing new is taken, where a sync failed. */
  #broken: string | undefined;

  constructor(options: DiskOptions) {
    this.#options = options;
    this.minimumFreeSpace = options.minimumFreeSpace;
    this.#freeSpace = new FreeSpace(options.files, options.directory, options.now);
  }

  /**
   * Proves the disk at a start. Without room delivery goes on and makes some: nothing new is taken until then.
   *
   * @throws {SpoolError} where it does not work for any other reason
   */
  async proveAtStart(): Promise<void> {
    try {
      await this.#prove();
    } catch (error) {
      if (!(error instanceof SpoolError) || !isOutOfRoom(error.cause)) throw error;
      this.#broken = `there is no room where the spool is (${this.#options.directory})`;
      this.#options.report(error.message);
    }
  }

  /** Why nothing new can be taken now, in one sentence; undefined where there is room. */
  refusesNew(): string | undefined {
    if (this.#broken !== undefined) return this.#broken;
    const { minimumFreeSpace } = this;
    const free = this.#freeSpace.bytes();
    if (free === undefined || free >= minimumFreeSpace) return undefined;
    return `only ${free} bytes are free where the spool is, minimum_free_space is ${minimumFreeSpace}`;
  }

  /** Whether so many bytes more would bring it near to having no room. */
  isShortOf(bytes: number): boolean {
    const free = this.#freeSpace.bytes();
    return free !== undefined && free < this.minimumFreeSpace + bytes;
  }

  /** A file failed to sync. */
  syncFailed(error: unknown): void {
    this.#broken = "the spool's disk failed to sync";
    this.#options.report(
      "The spool's disk failed to sync a file: no new instances are accepted until it works again",
      error,
    );
  }

  /** Asks a broken disk whether it works again. */
  async maintain(): Promise<void> {
    if (this.#broken === undefined) return;
    try {
      await this.#prove();
      this.#options.report("The spool's disk syncs again: instances are accepted again");
      this.#broken = undefined;
    } catch (error) {
      this.#options.report("The spool's disk still fails to sync", error);
    }
  }

  async #prove(): Promise<void> {
    const { files, directory, probe, now, after } = this.#options;
    try {
      await patiently(() => probeDisk(files, probe, now()), after);
    } catch (error) {
      throw unusable(directory, error);
    }
  }
}
