/*
 * The file operations the spool is made of, as a small port, and the real ones.
 *
 * Owns nothing. Calls that only touch the page cache or a directory entry are synchronous: on a local disk they cost less
 * than a turn of the event loop. What waits for the disk (sync) is not. Errors are the runtime's own.
 */

import { statfsSync } from "node:fs";
import { dirname } from "node:path";

export interface SpoolFile {
  /** Writes all of `bytes` at the current position. */
  write(bytes: Uint8Array): void;
  /** Reads at the current position; the number of bytes, 0 at the end. */
  read(into: Uint8Array): number;
  /** The same without blocking: for files that may have to come from the disk. */
  readLater(into: Uint8Array): Promise<number>;
  /** Sets the position, in bytes from the start. */
  seek(offset: number): void;
  /** In bytes. */
  size(): number;
  /** Cuts the file to a length, in bytes. */
  truncate(length: number): void;
  /** How many names the file has; undefined where that is not told (Windows). */
  links(): number | undefined;
  /** Waits until the file's data, and what is needed to find it, is on the disk (fdatasync). */
  syncData(): Promise<void>;
  close(): void;
}

export interface FileSystem {
  /**
   * `create`: the file must not exist. `append`: it is made where it does not, and every write goes to its end. `update`: it
   * must exist, and is read and written from its beginning.
   */
  open(path: string, mode: "read" | "create" | "append" | "update"): SpoolFile;
  /** Atomic; an existing target is replaced. */
  rename(from: string, to: string): void;
  /** A second name for the same file. */
  link(existing: string, name: string): void;
  /** Takes the right to write into a file away, where the system has such rights. */
  protect(path: string): void;
  remove(path: string): void;
  /** The same without blocking: giving back the space of a large file can take a while. */
  removeLater(path: string): Promise<void>;
  /**
   * Makes an empty file that must not exist, and opens it for writing, without blocking. Its name is durable once the
   * directory is synced.
   */
  createLater(path: string): Promise<SpoolFile>;
  makeDirectory(path: string): void;
  /** Names in a directory, in any order; none where it does not exist or is none. */
  list(path: string): Iterable<string>;
  /** The same without blocking or holding the names: `take` gets each. For a folder in which nothing moves meanwhile. */
  listLater(path: string, take: (name: string) => void): Promise<void>;
  /** Waits until a directory's entries are on the disk. Does nothing where the system cannot (Windows). */
  syncDirectory(path: string): Promise<void>;
  exists(path: string): boolean;
  /** A file's length in bytes and how many names it has; the latter undefined where it is not told (Windows). */
  measure(path: string): { readonly size: number; readonly links: number | undefined };
  /** Bytes an unprivileged process can still write; undefined where the system does not say. */
  freeBytes(path: string): number | undefined;
}

class RealFile implements SpoolFile {
  readonly #file: Deno.FsFile;

  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const written = this.#file.writeSync(at === 0 ? bytes : bytes.subarray(at));
      if (written === 0) throw new Error("Cannot write: the system took 0 bytes");
      at += written;
    }
  }

  read(into: Uint8Array): number {
    return this.#file.readSync(into) ?? 0;
  }

  async readLater(into: Uint8Array): Promise<number> {
    return await this.#file.read(into) ?? 0;
  }

  seek(offset: number): void {
    this.#file.seekSync(offset, Deno.SeekMode.Start);
  }

  size(): number {
    return this.#file.statSync().size;
  }

  truncate(length: number): void {
    this.#file.truncateSync(length);
  }

  links(): number | undefined {
    return linksTold(this.#file.statSync());
  }

  syncData(): Promise<void> {
    return this.#file.syncData();
  }

  close(): void {
    this.#file.close();
  }
}

const OPEN: Readonly<Record<Parameters<FileSystem["open"]>[1], Deno.OpenOptions>> = {
  read: { read: true },
  create: { read: true, write: true, createNew: true, mode: 0o600 },
  append: { read: true, append: true, create: true, mode: 0o600 },
  update: { read: true, write: true },
};

