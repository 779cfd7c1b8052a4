/*
 * One committed instance in the spool, as it is known in memory: where it lies and which destinations it waits for.
 * The spool is the only one that changes it.
 */

import type { Waiting } from "./entry_name.ts";

const NOWHERE: readonly string[] = [];

export class Entry {
  /** The name without destinations; never changes. */
  readonly base: string;
  readonly receivedMs: number;
  /** Destinations still to be served, in the order of the name. */
  waiting: Waiting[];
  /** Where the file lies now. */
  path: string;
  /** False once it has left the queue: delivered everywhere, given up, corrupt or removed by hand. */
  queued = true;
  /** Known once the file has been opened; for the log. */
  sopInstanceUid = "";
  /** Destinations it had been given up for, where it came back from `failed/`. */
  failedFor: readonly string[] = NOWHERE;

  constructor(
    base: string,
    receivedMs: number,
    waiting: Waiting[],
    path: string,
  ) {
    this.base = base;
    this.receivedMs = receivedMs;
    this.waiting = waiting;
    this.path = path;
  }

  /** Refusals by one destination so far. */
  triesOf(destination: string): number {
    return this.waiting.find((one) => one.destination === destination)?.tries ?? 0;
  }

  waitsFor(destination: string): boolean {
    return this.queued && this.waiting.some((one) => one.destination === destination);
  }
}
