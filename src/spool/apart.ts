/*
 * Instances kept apart from the queue, for one destination each: `failed/`, given up for now, and `held/`, held back by a
 * person. How they get there, back into the queue, and away.
 *
 * Moves files and keeps the index; when, and what the ledger says of it, is others'. Nothing here is removed but what a
 * person names, or what was delivered. A step that fails leaves the instance where it was, in one place at least: where it
 * is for a moment in two, the new name is on the disk before the old one says less.
 */

import { dirname, join } from "node:path";
import type { Clock } from "../clock.ts";
import type { Entry } from "./entry.ts";
import { bucketIn, bucketOf, parseName } from "./entry_name.ts";
import { type FailureReason, formatReason, listFailed, readReason } from "./failed.ts";
import { type FileSystem, renameAway, replaceTextFile, secondNameUnsynced } from "./file_system.ts";
import { patiently } from "./held.ts";
import type { Committed } from "./incoming.ts";
import type { OpenFiles } from "./open_files.ts";
import type { spoolPaths } from "./paths.ts";
import type { QueueFiles } from "./queue_files.ts";
import type { ApartState, QueueIndex } from "./queue_index.ts";
import { StoredInstance } from "./stored_instance.ts";
import { Turns } from "./turns.ts";
import { unshared } from "./waiting_lists.ts";

/** What the spool lends it. */
export interface ApartHost {
  readonly files: FileSystem;
  readonly paths: ReturnType<typeof spoolPaths>;
  readonly after: Clock["after"];
  readonly report: (message: string, error?: unknown) => void;
  readonly queueFiles: QueueFiles;
  readonly index: QueueIndex;
  readonly open: OpenFiles;
  /** Moves it into the queue, once: where that fails, the entry's path says so. */
  readonly enqueue: (committed: Committed, destinations: readonly string[]) => Entry;
}

/** What was moved, and why others were not. */
export interface Moved<One, Key> {
  readonly done: One[];
  readonly failed: Map<Key, unknown>;
}

export class Apart {
  readonly #host: ApartHost;

  constructor(host: ApartHost) {
    this.#host = host;
  }

