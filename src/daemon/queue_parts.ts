/*
 * What the queue is looked at and changed with, and one thing that both have to know of an item.
 */

import type { Clock } from "../clock.ts";
import type { Scheduler } from "../delivery/scheduler.ts";
import type { EventTaker } from "../ledger/event.ts";
import type { Entry } from "../spool/entry.ts";
import type { FileSystem } from "../spool/file_system.ts";
import type { Item } from "../spool/queue_index.ts";
import type { Spool } from "../spool/spool.ts";
import { type StoredInstance } from "../spool/stored_instance.ts";

export interface QueueControlParts {
  readonly spool: Spool;
  readonly ledger: EventTaker;
  readonly files: FileSystem;
  readonly ledgerDirectory: string;
  readonly clock: Clock;
  readonly scheduler: () => Scheduler;
  /** Names of the destinations there are. */
  readonly destinations: () => readonly string[];
  /** Where an instance goes by the configuration in force; `unrouted` alone where no route matches. */
  readonly route: (instance: StoredInstance) => Promise<readonly string[]>;
  /** Takes what is in the queue again. */
  readonly handOver: (entries: readonly Entry[]) => Promise<void>;
}

/** False where another process has moved or removed it; the index knows then. */
export function isThere(
  { spool, files }: Pick<QueueControlParts, "spool" | "files">,
  { base, destination, state, entry }: Item,
): boolean {
  if (entry !== undefined) return spool.isThere(entry) && entry.waitsFor(destination);
  if (state === "queued") return false;
  if (files.exists(spool.apart.path(state, destination, base))) return true;
  spool.index.tookBack(state, destination, [base]);
  return false;
}
