/*
 * The real file system with faults at chosen calls.
 */

import { type FileSystem, realFileSystem, type SpoolFile } from "../../src/spool/file_system.ts";

/** Every operation a fault can be put on. */
export type Operation =
  | "open"
  | "write"
  | "read"
  | "syncData"
  | "truncate"
  | "rename"
  | "link"
  | "remove"
  /** Not among the calls: looking changes nothing. */
  | "list"
  | "makeDirectory"
  | "syncDirectory";

/** An error as the runtime throws it: with the system's code and number. */
export function systemError(code: string, text = "failed"): Error {
  return Object.assign(new Error(`${text} (os error 5)`), { code });
}

/** Told on every system, so that what follows from it is tried on Windows, too, which the real files tell nothing of. */
function linksOf(path: string): number | undefined {
  const { isFile, nlink } = Deno.lstatSync(path);
  return isFile ? nlink ?? undefined : undefined;
}

export class FaultyFiles implements FileSystem {
  /** Asked before each operation; an error is thrown instead of doing it. `from`: the earlier name in a rename. */
  fault: (operation: Operation, path: string, from?: string) => Error | undefined = () => undefined;
  /** Asked before each write: so many bytes of it are done, and then the error thrown. */
  cut: (path: string, length: number) => { after: number; error: Error } | undefined = () =>
    undefined;
  /** Every operation, with its path. */
  readonly calls: { operation: Operation; path: string }[] = [];
  free: number | undefined = 1 << 30;
  /** Names given by listings. */
  listed = 0;
  /** Bytes that one read gives at most. */
  mostAtOnce = Infinity;
  /** Files opened, and closed again. */
  opened = 0;
  closed = 0;

  #check(operation: Operation, path: string, from?: string): void {
    this.calls.push({ operation, path });
    const error = this.fault(operation, path, from);
    if (error !== undefined) throw error;
  }

  count(operation: Operation): number {
    return this.calls.filter((call) => call.operation === operation).length;
  }

  open(path: string, mode: Parameters<FileSystem["open"]>[1]): SpoolFile {
    this.#check("open", path);
    return this.#watched(path, realFileSystem.open(path, mode));
  }

  #watched(path: string, file: SpoolFile): SpoolFile {
    this.opened++;
    return {
      write: (bytes) => {
        this.#check("write", path);
        const cut = this.cut(path, bytes.length);
        file.write(cut === undefined ? bytes : bytes.subarray(0, cut.after));
        if (cut !== undefined) throw cut.error;
      },
      read: (into) => {
        this.#check("read", path);
        return file.read(into.subarray(0, this.mostAtOnce));
      },
      readLater: async (into) => {
        this.#check("read", path);
        return await file.readLater(into.subarray(0, this.mostAtOnce));
      },
      seek: (offset) => file.seek(offset),
      size: () => file.size(),
      truncate: (length) => {
        this.#check("truncate", path);
        file.truncate(length);
      },
      links: () => linksOf(path),
      syncData: async () => {
        this.#check("syncData", path);
        await file.syncData();
      },
      close: () => {
        this.closed++;
        file.close();
      },
    };
  }

  rename(from: string, to: string): void {
    this.#check("rename", to, from);
    realFileSystem.rename(from, to);
  }

  link(existing: string, name: string): void {
    this.#check("link", name);
    realFileSystem.link(existing, name);
  }

  protect(path: string): void {
    realFileSystem.protect(path);
  }

  remove(path: string): void {
    this.#check("remove", path);
    realFileSystem.remove(path);
  }

  async removeLater(path: string): Promise<void> {
    this.#check("remove", path);
    await realFileSystem.removeLater(path);
  }

  async createLater(path: string): Promise<SpoolFile> {
    this.#check("open", path);
    return this.#watched(path, await realFileSystem.createLater(path));
  }

  makeDirectory(path: string): void {
    this.#check("makeDirectory", path);
    realFileSystem.makeDirectory(path);
  }

  *list(path: string): Iterable<string> {
    const error = this.fault("list", path);
    if (error !== undefined) throw error;
    for (const name of realFileSystem.list(path)) {
      this.listed++;
      yield name;
    }
  }

  async listLater(path: string, take: (name: string) => void): Promise<void> {
    const error = this.fault("list", path);
    if (error !== undefined) throw error;
    await realFileSystem.listLater(path, (name) => {
      this.listed++;
      take(name);
    });
  }

  async syncDirectory(path: string): Promise<void> {
    this.#check("syncDirectory", path);
    await realFileSystem.syncDirectory(path);
  }

  exists(path: string): boolean {
    return realFileSystem.exists(path);
  }

  measure(path: string): ReturnType<FileSystem["measure"]> {
    return { ...realFileSystem.measure(path), links: linksOf(path) };
  }

  freeBytes(): number | undefined {
    return this.free;
  }
}