  /** Where an instance lies that is kept apart. */
  path(state: ApartState, destination: string, base: string): string {
    return join(this.#host.paths[state], destination, `${base}.dcm`);
  }

  /** Why it is; undefined where that was not written down. */
  reason(state: ApartState, destination: string, base: string): FailureReason | undefined {
    return readReason(this.#host.files, this.#reasonPath(state, destination, base));
  }

  #reasonPath(state: ApartState, destination: string, base: string): string {
    return join(this.#host.paths[state], destination, `${base}.json`);
  }

  /**
   * Reads what lies there, at a start. Returns the highest sequence in use.
   *
   * @throws what the file system throws
   */
  read(): number {
    const { files, paths, index } = this.#host;
    let highest = 0;
    for (const state of ["failed", "held"] as const) {
      const bases = new Map<string, string[]>();
      for (const { destination, base, identity } of listFailed(files, paths[state])) {
        highest = Math.max(highest, identity.sequence);
        const known = bases.get(destination);
        if (known === undefined) bases.set(destination, [unshared(base)]);
        else known.push(unshared(base));
      }
      for (const [destination, some] of bases) index.setApart(state, destination, some);
    }
    return highest;
  }

  /** Everything there, for the balance of a start. */
  all(): { base: string; path: string; waiting: { destination: string }[]; held: boolean }[] {
    const found = [];
    for (const state of ["failed", "held"] as const) {
      for (const { base, destination } of this.#host.index.all({ state })) {
        const path = this.path(state, destination, base);
        found.push({ base, path, waiting: [{ destination }], held: state === "held" });
      }
    }
    return found;
  }

  /**
   * Gives up for one destination. Where another program holds the file, this takes up to ten seconds.
   *
   * @returns false where it did not wait for that destination any more
   * @throws what the file system throws; the entry waits as before then
   */
  async fail(entry: Entry, destination: string, reason: FailureReason): Promise<boolean> {
    const { files, after, index, queueFiles } = this.#host;
    const directory = await this.#makeDirectory("failed", destination);
    // A person may have taken this destination out of the name: what waits for another one is not to be moved for it.
    if (!entry.waitsFor(destination)) return false;
    await this.#writeReason("failed", destination, entry.base, reason);
    return await patiently(async () => {
      // It may have been asked for before the wait, and be another one's now.
      if (!entry.waitsFor(destination)) {
        if (!index.has("failed", destination, entry.base)) {
          queueFiles.remove(this.#reasonPath("failed", destination, entry.base));
        }
        return false;
      }
      if (await this.#move(entry, destination, "failed")) {
        await files.syncDirectory(directory);
        // A person may have held it back in the meantime: it lies there, then.
        if (!entry.waitsFor(destination) && index.has("held", destination, entry.base)) {
          this.#removeBoth("failed", destination, entry.base);
          return false;
        }
        if (!this.#takeOut(entry, destination, "failed")) return false;
      }
      index.setApart("failed", destination, [entry.base]);
      return true;
    }, after);
  }

  /**
   * Holds instances back for a destination. They are in `held/` whatever comes when it resolves; those that did not wait for
   * it any more are in neither list.
   */
  async hold(
    entries: readonly Entry[],
    destination: string,
    reason: FailureReason,
  ): Promise<Moved<Entry, Entry>> {
    const { files, paths, after, index } = this.#host;
    const directory = await this.#makeDirectory("held", destination);
    const turns = new Turns(after);
    const moved: Moved<Entry, Entry> = { done: [], failed: new Map() };
    const named: Entry[] = [];
    const folders = new Set<string>();
    for (const entry of entries) {
      await turns.share();
      if (!entry.waitsFor(destination)) continue;
      try {
        const tries = entry.triesOf(destination);
        await this.#writeReason("held", destination, entry.base, { ...reason, tries });
        folders.add(join(paths.queue, bucketIn(entry.base)));
        const second = await patiently(() => this.#move(entry, destination, "held"), after);
        (second ? named : moved.done).push(entry);
      } catch (error) {
        moved.failed.set(entry, error);
      }
    }
    try {
      await files.syncDirectory(directory);
      for (const entry of named.splice(0)) {
        await turns.share();
        if (entry.waitsFor(destination)) {
          if (!this.#takeOut(entry, destination, "held")) continue;
        } else if (this.#liesElsewhere(entry, destination)) {
          this.#removeBoth("held", destination, entry.base);
          continue;
        }
        moved.done.push(entry);
        index.setApart("held", destination, [entry.base]);
      }
      for (const folder of folders) await files.syncDirectory(folder);
    } catch (error) {
      // Those that were moved lie in `held/`, and whether a power cut leaves them there is not known.
      for (const entry of [...moved.done, ...named]) moved.failed.set(entry, error);
      for (const entry of named) {
        if (!entry.waitsFor(destination) || !files.exists(entry.path)) continue;
        this.#removeBoth("held", destination, entry.base);
      }
    }
    index.setApart("held", destination, moved.done.map((entry) => entry.base));
    return { ...moved, done: moved.done.filter((entry) => !moved.failed.has(entry)) };
  }

  /**
   * Takes a destination out of an entry whose second name is on the disk. What has been moved back from there meanwhile
   * (its destination is configured again, a command let it go) waits by that name: where the entry waits for nothing else,
   * both names are one, and it must stay.
   *
   * @returns false where it was moved back
   */
  #takeOut(entry: Entry, destination: string, state: ApartState): boolean {
    const { files, queueFiles } = this.#host;
    const isThere = files.exists(this.path(state, destination, entry.base));
    const isLast = entry.waiting.every((one) => one.destination === destination);
    if (!isLast) queueFiles.drop(entry, destination);
    else {
      const { path } = entry;
      queueFiles.leave(entry);
      // At once, not beside the work: by then the name could be that of one moved back.
      if (isThere) queueFiles.remove(path);
    }
    return isThere;
  }

  /** Whether what does not wait for a destination any more was given up, or is damaged, rather than held by a command, too. */
  #liesElsewhere(entry: Entry, destination: string): boolean {
    const { index, paths } = this.#host;
    return index.has("failed", destination, entry.base) || dirname(entry.path) === paths.corrupt;
  }

  /**
   * Puts instances back into the queue, for the destinations given. It is on the disk when it resolves.
   *
   * @returns entries of those put back; what is not there any more is in neither list
   */
  async putBack(
    state: ApartState,
    destination: string,
    bases: ReadonlyMap<string, readonly string[]>,
  ): Promise<Moved<Entry, string>> {
    const { files, paths, after, index, enqueue } = this.#host;
    const turns = new Turns(after);
    const moved: Moved<Entry, string> = { done: [], failed: new Map() };
    const gone: string[] = [];
    const folders = new Set([join(paths[state], destination)]);
    for (const [base, destinations] of bases) {
      await turns.share();
      const path = this.path(state, destination, base);
      try {
        if (!files.exists(path)) {
          gone.push(base);
          continue;
        }
        const entry = await patiently(() => {
          const entry = enqueue(committedAs(base, path), destinations);
          if (entry.path === path) throw new Error(`${path} cannot be moved into the queue`);
          return entry;
        }, after);
        folders.add(join(paths.queue, bucketIn(base)));
        moved.done.push(entry);
        gone.push(base);
        this.#host.queueFiles.remove(this.#reasonPath(state, destination, base));
      } catch (error) {
        moved.failed.set(base, error);
      }
    }
    index.tookBack(state, destination, gone);
    index.add(moved.done);
    try {
      for (const folder of folders) await files.syncDirectory(folder);
    } catch (error) {
      this.#host.report("A power cut may undo that instances were put back into the queue", error);
    }
    return moved;
  }

  /** Removes instances for good, as a person named them. */
  async remove(
    state: ApartState,
    destination: string,
    bases: readonly string[],
  ): Promise<Moved<string, string>> {
    const { files, after, index } = this.#host;
    const turns = new Turns(after);
    const moved: Moved<string, string> = { done: [], failed: new Map() };
    const gone: string[] = [];
    for (const base of bases) {
      await turns.share();
      const path = this.path(state, destination, base);
      try {
        await patiently(() => files.remove(path), after);
        moved.done.push(base);
        gone.push(base);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) gone.push(base);
        else moved.failed.set(base, error);
        continue;
      }
      this.#host.queueFiles.remove(this.#reasonPath(state, destination, base));
    }
    index.tookBack(state, destination, gone);
    return moved;
  }

  /**
   * A crash may leave an instance both in `held/` and in the queue: it is held. What is held is never sent.
   *
   * @param entries all that was found in the queue
   * @returns those that still wait for something
   */
  async heldAlone(entries: Entry[]): Promise<Entry[]> {
    const { files, paths, index, queueFiles } = this.#host;
    if (index.total({ state: "held" }) === 0) return entries;
    const synced = new Set<string>();
    for (const entry of entries) {
      for (const { destination } of entry.waiting) {
        if (!index.has("held", destination, entry.base)) continue;
        // The program may have been killed before the sync: its name there may not be on the disk.
        if (!synced.has(destination)) {
          await files.syncDirectory(join(paths.held, destination));
          await files.syncDirectory(paths.held);
          synced.add(destination);
        }
        queueFiles.drop(entry, destination);
      }
    }
    return entries.filter((entry) => entry.queued);
  }

  /** Entries that came back into the queue by `retry/`, or because their destination is configured again. */
  cameBack(entries: Entry[]): Entry[] {
    const { index } = this.#host;
    index.add(entries);
    for (const { base, failedFor } of entries) {
      for (const destination of failedFor) {
        index.tookBack("failed", destination, [base]);
        index.tookBack("held", destination, [base]);
      }
    }
    return entries;
  }

  /**
   * Opens an instance that is kept apart. Its file is not written over while it is open, wherever it goes.
   *
   * @throws {CorruptError}
   * @throws {Deno.errors.NotFound}
   */
  open(state: ApartState, destination: string, base: string): StoredInstance {
    const path = this.path(state, destination, base);
    const instance = StoredInstance.open(this.#host.files, path, false, {
      base,
      closed: () => this.#host.open.closed(base),
    });
    this.#host.open.opened(base);
    return instance;
  }

  /** Another process may have put an instance there. */
  lookFor(destination: string, base: string): void {
    for (const state of ["failed", "held"] as const) {
      if (!this.#host.files.exists(this.path(state, destination, base))) continue;
      this.#host.index.setApart(state, destination, [base]);
    }
  }

  /** A destination has an instance that another process held back while it was under way. */
  arrived(base: string, destination: string): void {
    if (!this.#host.files.exists(this.path("held", destination, base))) return;
    this.#removeBoth("held", destination, base);
    this.#host.index.tookBack("held", destination, [base]);
  }

  #removeBoth(state: ApartState, destination: string, base: string): void {
    this.#host.queueFiles.remove(this.path(state, destination, base));
    this.#host.queueFiles.remove(this.#reasonPath(state, destination, base));
  }

  async #makeDirectory(state: ApartState, destination: string): Promise<string> {
    const { files, paths } = this.#host;
    const directory = join(paths[state], destination);
    files.makeDirectory(directory);
    // The folder may be new: without its own name on the disk it would take with it all that is in it.
    await files.syncDirectory(paths[state]);
    return directory;
  }

  async #writeReason(
    state: ApartState,
    destination: string,
    base: string,
    reason: FailureReason,
  ): Promise<void> {
    const { files, after, report } = this.#host;
    const path = this.#reasonPath(state, destination, base);
    try {
      await patiently(() => replaceTextFile(files, path, formatReason(reason)), after);
    } catch (error) {
      // The reason is for people; without room for it the instance itself still has to be kept apart.
      report(`Cannot write the reason ${path}`, error);
    }
  }

  /**
   * Gives an entry's file its name there. True where that is a second name, because it waits for others, too: it must be on
   * the disk before the old one says less.
   */
  async #move(entry: Entry, destination: string, state: ApartState): Promise<boolean> {
    const { files, queueFiles } = this.#host;
    const target = this.path(state, destination, entry.base);
    if (entry.waiting.length > 1) {
      await secondNameUnsynced(files, entry.path, target);
      return true;
    }
    renameAway(files, entry.path, target);
    entry.path = target;
    queueFiles.leave(entry);
    return false;
  }
}

function committedAs(base: string, path: string): Committed {
  const { studyHash, receivedMs } = parseName(`${base}.dcm`)!.identity;
  return { base, bucket: bucketOf(studyHash), path, receivedMs, length: 0 };
}
