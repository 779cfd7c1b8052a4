/*
 * The spool: a directory that is the queue (the only module that knows its files).
 *
 *     LOCK VERSION
 *     incoming/<slot>.part          made ahead, one taken for each instance
 *     queue/<00..ff>/<name>.dcm     committed, waiting for the destinations in its name
 *     failed/<destination>/         given up for now, with the reason beside each
 *     held/<destination>/           held back by a person; never sent, never deleted
 *     retry/<name>.dcm              put back by hand; adopted into the queue
 *     corrupt/                      does not match its own checksum; never sent, never deleted
 *
 * A state change is a rename, durable when the system gets round to it: a lost one means a repeat, never a loss. What must
 * be durable is synced in `incoming.ts` before anybody is told. After a failed sync nothing new is taken until the disk
 * has proved itself again; delivery goes on. Nothing here is deleted that was not delivered.
 */

import { join } from "node:path";
import { type Clock, systemClock } from "../clock.ts";
import type { FileMeta } from "../dicom/part10.ts";
import { isSlotName } from "./commit_record.ts";
import { moveToCorrupt, noteReason } from "./corrupt.ts";
import { SpoolDisk } from "./disk.ts";
import { Entry, openedOf } from "./entry.ts";
import { Apart } from "./apart.ts";
import { bucketOf, formatBase, sequenceOf } from "./entry_name.ts";
import { type FailureReason, orphanedReasons } from "./failed.ts";
import type { FileSystem, SpoolFile } from "./file_system.ts";
import {
  type Committed,
  IncomingInstance,
  type IncomingOwner,
  WRITE_BUFFER_LENGTH,
} from "./incoming.ts";
import { isHeld, patiently } from "./held.ts";
import { makeSpool } from "./layout.ts";
import { OpenFiles } from "./open_files.ts";
import { spoolPaths } from "./paths.ts";
import { QueueFiles } from "./queue_files.ts";
import { QueueIndex } from "./queue_index.ts";
import { adoptRetries, type PutBackHost, restoring } from "./put_back.ts";
import { examineSlot, highestAside, inOrderReceived, readQueue } from "./recovery.ts";
import { Slots, USED_ROOM } from "./slots.ts";
import { CorruptError, StoredInstance } from "./stored_instance.ts";
import { checkVersion, unusable } from "./version.ts";

/** Idle write buffers kept for the next instance. */
const SPARE_BUFFERS = 8;

export interface SpoolOptions {
  readonly directory: string;
  readonly files: FileSystem;
  /** ms since 1970 */
  readonly now: () => number;
  /** Waits between tries on a file that another program holds; the system's own by default. */
  readonly after?: Clock["after"];
  /** Bytes that must stay free for new instances to be taken. */
  readonly minimumFreeSpace: number;
  /** Something a person should know of: unknown files, failed renames. */
  readonly report: (message: string, error?: unknown) => void;
  /** Told of every instance that is set aside in `corrupt/`. */
  readonly damaged?: (id: string, reason: string) => void;
  /** Told how long each instance waited for its sync, in ms. */
  readonly synced?: (ms: number) => void;
}

export class Spool implements IncomingOwner {
  readonly #options: SpoolOptions;
  readonly #paths: ReturnType<typeof spoolPaths>;
  readonly #files: FileSystem;
  readonly #slots: Slots;
  readonly #disk: SpoolDisk;
  #sequence = 0;
  /** The highest sequence that a start found: what has a higher one was received by this process. */
  #found = 0;
  #buffers: Uint8Array[] = [];
  readonly #after: Clock["after"];
  readonly #queueFiles: QueueFiles;
  /** What is in the queue, in `failed/` and in `held/`. */
  readonly index = new QueueIndex();
  /** What is kept apart from the queue. */
  readonly apart: Apart;
  /** Committed, perhaps, and not to be read when the spool was recovered: another program held them. */
  readonly #unread = new Set<string>();
  readonly #open = new OpenFiles();
  /** Whether something in `failed/` could not come back with its destination, for the same reason. */
  #heldBack = false;

