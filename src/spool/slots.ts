/*
 * Slots: files made ahead of time whose names are already on the disk, so that committing an instance costs one sync of
 * its data and none of a directory.
 *
 * Owns the names in `incoming/`. A slot is an empty file, or one that was delivered and has been given a slot's name: a file
 * system is slow to make files while it still remembers many that were removed, and writing over a file costs it less than
 * writing anew. Such a file holds its former instance until it is written over; the commit record tells one from the other.
 * Making slots that fails is not fatal: whoever wants one then hears why.
 */

import { dirname, join } from "node:path";
import { formatSlot, readCommitRecord } from "./commit_record.ts";
import { PREAMBLE_LENGTH } from "../dicom/part10.ts";
import { type FileSystem, readFully, type SpoolFile } from "./file_system.ts";

/** Made together, with one directory sync. */
const BATCH = 32;
/** New ones are made when so few are left. */
const LOW = 16;
/** So many used files are worth a batch of their own. */
const ENOUGH_USED = 16;
/** Delivered files kept to become slots, at most. */
const MOST_USED = 64;
/** The longest that is kept, in bytes: making a file costs little beside writing a longer one. */
export const LONGEST_USED = 2 * 1024 * 1024;
/** What all of them take at most, in bytes. */
export const USED_ROOM = MOST_USED * LONGEST_USED;

/** A file whose name is on the disk, open for writing at its beginning. */
export interface Slot {
  readonly path: string;
  /** Its name, for the commit record. */
  readonly name: string;
  readonly file: SpoolFile;
  /** Bytes of a former instance that the file still holds. */
  readonly used: number;
}

/** A delivered file under a slot's name, which is not yet sure to be on the disk. */
interface Used {
  readonly name: string;
  readonly path: string;
  /** The folder it came from. */
  readonly from: string;
  /** In bytes. */
  readonly size: number;
}

export class Slots {
  readonly #files: FileSystem;
  readonly #directory: string;
  /** Distinguishes this process's slots from those of earlier ones. */
  #prefix: number;
  #next = 0;
  #ready: Slot[] = [];
  #used: Used[] = [];
  #making: Promise<void> | undefined;
  #closed = false;

  /** @param now when this process began, in ms since 1970 */
  constructor(files: FileSystem, directory: string, now: number) {
    this.#files = files;
    this.#directory = directory;
    this.#prefix = now;
  }

  /**
   * Takes no name again that a slot has had, whatever the clock says: where the move of that slot into the queue is not yet
   * on the disk, and the new file of its name is, a power cut would leave the instance no name at all.
   */
  sawName(name: string): void {
    this.#prefix = Math.max(this.#prefix, Number(name.split("-", 1)[0]) + 1);
  }

  /** A file of our own to write into. */
  async take(): Promise<Slot> {
    for (;;) {
      const slot = this.#ready.pop();
      if (slot !== undefined) {
        if (this.#ready.length < LOW) {
          // A failure shows to whoever finds no slot left; until then there is nothing to tell.
          this.fill().catch(() => {});
        }
        return slot;
      }
      await this.fill();
    }
  }

