/*
 * Delivery to a folder: the local archive, or any other.
 *
 *     <path>/<Patient ID>/<Study Instance UID>/<Series Instance UID>/<SOP Instance UID>.dcm
 *
 * A hard link to the spool's file where the file system has them, a copy where not. What is there already is never
 * replaced: the same instance counts as delivered, another one under the same name is kept beside it. An instance is
 * reported delivered when its name is on the disk. Names are made safe (`archive_path.ts`), and the result stays below
 * `path`.
 */

import { dirname, join, relative, resolve } from "node:path";
import type { DirectoryDestinationConfig } from "../config/load.ts";
import type { Entry } from "../spool/entry.ts";
import {
  copyFile,
  type FileSystem,
  replaceTextFile,
  syncAbove,
  systemErrorCode,
} from "../spool/file_system.ts";
import { isHeld } from "../spool/held.ts";
import type { Spool } from "../spool/spool.ts";
import { CorruptError, StoredInstance } from "../spool/stored_instance.ts";
import { archivePath } from "./archive_path.ts";
import { openForDelivery } from "./open_entry.ts";
import {
  type Destination,
  DestinationError,
  type Outcome,
  type Report,
  type Session,
} from "./outcome.ts";

/** Instances of one name that are kept beside each other. */
const MOST_NAMESAKES = 99;

/** Folders remembered as being on the disk; forgetting them costs a sync each. */
const MOST_REMEMBERED = 10_000;

export class DirectoryDestination implements Destination, Session {
  readonly name: string;
  readonly description: string;
  readonly deed = "Instance archived";
  readonly waitsForStudy = false;
  readonly sessions = 1;
  readonly batch = 64;
  readonly idleMs = 1000;
  readonly retryAttempts: number;
  readonly usable = true;
  readonly #path: string;
  readonly #spool: Spool;
  readonly #files: FileSystem;
  /** Whether paths may be told: their folders are named after patients and studies. */
  readonly #tellPaths: boolean;
  /** Folders whose names this process has seen to the disk, with those of all above them. */
  readonly #durable = new Set<string>();
  /** Copies whose bytes this process has seen to the disk, and that could not be given their names yet. */
  readonly #copied = new Set<string>();
  /** False once the file system has shown that it links nothing from the spool. */
  #links = true;

  constructor(
    config: DirectoryDestinationConfig,
    spool: Spool,
    files: FileSystem,
    options: { readonly tellPaths: boolean },
  ) {
    this.name = config.name;
    this.description = config.path;
    this.retryAttempts = config.retryAttempts;
    this.#path = resolve(config.path);
    this.#spool = spool;
    this.#files = files;
    this.#tellPaths = options.tellPaths;
  }

