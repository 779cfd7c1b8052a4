/*
 * What a start does with the ledger before and after delivery begins.
 *
 * Before: deliveries that the ledger proves, and whose files a crash left in the queue, are finished instead of repeated.
 * After, beside the work: instances that the spool has and the ledger does not know (a crash took their lines, or an older
 * version received them) get their lines, and the balance is struck. Nothing here moves or deletes a file; none of it is
 * needed for an instance to be delivered.
 */

import { hex8 } from "../spool/entry_name.ts";
import type { FileSystem } from "../spool/file_system.ts";
import { CorruptError, StoredInstance } from "../spool/stored_instance.ts";
import type { EventTaker } from "./event.ts";
import { readTail } from "./files.ts";
import { type Balance, reconcile, type ReconcileOptions } from "./reconcile.ts";

/**
 * Read of the ledger's end, in bytes: what was written and not yet acted on when a process died is the last batch or two,
 * of a thousand lines each at the most.
 */
const TAIL_LENGTH = 2 * 1024 * 1024;

/** An instance in the spool when the forwarder started. */
export interface Present {
  readonly base: string;
  /** Where its file is now. */
  readonly path: string;
  readonly waiting: readonly { readonly destination: string }[];
}

/** Pairs of instance and destination that the end of the ledger says are delivered: `id destination`. */
export async function provenDeliveries(
  files: FileSystem,
  ledgerDirectory: string,
): Promise<ReadonlySet<string>> {
  const proven = new Set<string>();
  for (const event of await readTail(files, ledgerDirectory, TAIL_LENGTH)) {
    if (event.event === "delivered") proven.add(`${event.id} ${event.to}`);
  }
  return proven;
}

export interface StartOptions extends Omit<ReconcileOptions, "seen"> {
  readonly files: FileSystem;
  readonly ledger: EventTaker;
  /** Everything that was in the queue and in `failed/` when the forwarder started. */
  readonly present: readonly Present[];
}

/**
 * Strikes the balance after a start, and writes the lines that are wanting.
 *
 * @returns the balance, and how many instances had no line
 * @throws what the file system throws, or the signal's reason
 */
export async function settleAtStart(
  options: StartOptions,
): Promise<{ balance: Balance; found: number }> {
  const { files, ledger, present, signal } = options;
  const unseen = new Set(present.map((one) => one.base));
  // Entries change while they are delivered, and what they were accepted for does not.
  const acceptedFor = present.map((one) => one.waiting);
  const balance = await reconcile(files, {
    ...options,
    seen: (event) => {
      if (event.event === "accepted") unseen.delete(event.id);
    },
  });
  let found = 0;
  for (const { files: places, destinations } of wanting(present, acceptedFor, unseen)) {
    signal?.throwIfAborted();
    for (const place of places) {
      if (!await recordFound(files, ledger, place, [...destinations])) continue;
      found++;
      break;
    }
  }
  return { balance, found };
}

/** An instance without a line: its files, and all it was accepted for. */
interface Wanting {
  readonly files: Present[];
  readonly destinations: Set<string>;
}

/**
 * The instances without a line, each once: one may be there twice, in the queue and in `failed/`, and a second acceptance
 * would open again what was delivered between.
 */
function wanting(
  present: readonly Present[],
  acceptedFor: readonly Present["waiting"][],
  unseen: ReadonlySet<string>,
): Iterable<Wanting> {
  const found = new Map<string, Wanting>();
  for (const [n, one] of present.entries()) {
    if (!unseen.has(one.base)) continue;
    const same = found.get(one.base) ?? { files: [], destinations: new Set<string>() };
    found.set(one.base, same);
    same.files.push(one);
    for (const { destination } of acceptedFor[n]!) same.destinations.add(destination);
  }
  return found.values();
}

/**
 * Writes the acceptance of an instance that the ledger has no line of.
 *
 * @returns false where the file is not there any more: it has been delivered meanwhile
 * @throws what the file system throws
 */
async function recordFound(
  files: FileSystem,
  ledger: EventTaker,
  present: Present,
  destinations: readonly string[],
): Promise<boolean> {
  let instance: StoredInstance;
  try {
    instance = StoredInstance.open(files, present.path);
  } catch (error) {
    // A damaged one is set aside by whoever is to send it.
    if (error instanceof Deno.errors.NotFound || error instanceof CorruptError) return false;
    throw error;
  }
  try {
    const { identification } = await instance.identify();
    const { meta, record } = instance;
    ledger.append({
      event: "accepted",
      id: present.base,
      sop: meta.sopInstanceUid,
      class: meta.sopClassUid,
      syntax: meta.transferSyntaxUid,
      study: identification.studyInstanceUid,
      from: meta.sourceAeTitle,
      bytes: record.dataSetLength,
      crc32: hex8(record.crc32),
      for: destinations,
      received: new Date(record.receivedMs).toISOString(),
    });
    return true;
  } finally {
    instance.close();
  }
}