function isFolder(path: string): boolean {
  try {
    return Deno.lstatSync(path).isDirectory;
  } catch {
    return false;
  }
}

/**
 * How many names a file has. Never told of Windows, though the runtime knows it there: a file is written over only where its
 * new name can be brought to the disk before, and Windows syncs no directory.
 */
export function linksTold(
  { nlink }: { readonly nlink: number | null },
  system: typeof Deno.build.os = Deno.build.os,
): number | undefined {
  return system === "windows" ? undefined : nlink ?? undefined;
}

/** Whether a listing failed because there is no such folder. */
function isNoFolder(error: unknown, path: string): boolean {
  if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
    return true;
  }
  // Windows has other errors for what is no folder.
  return Deno.build.os === "windows" && !isFolder(path);
}

/** The operating system's files. */
export const realFileSystem: FileSystem = {
  open(path, mode) {
    try {
      return new RealFile(Deno.openSync(path, OPEN[mode]));
    } catch (error) {
      // Windows says that access is denied, as it does of files that another program holds.
      if (Deno.build.os !== "windows" || !isFolder(path)) throw error;
      throw new Deno.errors.IsADirectory(`${path} is a folder`, { cause: error });
    }
  },
  rename: (from, to) => Deno.renameSync(from, to),
  link: (existing, name) => Deno.linkSync(existing, name),
  protect(path) {
    if (Deno.build.os !== "windows") Deno.chmodSync(path, 0o400);
  },
  remove: (path) => Deno.removeSync(path),
  removeLater: (path) => Deno.remove(path),
  async createLater(path) {
    const file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
    // Where a directory cannot be synced, syncing the new file is what makes its name durable.
    if (Deno.build.os === "windows") await file.sync();
    return new RealFile(file);
  },
  makeDirectory: (path) => Deno.mkdirSync(path, { recursive: true, mode: 0o700 }),
  *list(path) {
    try {
      for (const entry of Deno.readDirSync(path)) yield entry.name;
    } catch (error) {
      if (!isNoFolder(error, path)) throw error;
    }
  },
  async listLater(path, take) {
    try {
      for await (const entry of Deno.readDir(path)) take(entry.name);
    } catch (error) {
      if (!isNoFolder(error, path)) throw error;
    }
  },
  async syncDirectory(path) {
    if (Deno.build.os === "windows") return;
    const directory = await Deno.open(path);
    try {
      await directory.sync();
    } finally {
      directory.close();
    }
  },
  exists(path) {
    try {
      Deno.lstatSync(path);
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  },
  measure(path) {
    const info = Deno.lstatSync(path);
    // A link's own length and names say nothing of the file behind it.
    return { size: info.size, links: info.isFile ? linksTold(info) : undefined };
  },
  freeBytes(path) {
    try {
      const { bavail, bsize } = statfsSync(path);
      return bavail * bsize;
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw error;
      // A file system without the figure is treated as having room; a full one still shows in the write's own error.
      return undefined;
    }
  },
};

/** Writes a small text file anew, replacing one of that name. Not synced. */
export function replaceTextFile(files: FileSystem, path: string, text: string): void {
  if (files.exists(path)) files.remove(path);
  const file = files.open(path, "create");
  try {
    file.write(new TextEncoder().encode(text));
  } finally {
    file.close();
  }
}

/**
 * Waits until the names on the way to a directory are on the disk, its own included. Whoever made a directory could also
 * write into the one above: what this process may not open, or what cannot be written to, has nothing to sync.
 */
export async function syncAbove(files: FileSystem, directory: string): Promise<void> {
  for (let at = directory; dirname(at) !== at;) {
    at = dirname(at);
    try {
      await files.syncDirectory(at);
    } catch (error) {
      const denied = error instanceof Deno.errors.PermissionDenied ||
        error instanceof Deno.errors.NotCapable;
      const code = systemErrorCode(error);
      if (!denied && code !== "EINVAL" && code !== "EROFS") throw error;
    }
  }
}

/** Reads until `into` is full or the file ends: a read may give less than there is. The number of bytes. */
export function readFully(file: SpoolFile, into: Uint8Array): number {
  let at = 0;
  for (let got = -1; got !== 0 && at < into.length; at += got) got = file.read(into.subarray(at));
  return at;
}

/** Copies a file and waits until the copy's data is on the disk. A file of the target's name is replaced. */
export async function copyFile(files: FileSystem, from: string, to: string): Promise<void> {
  if (files.exists(to)) files.remove(to);
  const source = files.open(from, "read");
  try {
    const copy = files.open(to, "create");
    try {
      const buffer = new Uint8Array(256 * 1024);
      for (;;) {
        const got = await source.readLater(buffer);
        if (got === 0) break;
        copy.write(buffer.subarray(0, got));
      }
      await copy.syncData();
    } finally {
      copy.close();
    }
  } finally {
    source.close();
  }
}

/**
 * Writes, syncs and reads back a small file: a disk that cannot do this cannot keep an image.
 *
 * @throws what the file system throws, or an Error where other bytes come back
 */
export async function probeDisk(files: FileSystem, path: string, nonce: number): Promise<void> {
  const wanted = new TextEncoder().encode(`probe ${nonce}\n`);
  if (files.exists(path)) files.remove(path);
  const file = files.open(path, "create");
  try {
    file.write(wanted);
    await file.syncData();
    file.seek(0);
    const found = new Uint8Array(wanted.length);
    if (file.read(found) !== wanted.length || found.some((byte, n) => byte !== wanted[n])) {
      throw new Error(`${path} reads back other than it was written`);
    }
  } finally {
    file.close();
  }
  files.remove(path);
}

/**
 * Renames so that the old name is gone afterwards. Where both names are one file already (a second name made before a
 * crash), POSIX rename does nothing at all.
 */
export function renameAway(files: FileSystem, from: string, to: string): void {
  files.rename(from, to);
  // Where the new name is not there, another process has moved the file back meanwhile: that is all there is of it.
  if (files.exists(from) && files.exists(to)) files.remove(from);
}

/** What a full quota is called in numbers; the runtime has names for other errors, none for this. */
const QUOTA_EXCEEDED: Partial<Record<typeof Deno.build.os, number>> = {
  linux: 122,
  darwin: 69,
  windows: 1295,
};

/** The system's name for an error, such as ENOSPC; empty where it is none of the system's. */
export function systemErrorCode(error: unknown): string {
  if (!(error instanceof Error)) return "";
  if ("code" in error && typeof error.code === "string") return error.code;
  const number = /\(os error (\d+)\)/.exec(error.message)?.[1];
  if (number === undefined) return "";
  return Number(number) === QUOTA_EXCEEDED[Deno.build.os] ? "EDQUOT" : `os error ${number}`;
}

/** True for the errors of a disk or a quota that is full. */
export function isOutOfRoom(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes(systemErrorCode(error));
}

/** Gives a file a second name, on the disk when the promise resolves; a copy where there are no hard links. */
export async function secondName(
  files: FileSystem,
  from: string,
  to: string,
  directory: string,
): Promise<void> {
  await secondNameUnsynced(files, from, to);
  await files.syncDirectory(directory);
}

/** The same for who syncs the directory afterwards, once for many. */
export async function secondNameUnsynced(
  files: FileSystem,
  from: string,
  to: string,
): Promise<void> {
  const part = `${to}.part`;
  if (files.exists(part)) files.remove(part);
  try {
    // What has that name already stays until the other takes its place: there may be nothing to take it.
    files.link(from, files.exists(to) ? part : to);
  } catch {
    // The copy takes shape under a name that is not yet an instance's.
    await copyFile(files, from, part);
  }
  if (files.exists(part)) renameAway(files, part, to);
}