  open(): Promise<Session> {
    return Promise.resolve(this);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** A link or a copy under way ends by itself. */
  abort(): Promise<void> {
    return Promise.resolve();
  }

  async deliver(batch: Iterable<Entry>, report: Report, signal: AbortSignal): Promise<void> {
    const done: [Entry, Outcome][] = [];
    const toSync = new Set<string>();
    let failure: unknown;
    for (const entry of batch) {
      if (signal.aborted) break;
      try {
        done.push([entry, await this.#place(entry, toSync)]);
      } catch (error) {
        if (concernsAll(error) || !this.#works()) {
          failure = error;
          break;
        }
        // The folder as a whole takes files: what is in the way is in the way of this instance.
        if (isHeld(error)) {
          const reason = `Another program holds its file: ${this.#tell(error)}`;
          done.push([entry, { kind: "held", reason }]);
          continue;
        }
        done.push([entry, {
          kind: "refused",
          reason: `It cannot be written: ${this.#tell(error)}`,
        }]);
      }
    }
    try {
      await this.#sync(toSync);
    } catch (error) {
      throw this.#unusable(error);
    }
    for (const [entry, outcome] of done) report(entry, outcome);
    if (failure !== undefined) throw this.#unusable(failure);
  }

  #unusable(error: unknown): DestinationError {
    if (error instanceof DestinationError) return error;
    return new DestinationError(
      "unreachable",
      `Cannot write to ${this.#path}: ${this.#tell(error)}`,
    );
  }

  /** An error in words; without the paths that the runtime puts behind them, where these may not be told. */
  #tell(error: unknown): string {
    const message = error instanceof Error ? error.message : String(error);
    return this.#tellPaths ? message : message.replace(/(\(os error \d+\)).*/s, "$1");
  }

  /** Whether a file can be made in the folder now. */
  #works(): boolean {
    const path = join(this.#path, ".dicomforwarder-test");
    try {
      this.#files.makeDirectory(this.#path);
      try {
        replaceTextFile(this.#files, path, "This file may be deleted.\n");
      } finally {
        this.#files.remove(path);
      }
      return true;
    } catch {
      // The error that led here is the one to tell.
      return false;
    }
  }

  async #place(entry: Entry, toSync: Set<string>): Promise<Outcome> {
    const instance = openForDelivery(this.#spool, entry, this.name, false);
    if ("kind" in instance) return instance;
    try {
      const target = await this.#target(instance);
      if (!await instance.readThrough()) {
        return { kind: "corrupt", reason: `${instance.path} does not match its checksum` };
      }
      this.#makeDirectory(dirname(target));
      for (let namesake = 1; namesake <= MOST_NAMESAKES; namesake++) {
        const path = namesake === 1 ? target : target.replace(/\.dcm$/, `~${namesake}.dcm`);
        if (!this.#files.exists(path) && await this.#putThere(entry, instance, path)) {
          toSync.add(dirname(path));
          return namesake === 1
            ? this.#stored(path, "stored", false)
            : this.#stored(path, "stored beside another instance of the same UID", true);
        }
        if (!await this.#isSame(instance, path)) continue;
        // Its name may not be on the disk yet: an earlier attempt may have ended before the sync.
        toSync.add(dirname(path));
        return this.#stored(path, "was there already", false);
      }
      const name = this.#tellPaths ? target : "this one's";
      return {
        kind: "refused",
        reason: `${MOST_NAMESAKES} different files of the name ${name} exist`,
      };
    } finally {
      instance.close();
    }
  }

  async #target(instance: StoredInstance): Promise<string> {
    const { identification } = await instance.identify();
    const path = archivePath(this.#path, identification, instance.meta.sopInstanceUid);
    // Belt and braces: a defect in the names must not become a file elsewhere.
    if (relative(this.#path, path).split(/[\\/]/).length !== 4) {
      throw new Error(`Defect: ${path} is not four levels below ${this.#path}`);
    }
    return path;
  }

  #makeDirectory(directory: string): void {
    if (this.#files.exists(directory)) return;
    if (directory !== this.#path) this.#makeDirectory(dirname(directory));
    // One of that name may have been there before, until a person removed it.
    this.#durable.delete(directory);
    this.#files.makeDirectory(directory);
  }

  /**
   * Syncs the folders that names were put into, and the first time those above, whoever made them: an attempt that ended
   * before its sync leaves them in place and not on the disk.
   */
  async #sync(directories: ReadonlySet<string>): Promise<void> {
    const all = new Set(directories);
    for (const directory of directories) {
      for (let at = directory; at !== this.#path && !this.#durable.has(at);) {
        at = dirname(at);
        all.add(at);
      }
    }
    for (const directory of all) await this.#files.syncDirectory(directory);
    if (all.size > 0 && !this.#durable.has(this.#path)) await syncAbove(this.#files, this.#path);
    if (this.#durable.size > MOST_REMEMBERED) this.#durable.clear();
    for (const directory of all) this.#durable.add(directory);
  }

  /** False where somebody else took the name meanwhile. */
  async #putThere(entry: Entry, instance: StoredInstance, to: string): Promise<boolean> {
    // Under the name it has now: another destination may have taken it since it was opened.
    const from = entry.path;
    if (this.#links) {
      try {
        this.#files.link(from, to);
        // One file under two names: whoever writes into the archived one would damage the one that waits.
        this.#files.protect(to);
        return true;
      } catch (error) {
        if (error instanceof Deno.errors.AlreadyExists) return false;
        // What is held can be copied, perhaps, and the next one be linked.
        if (!isHeld(error)) {
          if (!cannotLink(error)) throw error;
          this.#links = false;
        }
      }
    }
    // A name of its own: another destination, or another forwarder, may be copying to the same place.
    const part = `${to}.${this.name}-${entry.base}.part`;
    // A scanner looks at each new copy for a while: another one would only be looked at again.
    if (!this.#copied.has(part) || !await this.#isSame(instance, part)) {
      this.#copied.delete(part);
      await copyFile(this.#files, from, part);
      if (this.#copied.size > MOST_REMEMBERED) this.#copied.clear();
      this.#copied.add(part);
    }
    if (this.#files.exists(to)) {
      this.#files.remove(part);
      this.#copied.delete(part);
      return false;
    }
    this.#files.rename(part, to);
    this.#copied.delete(part);
    return true;
  }

  #stored(path: string, answer: string, warning: boolean): Outcome {
    const where = this.#tellPaths ? `${answer} as ${path}` : answer;
    return { kind: "delivered", answer: where, brief: answer, warning };
  }

  /** By the commit records, and by what the file really holds: a damaged copy is no copy. */
  async #isSame(instance: StoredInstance, path: string): Promise<boolean> {
    let there: StoredInstance;
    try {
      there = StoredInstance.open(this.#files, path);
    } catch (error) {
      if (error instanceof CorruptError) return false;
      throw error;
    }
    try {
      return there.record.crc32 === instance.record.crc32 &&
        there.record.dataSetLength === instance.record.dataSetLength && await there.readThrough();
    } finally {
      there.close();
    }
  }
}

/** The disk is full, read-only or failing, or file handles are short: no instance fares better than this one. */
function concernsAll(error: unknown): boolean {
  if (error instanceof DestinationError) return true;
  const code = systemErrorCode(error);
  return ["ENOSPC", "EDQUOT", "EROFS", "EMFILE", "ENFILE", "EIO"].includes(code);
}

/** Another volume, or a file system without hard links: reasons that will not pass. */
function cannotLink(error: unknown): boolean {
  if (error instanceof Deno.errors.NotSupported) return true;
  const code = systemErrorCode(error);
  // On Windows: ERROR_NOT_SAME_DEVICE (17), ERROR_INVALID_FUNCTION (1).
  return ["EXDEV", "EPERM", "EOPNOTSUPP", "ENOTSUP", "ENOSYS", "EMLINK"].includes(code) ||
    (error instanceof Error && /os error (17|1)\)/.test(error.message) &&
      Deno.build.os === "windows");
}
