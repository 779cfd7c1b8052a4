/*
 * The Nth system call of a kind in another process fails, falls short, or is its last: the test's side of `faults.c`.
 *
 * A library loaded before libc rather than strace: strace counts for each thread by itself, and file operations run on
 * whichever thread of a pool is free, so that some calls would never be the Nth; it cannot make a short write that the
 * kernel knows of; and it needs the right to trace.
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runWell } from "../helpers/child.ts";

/** Kinds of calls, by the number that faults.c knows them by. */
export const CALLS = {
  open: 1,
  write: 2,
  sync: 3,
  rename: 4,
  unlink: 5,
  link: 6,
  mkdir: 7,
  chmod: 8,
  read: 9,
  send: 10,
  truncate: 11,
} as const;

export type Call = keyof typeof CALLS;

/** What the call does instead; errno as Linux numbers them on x86-64 and ARM. */
export const ACTIONS = {
  kill: -1,
  short: -2,
  EPERM: 1,
  EINTR: 4,
  EIO: 5,
  EACCES: 13,
  EMFILE: 24,
  ENOSPC: 28,
  ECONNRESET: 104,
  EDQUOT: 122,
} as const;

export type Action = keyof typeof ACTIONS;

/** Offsets in the mapped file. */
const [SEEN_AT, HITS_AT, FOLDER_AT, LENGTH] = [12, 16, 256, 256 + 1024];

export class Faults implements Disposable {
  /** For the process that is to have them. */
  readonly env: Record<string, string>;
  readonly #control: Deno.FsFile;

  private constructor(library: string, path: string, control: Deno.FsFile) {
    this.env = { LD_PRELOAD: library, FAULTS: path };
    this.#control = control;
  }

  /**
   * Builds the library.
   *
   * @param work for what it needs itself
   * @param folder calls on files below it count
   */
  static async build(work: string, folder: string): Promise<Faults> {
    const source = fileURLToPath(new URL("faults.c", import.meta.url));
    const library = join(work, "faults.so");
    await runWell("/usr/bin/gcc", ["-shared", "-fPIC", "-O1", "-nostdlib", "-o", library, source]);
    const path = join(work, "faults.bin");
    const bytes = new Uint8Array(LENGTH);
    new TextEncoder().encodeInto(await Deno.realPath(folder), bytes.subarray(FOLDER_AT));
    await Deno.writeFile(path, bytes);
    return new Faults(library, path, await Deno.open(path, { read: true, write: true }));
  }

  /** From now on the calls of this kind count, and the Nth is hit. */
  arm(call: Call, when: number, action: Action): void {
    this.disarm();
    this.#write(4, [when, ACTIONS[action], 0, 0]);
    this.#write(0, [CALLS[call]]);
  }

  disarm(): void {
    this.#write(0, [0]);
  }

  /** Calls counted since it was armed. */
  get seen(): number {
    return this.#read(SEEN_AT);
  }

  get isHit(): boolean {
    return this.#read(HITS_AT) > 0;
  }

  [Symbol.dispose](): void {
    this.#control.close();
  }

  #write(at: number, values: readonly number[]): void {
    this.#control.seekSync(at, Deno.SeekMode.Start);
    this.#control.writeSync(new Uint8Array(Int32Array.from(values).buffer));
  }

  #read(at: number): number {
    const bytes = new Uint8Array(4);
    this.#control.seekSync(at, Deno.SeekMode.Start);
    this.#control.readSync(bytes);
    return new DataView(bytes.buffer).getInt32(0, true);
  }
}
