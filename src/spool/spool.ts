/*
 * The spool: a directory that is the queue (the only module that knows its files).
 *
 *     LOCK VERSION
 *     incoming/<slot>.part          made ahead, one taken for each instance
 *     queue/<00..ff>/<name>.dcm     committed, waiting for the destinations in its name
 *     failed/<destination>/         given up for now, with the reason beside each
 *     retry/<name>.dcm              put back by hand; adopted into the queue
 *     corrupt/                      does not match its own checksum; never sent, never deleted
 *
 * A state change is a rename, durable when the system gets round to it: a lost one means a repeat, never a loss. What must
 * be durable is synced in `incoming.ts` before anybody is told. After a failed sync nothing new is taken until the disk
 * has proved itself again; delivery goes on. Nothing here is deleted that was not delivered.
 */

import { join } from "node:path";
import type { FileMeta } from "../dicom/part10.ts";
import { Entry } from "./entry.ts";
import { bucketOf, formatBase, formatName, parseName, sequenceOf } from "./entry_name.ts";
import { type FailureReason, formatReason, orphanedReasons } from "./failed.ts";
import {
  type FileSystem,
  isOutOfRoom,
  probeDisk,
  renameAway,
  replaceTextFile,
  secondName,
} from "./file_system.ts";
import { FreeSpace } from "./free_space.ts";
import {
  type Committed,
  IncomingInstance,
  type IncomingOwner,
  WRITE_BUFFER_LENGTH,
} from "./incoming.ts";
import { makeSpool } from "./layout.ts";
import { spoolPaths } from "./paths.ts";
import { adoptRetries, type PutBackHost, restoreConfigured } from "./put_back.ts";
import { examineSlot, highestAside, isSlotName, listQueue } from "./recovery.ts";
import { Slots } from "./slots.ts";
import { CorruptError, StoredInstance } from "./stored_instance.ts";
import { checkVersion, SpoolError, unusable } from "./version.ts";

/** Idle write buffers kept for the next instance. */
const SPARE_BUFFERS = 8;

export interface SpoolOptions {
  readonly directory: string;
  readonly files: FileSystem;
  /** ms since 1970 */
  readonly now: () => number;
  /** Bytes that must stay free for new instances to be taken. */
  readonly minimumFreeSpace: number;
  /** Something a person should know of: unknown files, failed renames. */
  readonly report: (message: string, error?: unknown) => void;
  /** Told of every instance that is set aside in `corrupt/`. */
  readonly damaged?: (id: string, reason: string) => void;
}

export class Spool implements IncomingOwner {
  readonly #options: SpoolOptions;
  readonly #paths: ReturnType<typeof spoolPaths>;
  readonly #files: FileSystem;
  readonly #slots: Slots;
  readonly #freeSpace: FreeSpace;
  #sequence = 0;
  /** Why nothing new is taken, where a sync failed. */
  #broken: string | undefined;
  #buffers: Uint8Array[] = [];
  /** Files to remove that could not be removed so far: delivered, or never committed. */
  readonly #leftovers = new Set<string>();
  /** Removals under way. */
  readonly #removals = new Set<Promise<void>>();

  private constructor(options: SpoolOptions) {
    this.#options = options;
    this.#files = options.files;
    this.#paths = spoolPaths(options.directory);
    this.#freeSpace = new FreeSpace(options.files, options.directory, options.now);
    this.#slots = new Slots(options.files, this.#paths.incoming, options.now());
  }

  /**
   * Opens a spool that this process holds the lock of: makes what is missing, checks the version, proves that the disk
   * syncs.
   *
   * @throws {SpoolError} where the spool is of another version, or the disk does not work
   */
  static async open(options: SpoolOptions): Promise<Spool> {
    const { directory, files } = options;
    const spool = new Spool(options);
    try {
      files.makeDirectory(directory);
      const hasVersion = checkVersion(files, directory, spool.#paths.version);
      await spool.#probeAtStart();
      await makeSpool(files, directory, hasVersion);
    } catch (error) {
      throw unusable(directory, error);
    }
    return spool;
  }

  /** Without room delivery goes on and makes some: nothing new is taken until then. */
  async #probeAtStart(): Promise<void> {
    try {
      await this.#probe();
    } catch (error) {
      if (!(error instanceof SpoolError) || !isOutOfRoom(error.cause)) throw error;
      this.#broken = `there is no room where the spool is (${this.#options.directory})`;
      this.#options.report(error.message);
    }
  }

