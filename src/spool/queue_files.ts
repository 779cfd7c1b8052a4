/*
 * The names of the queue's files as entries change, and the removal of files that are not needed any more.
 *
 * A change in memory counts at once, whatever becomes of the file: a rename or a removal that fails is tried again by
 * itself (`try_again.ts`) and says until then, at worst, that more is to do than is. In the life of this process nothing is
 * done again for it; the next start knows from the ledger what was delivered.
 */

import { basename, join } from "node:path";
import type { Clock } from "../clock.ts";
import type { Entry } from "./entry.ts";
import { bucketIn, formatName, namesLeft, parseName, type Waiting } from "./entry_name.ts";
import { type FileSystem, renameAway } from "./file_system.ts";
import { isHeld } from "./held.ts";
import { TryAgain } from "./try_again.ts";
import { WaitingLists } from "./waiting_lists.ts";

/** Told what an instance waited for and waits for now. */
type Changed = (base: string, before: readonly Waiting[], after: readonly Waiting[]) => void;

export class QueueFiles {
  readonly #files: FileSystem;
  readonly #queue: string;
  readonly #report: (message: string, error?: unknown) => void;
  readonly #again: TryAgain;
  /** Takes the file of an entry that nobody waits for any more; false where it is to be removed. */
  readonly #reuse: (entry: Entry) => boolean;
  /** Told of each change of what an entry waits for. */
  readonly #changed: Changed;
  /** Removals under way. */
  readonly #removals = new Set<Promise<void>>();
  /** Paths of the buckets, by their names: one text each, whatever lies in them. */
  readonly #buckets = new Map<string, string>();
  /** What the entries of this queue wait for. */
  readonly lists = new WaitingLists();

  /**
   * @param queue the directory of the queue
   * @param host `reuse` takes the file of an entry that nobody waits for any more, false where it is to be removed;
   * `changed` is told what an entry waited for and waits for now
   */
  constructor(
    files: FileSystem,
    queue: string,
    after: Clock["after"],
    report: (message: string, error?: unknown) => void,
    host: {
      readonly reuse: (entry: Entry) => boolean;
      readonly changed?: Changed;
    },
  ) {
    this.#files = files;
    this.#queue = queue;
    this.#report = report;
    this.#reuse = host.reuse;
    this.#changed = host.changed ?? (() => {});
    this.#again = new TryAgain(after, report);
  }

  /**
   * One destination needs nothing more. The last one ends the entry.
   *
   * @param notThere called where the file is not under the name known, or its name no longer has the destination: another
   * process moved it
   */
  drop(entry: Entry, destination: string, notThere: () => void = () => {}): void {
    for (let attempt = 0; entry.queued && attempt < 2; attempt++) {
      const before = entry.waiting;
      const left = before.filter((one) => one.destination !== destination);
      if (left.length === before.length) break;
      if (left.length === 0) {
        this.leave(entry);
        if (!this.#reuse(entry)) this.removeLater(entry.path, notThere);
        return;
      }
      this.#wait(entry, left);
      if (this.rename(entry)) return;
      // A person took another destination out of the name meanwhile: once more with what it says now.
      this.#wait(entry, before);
      this.findAgain(entry);
    }
    notThere();
  }

  /** An entry waits for nothing more. What becomes of its file is the caller's. */
  leave(entry: Entry): void {
    entry.queued = false;
    this.#wait(entry, []);
  }

  #wait(entry: Entry, waiting: readonly Waiting[]): void {
    const before = entry.waiting;
    entry.waiting = this.#shared(waiting);
    this.#changed(entry.base, before, entry.waiting);
  }