  /**
   * Takes a file that nobody needs any more, to make a slot of it. What has a second name is somebody else's, too, and must
   * never be written into.
   *
   * @param mayBeOld whether an older version may have received it, which told no slot: a start after a kill would take such
   *   a file in `incoming/` for an instance that waits
   * @returns false where it is not taken; it is to be removed then
   */
  takeUsed(path: string, mayBeOld: boolean): boolean {
    if (this.#closed || this.#used.length >= MOST_USED) return false;
    try {
      const { size, links } = this.#files.measure(path);
      if (links !== 1 || size > LONGEST_USED) return false;
      if (mayBeOld && !this.#tellsSlot(path)) return false;
      const name = this.#newName();
      const used = { name, path: join(this.#directory, name), from: dirname(path), size };
      this.#files.rename(path, used.path);
      this.#used.push(used);
      return true;
    } catch {
      // Whoever removes it meets the same error, and tells.
      return false;
    }
  }

  /** Removes the delivered files that were to become slots. */
  dropUsed(): void {
    for (const { path } of this.#used.splice(0)) this.#remove(path);
  }

  /** Makes a batch of slots unless one is being made. Nothing is made any more after `clear`. */
  fill(): Promise<void> {
    if (this.#closed) return Promise.reject(new Error("The spool is closed: it has no more slots"));
    this.#making ??= this.#make().finally(() => this.#making = undefined);
    return this.#making;
  }

  async #make(): Promise<void> {
    const made: Slot[] = [];
    try {
      const folders = this.#makeOfUsed(made);
      const wanted = made.length < ENOUGH_USED ? BATCH : made.length;
      while (made.length < wanted && await this.#makeOne(made));
      await this.#files.syncDirectory(this.#directory);
      // Of a used file the former name must be gone as well: it would promise what the file then holds no more.
      for (const folder of folders) await this.#files.syncDirectory(folder);
    } catch (error) {
      this.#drop(made);
      throw error;
    }
    this.#ready.push(...made);
  }

  /** Opens used files. The folders they came from. */
  #makeOfUsed(made: Slot[]): Set<string> {
    const folders = new Set<string>();
    for (const used of this.#used.splice(0, BATCH)) {
      const slot = this.#openUsed(used);
      if (slot === undefined) {
        this.#remove(used.path);
        continue;
      }
      made.push(slot);
      folders.add(used.from);
    }
    return folders;
  }

  #tellsSlot(path: string): boolean {
    const file = this.#files.open(path, "read");
    try {
      return slotTold(file) !== "";
    } finally {
      file.close();
    }
  }

  /** Undefined where the file is not to be written into. */
  #openUsed({ name, path, size }: Used): Slot | undefined {
    let file: SpoolFile;
    try {
      file = this.#files.open(path, "update");
    } catch {
      return undefined;
    }
    try {
      // A record that names no slot, or this one, could be taken for what is going to be written here.
      if (file.links() === 1 && !["", name].includes(slotTold(file))) {
        file.seek(0);
        return { name, path, file, used: size };
      }
    } catch {
      // It is removed, then, and another one made.
    }
    file.close();
    return undefined;
  }

  #newName(): string {
    return formatSlot(this.#prefix, this.#next++);
  }

  /** False where no more can be made: some of those there are serve all the same. Throws where there is none. */
  async #makeOne(made: Slot[]): Promise<boolean> {
    const name = this.#newName();
    const path = join(this.#directory, name);
    try {
      made.push({ name, path, file: await this.#files.createLater(path), used: 0 });
      return true;
    } catch (error) {
      if (made.length < 2) throw error;
      // Where no more files may be open, connections and the directory's sync need some, too.
      this.#drop(made.splice(made.length >>> 1));
      return false;
    }
  }

  /** Makes no more slots and removes those not taken. */
  async clear(): Promise<void> {
    this.#closed = true;
    try {
      await this.#making;
    } catch {
      // Whoever wanted one of them has heard why; here it only matters that none is made any more.
    }
    this.#drop(this.#ready);
    this.#ready = [];
    this.dropUsed();
  }

  #drop(slots: readonly Slot[]): void {
    for (const { path, file } of slots) {
      file.close();
      this.#remove(path);
    }
  }

  #remove(path: string): void {
    try {
      this.#files.remove(path);
    } catch {
      // Gone already, or a file nobody needs that the next start removes.
    }
  }
}

/** The slot that a file's record names, read from where the file stands; empty where there is none. */
function slotTold(file: SpoolFile): string {
  const head = new Uint8Array(PREAMBLE_LENGTH);
  const record = readFully(file, head) === head.length ? readCommitRecord(head) : undefined;
  return record?.slot ?? "";
}
