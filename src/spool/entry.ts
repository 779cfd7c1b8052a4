/*
 * One committed instance in the spool, as it is known in memory: where it lies and which destinations it waits for.
 * The spool is the only one that changes it.
 *
 * There may be a million of these. What many have in common (the folder, the end of the name, what they wait for) is kept
 * once, and what the name says is read from it.
 */

import { sep } from "node:path";
import { receivedMsOf, type Waiting } from "./entry_name.ts";
import { unshared } from "./waiting_lists.ts";

const NOWHERE: readonly string[] = [];

/** What opening an entry's file tells of it. Bytes are the data set's. */
export interface Opened {
  readonly sopInstanceUid: string;
  readonly sopClassUid: string;
  readonly bytes: number;
}

/** That, out of the open file. */
export function openedOf(
  { meta, length }: {
    readonly meta: { readonly sopInstanceUid: string; readonly sopClassUid: string };
    readonly length: number;
  },
): Opened {
  return { sopInstanceUid: meta.sopInstanceUid, sopClassUid: meta.sopClassUid, bytes: length };
}

export class Entry {
  /** The name without destinations; never changes. */
  readonly base: string;
  /** Destinations still to be served, in the order of the name. Never changed in place: others have the same list. */
  waiting: readonly Waiting[];
  /** False once it has left the queue: delivered everywhere, given up, corrupt or removed by hand. */
  queued = true;
  /** Known once the file has been opened; for the log and the figures. */
  opened: Opened | undefined;
  /** Destinations it had been given up for, where it came back from `failed/`. */
  failedFor: readonly string[] = NOWHERE;
  /** The folder its file lies in, where the file's name is the base and `#ending`; else the whole path. */
  #place: string;
  #ending: string | undefined;

  /** @param path of its file, or the folder where `ending` is given */
  constructor(base: string, waiting: readonly Waiting[], path: string, ending?: string) {
    this.base = unshared(base);
    this.waiting = waiting;
    this.#place = path;
    this.#ending = ending;
  }

  /** Where the file lies now. */
  get path(): string {
    if (this.#ending === undefined) return this.#place;
    return `${this.#place}${sep}${this.base}${this.#ending}`;
  }

  set path(path: string) {
    this.#place = path;
    this.#ending = undefined;
  }

  /** The file lies in `folder` now, and its name is the base and `ending`. */
  liesIn(folder: string, ending: string): void {
    this.#place = folder;
    this.#ending = ending;
  }

  /** Empty until the file has been opened. */
  get sopInstanceUid(): string {
    return this.opened?.sopInstanceUid ?? "";
  }

  /** When it was received, in ms since 1970. */
  get receivedMs(): number {
    return receivedMsOf(this.base);
  }

  /** Refusals by one destination so far. */
  triesOf(destination: string): number {
    return this.waiting.find((one) => one.destination === destination)?.tries ?? 0;
  }

  waitsFor(destination: string): boolean {
    return this.queued && this.waiting.some((one) => one.destination === destination);
  }
}