  /** One more refusal by a destination, remembered in the name: how many there are now. */
  countTry(entry: Entry, destination: string): number {
    if (!entry.waiting.some((one) => one.destination === destination)) return 0;
    const tries = entry.triesOf(destination) + 1;
    this.#wait(
      entry,
      entry.waiting.map((one) => one.destination === destination ? { ...one, tries } : one),
    );
    if (!this.rename(entry)) this.findAgain(entry);
    return tries;
  }

  #shared(waiting: readonly Waiting[]): readonly Waiting[] {
    return this.lists.share(waiting).waiting;
  }

  /**
   * Gives an entry's file the name that says what it waits for. A rename that fails leaves it where it is, found there by
   * delivery and by the next start.
   *
   * @returns false where the file is not there any more under the name known
   */
  rename(entry: Entry): boolean {
    return this.#rename(entry, (error) => {
      const what = `Cannot rename ${entry.path} to ${this.#target(entry)}`;
      this.#again.add(entry, what, error, () => {
        // Nothing to do any more where it has left the queue, or its file has: whoever opens it finds that out.
        if (!entry.queued) return;
        this.#rename(entry, (again) => {
          throw again;
        });
      });
    });
  }

  /** The same for a file that has just been received: its name in the queue has never been before. */
  place(entry: Entry): void {
    const target = this.#target(entry);
    try {
      this.#files.rename(entry.path, target);
      this.#liesAt(entry, target);
    } catch {
      this.rename(entry);
    }
  }

  /** The same for a file that whoever moves it tries again himself. */
  renameOnce(entry: Entry): void {
    this.#rename(entry, (error) => {
      // What is held is soon tried again: nothing to tell.
      if (isHeld(error)) return;
      this.#report(`Cannot rename ${entry.path} to ${this.#target(entry)}`, error);
    });
  }

  #rename(entry: Entry, failed: (error: unknown) => void): boolean {
    const target = this.#target(entry);
    const { path } = entry;
    if (path === target) return true;
    try {
      renameAway(this.#files, path, target);
      this.#liesAt(entry, target);
    } catch (error) {
      // Where the file is there, it is the target's folder that somebody took away.
      if (error instanceof Deno.errors.NotFound && !this.#files.exists(path)) return false;
      failed(error);
    }
    return true;
  }

  /** The file is where its name says that it belongs. */
  #liesAt(entry: Entry, target: string): void {
    const folder = this.#bucket(entry);
    const { ending } = this.lists.share(entry.waiting);
    // Where a name has no room for all tries, it does not end as the list does.
    if (target.length === folder.length + 1 + entry.base.length + ending.length) {
      entry.liesIn(folder, ending);
    } else entry.path = target;
  }

  #bucket(entry: Entry): string {
    const name = bucketIn(entry.base);
    let bucket = this.#buckets.get(name);
    if (bucket === undefined) {
      bucket = join(this.#queue, name);
      this.#buckets.set(name, bucket);
    }
    return bucket;
  }

  #target(entry: Entry): string {
    return join(this.#bucket(entry), formatName(entry.base, entry.waiting));
  }

  /**
   * The directory is the truth: looks for the entry under another name, as the queue command leaves it. False where it is
   * gone; the entry says what is left.
   */
  findAgain(entry: Entry): boolean {
    const directory = this.#bucket(entry);
    for (const name of this.#namesFor(entry, directory)) {
      const parsed = parseName(name);
      if (parsed?.base !== entry.base) continue;
      // The same instance may be there a second time, for a destination it was put back for.
      if (!parsed.waiting.every((one) => entry.waitsFor(one.destination))) continue;
      entry.path = join(directory, name);
      this.#wait(entry, parsed.waiting);
      return true;
    }
    this.leave(entry);
    return false;
  }

  /** Names under which an entry's file may be there. A bucket is listed only where they cannot be told. */
  #namesFor(entry: Entry, directory: string): Iterable<string> {
    const names = namesLeft(basename(entry.path));
    if (names === undefined) {
      return [...this.#files.list(directory)].filter((name) => name.startsWith(entry.base));
    }
    return names.filter((name) => this.#files.exists(join(directory, name)));
  }

  /** Removes a file without blocking; `settled` waits for it. `notThere` is called where there is none. */
  removeLater(path: string, notThere: () => void = () => {}): void {
    const removal = this.#files.removeLater(path).catch((error) => {
      if (error instanceof Deno.errors.NotFound) notThere();
      else this.#notRemoved(path, error);
    }).finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  /** Removes a file at once, or some time. */
  remove(path: string): void {
    try {
      this.#files.remove(path);
    } catch (error) {
      this.#notRemoved(path, error);
    }
  }

  #notRemoved(path: string, error: unknown): void {
    if (error instanceof Deno.errors.NotFound) return;
    this.#again.add(path, `Cannot remove ${path}`, error, async () => {
      try {
        await this.#files.removeLater(path);
      } catch (again) {
        if (!(again instanceof Deno.errors.NotFound)) throw again;
      }
    });
  }

  /** One more try of what could not be done. */
  async maintain(): Promise<void> {
    await this.#again.round();
  }

  /** Renames and removals that have failed and are still to be done. */
  get undone(): number {
    return this.#again.size;
  }

  /** Resolves when everything to be removed has left the disk, or cannot now. */
  async settled(): Promise<void> {
    await Promise.all(this.#removals);
  }

  /** One last try. */
  async close(): Promise<void> {
    await this.settled();
    await this.#again.close();
  }
}