  /**
   * Rebuilds the queue: promotes committed slots, removes the others, and reads every name. Call it once, before
   * anything is received.
   *
   * @param routeStored destinations for a committed slot, from its stored header
   */
  async recover(
    routeStored: (instance: StoredInstance) => Promise<readonly string[]>,
  ): Promise<Entry[]> {
    this.#saw(highestAside(this.#files, this.#paths));
    for (const path of orphanedReasons(this.#files, this.#paths.failed)) this.#remove(path);
    const entries: Entry[] = [];
    const strange = (path: string) =>
      this.#options.report(`${path} is not a file of the spool and is left alone`);
    for (const entry of listQueue(this.#files, this.#paths.queue, strange)) {
      this.#saw(sequenceOf(entry.base));
      entries.push(entry);
    }
    for (const name of [...this.#files.list(this.#paths.incoming)]) {
      const path = join(this.#paths.incoming, name);
      if (!isSlotName(name)) {
        strange(path);
        continue;
      }
      this.#slots.sawName(name);
      try {
        const entry = await this.#recoverSlot(path, routeStored);
        if (entry !== undefined) entries.push(entry);
      } catch (error) {
        this.#options.report(`Cannot read ${path}; it is left where it is`, error);
      }
    }
    entries.sort((a, b) => a.receivedMs - b.receivedMs || (a.base < b.base ? -1 : 1));
    try {
      await this.#slots.fill();
    } catch (error) {
      this.#options.report("Cannot make files for what comes in; it will be tried again", error);
    }
    return entries;
  }

  async #recoverSlot(
    path: string,
    routeStored: (instance: StoredInstance) => Promise<readonly string[]>,
  ): Promise<Entry | undefined> {
    const slot = await examineSlot(this.#files, path);
    if (slot.state === "uncommitted") {
      this.#remove(path);
      return undefined;
    }
    this.#saw(slot.record.sequence);
    if (slot.state === "damaged") {
      // It may have been answered: nobody can tell any more, so a person has to see it.
      this.#setFileAside(path, formatBase(slot.record), slot.problem, true);
      return undefined;
    }
    const { record } = slot;
    const instance = this.#openOrSetAside(path, formatBase(record));
    if (instance === undefined) return undefined;
    try {
      const destinations = await routeStored(instance);
      return this.enqueue(
        {
          base: formatBase(record),
          bucket: bucketOf(record.studyHash),
          path,
          receivedMs: record.receivedMs,
          length: record.dataSetLength,
        },
        destinations,
      );
    } finally {
      instance.close();
    }
  }

  /** Opens a file that nobody waits for yet; a damaged one is set aside and reported. */
  #openOrSetAside(path: string, base: string): StoredInstance | undefined {
    try {
      return StoredInstance.open(this.#files, path);
    } catch (error) {
      if (!(error instanceof CorruptError)) throw error;
      this.#setFileAside(path, base, error.message, true);
      return undefined;
    }
  }

  /** Sequences go on behind every one that is in use, so that no name comes twice. */
  #saw(sequence: number): void {
    this.#sequence = Math.max(this.#sequence, sequence);
  }

  /** Why nothing new can be taken now, in one sentence; undefined where there is room. */
  refusesNew(): string | undefined {
    if (this.#broken !== undefined) return this.#broken;
    const free = this.#freeSpace.bytes();
    if (free === undefined || free >= this.#options.minimumFreeSpace) return undefined;
    return `only ${free} bytes are free where the spool is, minimum_free_space is ${this.#options.minimumFreeSpace}`;
  }

  /** A slot for the next instance. Throws what the file system throws. */
  async begin(meta: FileMeta): Promise<IncomingInstance> {
    const slot = await this.#slots.take();
    const buffer = this.#buffers.pop() ?? new Uint8Array(WRITE_BUFFER_LENGTH);
    return new IncomingInstance(this, slot, meta, buffer);
  }

  /**
   * Puts a committed instance into the queue. A rename that fails leaves it where it is, found there by delivery and by
   * the next start.
   */
  enqueue(committed: Committed, destinations: readonly string[]): Entry {
    const waiting = destinations.map((destination) => ({ destination, tries: 0 }));
    const target = join(
      this.#paths.queue,
      committed.bucket,
      formatName(committed.base, waiting),
    );
    const entry = new Entry(
      committed.base,
      committed.receivedMs,
      waiting,
      committed.path,
    );
    this.#move(entry, target);
    return entry;
  }

  /**
   * Opens an entry's file.
   *
   * @returns undefined where a person removed it, or removed the destination from its name; the entry says what is left
   * @throws {CorruptError}
   */
  openEntry(entry: Entry, hot: boolean): StoredInstance | undefined {
    for (let attempt = 0;; attempt++) {
      try {
        const instance = StoredInstance.open(this.#files, entry.path, hot);
        entry.sopInstanceUid = instance.meta.sopInstanceUid;
        return instance;
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound) || attempt > 0) throw error;
        if (!this.#findAgain(entry)) return undefined;
      }
    }
  }

  /** The directory is the truth: looks for the entry under another name, as the queue command leaves it. */
  #findAgain(entry: Entry): boolean {
    const directory = join(this.#paths.queue, entry.base.slice(-17, -15));
    for (const name of this.#files.list(directory)) {
      if (!name.startsWith(entry.base)) continue;
      const parsed = parseName(name);
      if (parsed?.base !== entry.base) continue;
      // The same instance may be there a second time, for a destination it was put back for.
      if (!parsed.waiting.every((one) => entry.waitsFor(one.destination))) continue;
      entry.path = join(directory, name);
      entry.waiting = parsed.waiting;
      return true;
    }
    entry.queued = false;
    entry.waiting = [];
    return false;
  }

  /** One destination has it. The last one ends the entry. */
  delivered(entry: Entry, destination: string): void {
    this.#drop(entry, destination);
  }

  /** One more refusal, remembered in the name. */
  countTry(entry: Entry, destination: string): number {
    const waiting = entry.waiting.find((one) => one.destination === destination);
    if (waiting === undefined) return 0;
    waiting.tries++;
    if (!this.#moveToName(entry)) this.#findAgain(entry);
    return waiting.tries;
  }

  /** Gives up for one destination: the instance waits in `failed/` until a person puts it back. */
  async fail(entry: Entry, destination: string, reason: FailureReason): Promise<void> {
    const directory = join(this.#paths.failed, destination);
    const target = join(directory, `${entry.base}.dcm`);
    this.#files.makeDirectory(directory);
    // The folder may be new: without its own name on the disk it would take with it all that is in it.
    await this.#files.syncDirectory(this.#paths.failed);
    // A person may have taken this destination out of the name: what waits for another one is not to be moved for it.
    if (!entry.waitsFor(destination)) return;
    try {
      replaceTextFile(this.#files, join(directory, `${entry.base}.json`), formatReason(reason));
    } catch (error) {
      // The reason is for people; without room for it the instance itself still has to be kept apart.
      this.#options.report(`Cannot write the reason beside ${target}`, error);
    }
    if (entry.waiting.length === 1) {
      renameAway(this.#files, entry.path, target);
      entry.path = target;
      entry.waiting = [];
      entry.queued = false;
      return;
    }
    // Two names change here: the new one must be on the disk before the old one says less.
    await secondName(this.#files, entry.path, target, directory);
    this.#drop(entry, destination);
  }

  /** Sets a damaged file aside. It is never sent and never deleted. */
  setAside(entry: Entry, reason: string): void {
    entry.path = this.#setFileAside(entry.path, entry.base, reason);
    entry.queued = false;
    entry.waiting = [];
  }

  #setFileAside(path: string, base: string, reason: string, tell = false): string {
    const { corrupt } = this.#paths;
    let name = base;
    // One of that name may lie there from another destination's folder: neither takes the other's place.
    for (let n = 2; this.#files.exists(join(corrupt, `${name}.dcm`)); n++) name = `${base}.${n}`;
    const target = join(corrupt, `${name}.dcm`);
    this.#files.rename(path, target);
    this.#options.damaged?.(base, reason);
    if (tell) this.#options.report(`${reason}: set aside as ${target}`);
    const when = new Date(this.#options.now()).toISOString();
    try {
      const note = JSON.stringify({ reason, when }, null, 2);
      replaceTextFile(this.#files, join(corrupt, `${name}.json`), `${note}\n`);
    } catch (error) {
      this.#options.report(`Cannot write the reason beside ${target}`, error);
    }
    return target;
  }

  /**
   * Takes what the queue command put into `retry/` into the queue. Cheap when there is nothing: one listing of an empty
   * directory.
   *
   * @param reroute new destinations for an instance that no route matched
   */
  adoptRetries(
    reroute: (instance: StoredInstance) => Promise<readonly string[]>,
    unrouted: string,
  ): Promise<Entry[]> {
    return adoptRetries(this.#putBack(), reroute, unrouted);
  }

  /** Puts failed instances back for destinations that are configured (again): returns the new entries. */
  restoreConfigured(configured: ReadonlySet<string>): Entry[] {
    return restoreConfigured(this.#putBack(), configured);
  }

  #putBack(): PutBackHost {
    return {
      files: this.#files,
      paths: this.#paths,
      report: this.#options.report,
      open: (path, base) => this.#openOrSetAside(path, base),
      enqueue: (committed, destinations) => this.enqueue(committed, destinations),
      remove: (path) => this.#remove(path),
    };
  }

  /** Housekeeping: removes leftovers, and asks a broken disk whether it works again. */
  async maintain(): Promise<void> {
    for (const path of [...this.#leftovers]) {
      this.#leftovers.delete(path);
      this.#remove(path);
    }
    if (this.#broken === undefined) return;
    try {
      await this.#probe();
      this.#options.report("The spool's disk syncs again: instances are accepted again");
      this.#broken = undefined;
    } catch (error) {
      this.#options.report("The spool's disk still fails to sync", error);
    }
  }

  /** Resolves when everything delivered so far has left the disk. */
  async settled(): Promise<void> {
    await Promise.all(this.#removals);
  }

  /** Removes the slots that were not used, and what was delivered. The lock is the caller's. */
  async close(): Promise<void> {
    await this.settled();
    await this.#slots.clear();
  }

  // What incoming instances ask of their owner.

  nextSequence(): number {
    return ++this.#sequence;
  }

  now(): number {
    return this.#options.now();
  }

  syncFailed(error: unknown): void {
    this.#broken = "the spool's disk failed to sync";
    this.#options.report(
      "The spool's disk failed to sync a file: no new instances are accepted until it works again",
      error,
    );
  }

  released(buffer: Uint8Array): void {
    if (this.#buffers.length < SPARE_BUFFERS) this.#buffers.push(buffer);
  }

  discardFile(path: string): void {
    this.#remove(path);
  }

  #drop(entry: Entry, destination: string): void {
    for (let attempt = 0; entry.queued && attempt < 2; attempt++) {
      const before = entry.waiting;
      const left = before.filter((one) => one.destination !== destination);
      if (left.length === before.length) return;
      entry.waiting = left;
      if (left.length === 0) {
        entry.queued = false;
        this.#removeLater(entry.path);
        return;
      }
      if (this.#moveToName(entry)) return;
      // A person took another destination out of the name meanwhile: once more with what it says now.
      entry.waiting = before;
      this.#findAgain(entry);
    }
  }

  #moveToName(entry: Entry): boolean {
    const bucket = entry.base.slice(-17, -15);
    return this.#move(
      entry,
      join(this.#paths.queue, bucket, formatName(entry.base, entry.waiting)),
    );
  }

  /** False where the file is not there any more under the name known. */
  #move(entry: Entry, target: string): boolean {
    if (entry.path === target) return true;
    try {
      renameAway(this.#files, entry.path, target);
      entry.path = target;
    } catch (error) {
      // Where the file is there, it is the target's folder that somebody took away.
      if (error instanceof Deno.errors.NotFound && !this.#files.exists(entry.path)) return false;
      // The entry stays under its old name, which says at worst that more is to do than is.
      this.#options.report(`Cannot rename ${entry.path} to ${target}`, error);
    }
    return true;
  }

  /** Proves that the disk keeps what it is given. */
  async #probe(): Promise<void> {
    try {
      await probeDisk(this.#files, this.#paths.probe, this.#options.now());
    } catch (error) {
      throw unusable(this.#options.directory, error);
    }
  }

  #removeLater(path: string): void {
    const removal = this.#files.removeLater(path).catch((error) => this.#keepLeftover(path, error))
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  #keepLeftover(path: string, error: unknown): void {
    if (error instanceof Deno.errors.NotFound) return;
    this.#options.report(`Cannot remove ${path}, will try again`, error);
    this.#leftovers.add(path);
  }

  #remove(path: string): void {
    try {
      this.#files.remove(path);
    } catch (error) {
      this.#keepLeftover(path, error);
    }
  }
}
