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
import { CorruptError, IDENTIFY_LENGTH, StoredInstance } from "../spool/stored_instance.ts";
import { ById } from "./by_id.ts";
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
  /** Whether it was held back by a person, of what lies beside the queue. */
  readonly held?: boolean;
}

/** What the end of the ledger says is delivered: destinations, by the instance's id. */
export async function provenDeliveries(
  files: FileSystem,
  ledgerDirectory: string,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const proven = new Map<string, Set<string>>();
  for (const event of await readTail(files, ledgerDirectory, TAIL_LENGTH)) {
    if (event.event !== "delivered") continue;
    const destinations = proven.get(event.id);
    if (destinations === undefined) proven.set(event.id, new Set([event.to]));
    else destinations.add(event.to);
  }
  return proven;
}

export interface StartOptions extends Omit<ReconcileOptions, "seen"> {
  readonly files: FileSystem;
  readonly ledger: EventTaker;
  /** Everything that was in the queue when the forwarder started. */
  readonly queued: readonly Present[];
  /** Everything that was in `failed/` and `held/` then. */
  readonly failed: readonly Present[];
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
  const { files, ledger, queued, failed, signal } = options;
  // Entries change while they are delivered, and what they were accepted for does not.
  const acceptedFor = queued.map((one) => one.waiting);
  const buffer = new Uint8Array(IDENTIFY_LENGTH);
  const inFailed = new Set(failed);
  const unseen = new ById([...queued, ...failed]);
  /** Of those that lie in `failed/` and somewhere else as well, the others. */
  const others = new Map<string, Present[]>();
  for (const one of failed) {
    if (unseen.get(one.base) === one) continue;
    others.set(one.base, [...others.get(one.base) ?? [], one]);
  }
  const besideAs = ({ held }: Present) => held === true ? "held" : "failed";
  const waitsFor = ({ waiting }: Present, destination: string) =>
    waiting.some((one) => one.destination === destination);
  const balance = await reconcile(files, {
    ...options,
    there: (id, destination) => {
      const first = unseen.get(id);
      if (first === undefined) return undefined;
      if (waitsFor(first, destination)) return inFailed.has(first) ? besideAs(first) : "queued";
      const other = others.get(id)?.find((one) => waitsFor(one, destination));
      return other === undefined ? undefined : besideAs(other);
    },
    seen: (event) => {
      if (event.event === "accepted") unseen.delete(event.id);
    },
  });
  const record = async (one: Present, destinations: ReadonlySet<string>) => {
    signal?.throwIfAborted();
    return await recordFound(files, ledger, one, [...destinations], buffer);
  };
  let found = 0;
  // One may be there twice, in the queue and in `failed/`: it is accepted once, for a second line would open again what was
  // delivered between.
  const alsoFor = new Map<string, Set<string>>();
  for (const { base, waiting } of failed) {
    if (!unseen.has(base)) continue;
    const also = alsoFor.get(base) ?? new Set<string>();
    alsoFor.set(base, also);
    for (const { destination } of waiting) also.add(destination);
  }
  for (const [n, one] of queued.entries()) {
    if (!unseen.has(one.base)) continue;
    const also = alsoFor.get(one.base);
    const destinations = new Set(acceptedFor[n]!.map(({ destination }) => destination));
    if (await record(one, also === undefined ? destinations : destinations.union(also))) {
      found++;
      alsoFor.delete(one.base);
    } else for (const destination of destinations) also?.add(destination);
  }
  for (const one of failed) {
    const destinations = alsoFor.get(one.base);
    if (destinations === undefined || !await record(one, destinations)) continue;
    found++;
    alsoFor.delete(one.base);
  }
  return { balance, found };
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
  buffer: Uint8Array<ArrayBuffer>,
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
    const { identification } = await instance.identify(buffer);
    // While it was read, the file may have been delivered and become another instance's.
    if (!files.exists(present.path)) return false;
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