  private constructor(options: SpoolOptions) {
    this.#options = options;
    this.#files = options.files;
    this.#paths = spoolPaths(options.directory);
    this.#slots = new Slots(options.files, this.#paths.incoming, options.now());
    this.#after = options.after ?? systemClock.after;
    this.#disk = new SpoolDisk({ ...options, probe: this.#paths.probe, after: this.#after });
    this.#queueFiles = new QueueFiles(
      options.files,
      this.#paths.queue,
      this.#after,
      options.report,
      {
        reuse: (entry) => this.#reuse(entry),
        changed: (base, before, after) => this.index.changed(base, before, after),
      },
    );
    this.apart = new Apart({
      files: options.files,
      paths: this.#paths,
      after: this.#after,
      report: options.report,
      queueFiles: this.#queueFiles,
      index: this.index,
      open: this.#open,
      enqueue: (committed, destinations) => this.#moveIntoQueue(committed, destinations),
    });
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
      const hasVersion = await patiently(
        () => checkVersion(files, directory, spool.#paths.version),
        spool.#after,
      );
      await spool.#disk.proveAtStart();
      await patiently(() => makeSpool(files, directory, hasVersion), spool.#after);
    } catch (error) {
      throw unusable(directory, error);
    }
    return spool;
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
    this.#saw(this.apart.read());
    for (const directory of [this.#paths.failed, this.#paths.held]) {
      for (const path of orphanedReasons(this.#files, directory)) this.#queueFiles.remove(path);
    }
    const strange = (path: string) =>
      this.#options.report(`${path} is not a file of the spool and is left alone`);
    const { lists } = this.#queueFiles;
    const entries = await readQueue(this.#files, this.#paths.queue, strange, lists);
    for (const entry of entries) this.#saw(sequenceOf(entry.base));
    for (const name of [...this.#files.list(this.#paths.incoming)]) {
      const path = join(this.#paths.incoming, name);
      if (!isSlotName(name)) {
        strange(path);
        continue;
      }
      this.#slots.sawName(name);
      this.#unread.add(path);
    }
    await patiently(() => this.#readSlots(routeStored, entries), this.#after).catch((error) =>
      this.#options.report(`Cannot read all of ${this.#paths.incoming} yet`, error)
    );
    this.#found = this.#sequence;
    const inOrder = inOrderReceived(entries);
    this.index.add(inOrder);
    const entriesLeft = await this.apart.heldAlone(inOrder);
    try {
      await this.#slots.fill();
    } catch (error) {
      this.#options.report("Cannot make files for what comes in; it will be tried again", error);
    }
    return entriesLeft;
  }

  /** Takes what the slots hold. Throws where some of them are held by another program; those stay in `#unread`. */
  async #readSlots(
    routeStored: (instance: StoredInstance) => Promise<readonly string[]>,
    entries: Entry[],
  ): Promise<void> {
    let held: unknown;
    for (const path of [...this.#unread]) {
      try {
        const entry = await this.#recoverSlot(path, routeStored);
        this.#unread.delete(path);
        if (entry !== undefined) entries.push(entry);
      } catch (error) {
        if (isHeld(error)) {
          held = error;
          continue;
        }
        this.#unread.delete(path);
        this.#options.report(`Cannot read ${path}; it is left where it is`, error);
      }
    }
    if (held !== undefined) throw held;
  }

  /** What `recover` could not read yet, as far as it can be read now: returns the new entries. */
  async recoverLate(
    routeStored: (instance: StoredInstance) => Promise<readonly string[]>,
  ): Promise<Entry[]> {
    const entries: Entry[] = [];
    // What is still held has been told when the spool was recovered.
    await this.#readSlots(routeStored, entries).catch(() => {});
    this.index.add(entries);
    return await this.apart.heldAlone(entries);
  }

  async #recoverSlot(
    path: string,
    routeStored: (instance: StoredInstance) => Promise<readonly string[]>,
  ): Promise<Entry | undefined> {
    const slot = await examineSlot(this.#files, path);
    if (slot.state === "uncommitted") {
      this.#queueFiles.remove(path);
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
      const committed = {
        base: formatBase(record),
        bucket: bucketOf(record.studyHash),
        path,
        receivedMs: record.receivedMs,
        length: record.dataSetLength,
      };
      const entry = this.#asEntry(committed, destinations);
      this.#queueFiles.rename(entry);
      return entry;
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
    return this.#disk.refusesNew();
  }

  /** @param bytes that must stay free from now on for new instances to be taken */
  keepFree(bytes: number): void {
    this.#disk.minimumFreeSpace = bytes;
  }

  /** A slot for the next instance. Throws what the file system throws. */
  async begin(meta: FileMeta): Promise<IncomingInstance> {
    const slot = await this.#slots.take();
    const buffer = this.#buffers.pop() ?? new Uint8Array(WRITE_BUFFER_LENGTH);
    return new IncomingInstance(this, slot, meta, buffer);
  }

  /**
   * Puts a committed instance into the queue. A rename that fails leaves it where it is for now, found there by delivery
   * and by the next start.
   */
  enqueue(committed: Committed, destinations: readonly string[]): Entry {
    const entry = this.#asEntry(committed, destinations);
    this.#queueFiles.place(entry);
    this.index.add([entry]);
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
        const instance = StoredInstance.open(this.#files, entry.path, hot, {
          base: entry.base,
          closed: () => this.#open.closed(entry.base),
        });
        this.#open.opened(entry.base);
        entry.opened = openedOf(instance);
        return instance;
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound) || attempt > 0) throw error;
        if (!this.#queueFiles.findAgain(entry)) return undefined;
      }
    }
  }

  /** False where a person removed an entry's file, or moved it; the entry says what is left. */
  isThere(entry: Entry): boolean {
    return entry.queued && (this.#files.exists(entry.path) || this.#queueFiles.findAgain(entry));
  }

  /** Makes a slot of a file that is not needed any more, unless somebody still reads it or room is short. */
  #reuse(entry: Entry): boolean {
    if (this.#open.has(entry.base)) return false;
    if (this.#disk.isShortOf(2 * USED_ROOM)) return false;
    return this.#slots.takeUsed(entry.path, sequenceOf(entry.base) <= this.#found);
  }

  /** One destination has it. The last one ends the entry. */
  delivered(entry: Entry, destination: string): void {
    this.#queueFiles.drop(
      entry,
      destination,
      () => this.apart.arrived(entry.base, destination),
    );
  }

  /** A person does not want it there: it leaves the queue for that destination, undelivered. */
  removed(entry: Entry, destination: string): void {
    this.#queueFiles.drop(entry, destination);
  }

  /** One more refusal, remembered in the name. */
  countTry(entry: Entry, destination: string): number {
    return this.#queueFiles.countTry(entry, destination);
  }

  /**
   * Gives up for one destination: the instance waits in `failed/` until a person puts it back. Where another program holds
   * the file, this takes up to ten seconds.
   *
   * @returns false where it did not wait for that destination any more
   * @throws what the file system throws; the entry waits as before then
   */
  fail(entry: Entry, destination: string, reason: FailureReason): Promise<boolean> {
    return this.apart.fail(entry, destination, reason);
  }

  /**
   * Sets a damaged file aside. It is never sent and never deleted. Where another program holds it, this takes up to ten
   * seconds.
   *
   * @throws what the file system throws; the entry waits as before then
   */
  async setAside(entry: Entry, reason: string): Promise<void> {
    await patiently(() => {
      if (!entry.queued) return;
      entry.path = this.#setFileAside(entry.path, entry.base, reason);
      this.#queueFiles.leave(entry);
    }, this.#after);
  }

  #setFileAside(path: string, base: string, reason: string, tell = false): string {
    const { now, report, damaged } = this.#options;
    const target = moveToCorrupt(this.#files, this.#paths.corrupt, path, base);
    damaged?.(base, reason);
    if (tell) report(`${reason}: set aside as ${target}`);
    try {
      noteReason(this.#files, target, reason, now());
    } catch (error) {
      report(`Cannot write the reason beside ${target}`, error);
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
    return adoptRetries(this.#putBack(), reroute, unrouted)
      .then((adopted) => this.apart.cameBack(adopted));
  }

  /** Puts failed instances back for destinations that are configured (again): returns the new entries. */
  restoreConfigured(configured: ReadonlySet<string>): Entry[] {
    this.#heldBack = false;
    return [...this.restoring(configured)].filter((entry) => entry !== undefined);
  }

  /**
   * The same beside the work: gives each back when it is in the queue again, and undefined at times, so that others get
   * their turn.
   */
  *restoring(configured: ReadonlySet<string>): Generator<Entry | undefined> {
    for (const entry of restoring(this.#putBack(), configured)) {
      if (entry !== undefined) this.apart.cameBack([entry]);
      yield entry;
    }
  }

  /** The same for those that could not be moved when it was done last. */
  restoreHeldBack(configured: ReadonlySet<string>): Entry[] {
    return this.#heldBack ? this.restoreConfigured(configured) : [];
  }

  #putBack(): PutBackHost {
    return {
      files: this.#files,
      paths: this.#paths,
      report: this.#options.report,
      open: (path, base) => this.#openOrSetAside(path, base),
      enqueue: (committed, destinations) => this.#moveIntoQueue(committed, destinations),
      heldBack: () => this.#heldBack = true,
      remove: (path) => this.#queueFiles.remove(path),
    };
  }

  #moveIntoQueue(committed: Committed, destinations: readonly string[]): Entry {
    // What a command took out of the queue and put back before anybody looked would take this file for its own.
    for (const destination of destinations) {
      for (const { entry } of this.index.find(committed.base, destination)) {
        if (entry !== undefined) this.isThere(entry);
      }
    }
    const entry = this.#asEntry(committed, destinations);
    this.#queueFiles.renameOnce(entry);
    return entry;
  }

  /** Housekeeping: tries again what could not be renamed or removed, and asks a broken disk whether it works again. */
  async maintain(): Promise<void> {
    await this.#queueFiles.maintain();
    if (this.#disk.isShortOf(2 * USED_ROOM)) this.#slots.dropUsed();
    await this.#disk.maintain();
  }

  /** Resolves when everything delivered so far has left the disk, or cannot now. */
  settled(): Promise<void> {
    return this.#queueFiles.settled();
  }

  /** Removes the slots that were not used, and what was delivered. The lock is the caller's. */
  async close(): Promise<void> {
    await this.#queueFiles.close();
    await this.#slots.clear();
  }

  // What incoming instances ask of their owner.

  nextSequence(): number {
    return ++this.#sequence;
  }

  now(): number {
    return this.#options.now();
  }

  synced(ms: number): void {
    this.#options.synced?.(ms);
  }

  syncFailed(error: unknown): void {
    this.#disk.syncFailed(error);
  }

  released(buffer: Uint8Array): void {
    if (this.#buffers.length < SPARE_BUFFERS) this.#buffers.push(buffer);
  }

  openAgain(path: string): SpoolFile {
    return this.#files.open(path, "update");
  }

  discardFile(path: string): void {
    this.#queueFiles.remove(path);
  }

  #asEntry({ base, path }: Committed, destinations: readonly string[]): Entry {
    const waiting = destinations.map((destination) => ({ destination, tries: 0 }));
    return new Entry(base, this.#queueFiles.lists.share(waiting).waiting, path);
  }
}
