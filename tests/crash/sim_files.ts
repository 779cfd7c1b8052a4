/*
 * A file system in memory that writes down every operation that changes it, so that it can be asked afterwards what a
 * power cut at any moment may have left (`crash_states.ts`).
 *
 * Behaves as a POSIX file system does to a program that runs on it. Nothing here is lost by itself: what has been synced
 * is worked out from the trace. Deterministic: no clock, no randomness; what is asynchronous takes one turn.
 */

import type { FileSystem, SpoolFile } from "../../src/spool/file_system.ts";
import type { Operation } from "../helpers/faulty_files.ts";
import {
  type ContentOperation,
  type DirectoryOperation,
  Disk,
  type Inode,
  ROOT,
} from "./sim_disk.ts";

/**
 * A sync covers what was done before it was asked for, and is good from where it stands in the trace. After one that
 * failed, the writes before it never reach the disk, whatever a later sync says.
 */
export interface SyncOperation {
  readonly kind: "syncData" | "syncFailed" | "syncDirectory";
  readonly inode: Inode;
  /** Where in the trace it was asked for. */
  readonly since: number;
}

/** Something that the program has promised by now. */
export interface MarkOperation<M> {
  readonly kind: "mark";
  readonly mark: M;
}

export type TraceOperation<M> =
  | DirectoryOperation
  | ContentOperation
  | SyncOperation
  | MarkOperation<M>;

export class SimFiles<M = never> implements FileSystem {
  /** Asked before an operation; an error is thrown instead of doing it. */
  fault: (operation: Operation, path: string) => Error | undefined = () => undefined;
  /** Where true, the sync of a file does not end: for a program that is killed in it. */
  hangs = false;
  trace: TraceOperation<M>[] = [];
  readonly disk: Disk;
  /** Directories are never removed nor renamed by the program: a path once found stays found. */
  readonly #known = new Map<string, Inode>([["", ROOT]]);

  constructor(disk = new Disk()) {
    this.disk = disk;
  }

  /** Writes down that something has been promised. */
  mark(mark: M): void {
    this.trace.push({ kind: "mark", mark });
  }

  open(path: string, mode: Parameters<FileSystem["open"]>[1]): SpoolFile {
    this.#check("open", path);
    if (mode === "create") return this.#create(path);
    const inode = this.#find(path);
    if (inode !== undefined) return this.#handle(path, inode, mode === "append");
    if (mode === "append") return this.#create(path);
    throw notFound(path);
  }

  async createLater(path: string): Promise<SpoolFile> {
    await turn();
    this.#check("open", path);
    return this.#create(path);
  }

  #create(path: string): SpoolFile {
    const { directory, name } = this.#parent(path);
    if (this.disk.entries(directory)!.has(name)) throw alreadyExists(path);
    const inode = this.disk.newInode();
    this.#change({ kind: "create", directory, name, inode });
    return this.#handle(path, inode);
  }

  #handle(path: string, inode: Inode, appends = false): SpoolFile {
    if (this.disk.isDirectory(inode)) throw systemError(Deno.errors.IsADirectory, "EISDIR", path);
    let at = 0;
    const read = (into: Uint8Array) => {
      this.#check("read", path);
      const found = this.disk.content(inode).subarray(at, at + into.length);
      into.set(found);
      at += found.length;
      return found.length;
    };
    return {
      write: (bytes) => {
        this.#check("write", path);
        if (appends) at = this.disk.content(inode).length;
        const operation = { kind: "write", inode, offset: at, bytes: bytes.slice() } as const;
        this.trace.push(operation);
        this.disk.change(operation);
        at += bytes.length;
      },
      truncate: (length) => {
        this.#check("truncate", path);
        const operation = { kind: "truncate", inode, length } as const;
        this.trace.push(operation);
        this.disk.change(operation);
      },
      links: () => this.disk.links(inode),
      read,
      readLater: async (into) => {
        await turn();
        return read(into);
      },
      seek: (offset) => {
        at = offset;
      },
      size: () => this.disk.content(inode).length,
      syncData: async () => {
        const since = this.trace.length;
        await (this.hangs ? new Promise<never>(() => {}) : turn());
        try {
          this.#check("syncData", path);
        } catch (error) {
          this.trace.push({ kind: "syncFailed", inode, since });
          throw error;
        }
        this.trace.push({ kind: "syncData", inode, since });
      },
      close: () => {},
    };
  }

  rename(from: string, to: string): void {
    this.#check("rename", to);
    const source = this.#parent(from);
    const { directory, name } = this.#parent(to);
    const inode = this.disk.entries(source.directory)!.get(source.name);
    if (inode === undefined) throw notFound(from);
    if (this.disk.has(directory, name, inode)) return;
    this.#change({
      kind: "rename",
      directory,
      name,
      from: source.directory,
      fromName: source.name,
      inode,
    });
  }

  link(existing: string, to: string): void {
    this.#check("link", to);
    const inode = this.#find(existing);
    if (inode === undefined) throw notFound(existing);
    const { directory, name } = this.#parent(to);
    if (this.disk.entries(directory)!.has(name)) throw alreadyExists(to);
    this.#change({ kind: "link", directory, name, inode });
  }

  protect(path: string): void {
    if (this.#find(path) === undefined) throw notFound(path);
  }

  remove(path: string): void {
    this.#check("remove", path);
    const { directory, name } = this.#parent(path);
    const inode = this.disk.entries(directory)!.get(name);
    if (inode === undefined) throw notFound(path);
    if (this.disk.isDirectory(inode)) throw systemError(Deno.errors.IsADirectory, "EISDIR", path);
    this.#change({ kind: "remove", directory, name, inode });
  }

  async removeLater(path: string): Promise<void> {
    await turn();
    this.remove(path);
  }

  makeDirectory(path: string): void {
    this.#check("makeDirectory", path);
    const names = namesOf(path);
    let directory = ROOT;
    for (const name of names) {
      let inode = this.disk.entries(directory)!.get(name);
      if (inode === undefined) {
        inode = this.disk.newInode();
        this.#change({ kind: "makeDirectory", directory, name, inode });
      } else if (!this.disk.isDirectory(inode)) throw alreadyExists(path);
      directory = inode;
    }
  }

  list(path: string): Iterable<string> {
    try {
      const inode = this.#find(path);
      return inode === undefined ? [] : [...(this.disk.entries(inode)?.keys() ?? [])];
    } catch (error) {
      if (error instanceof Deno.errors.NotADirectory) return [];
      throw error;
    }
  }

  async listLater(path: string, take: (name: string) => void): Promise<void> {
    await turn();
    for (const name of this.list(path)) take(name);
  }

  async syncDirectory(path: string): Promise<void> {
    const since = this.trace.length;
    await turn();
    this.#check("syncDirectory", path);
    const inode = this.#find(path);
    if (inode === undefined) throw notFound(path);
    this.trace.push({ kind: "syncDirectory", inode, since });
  }

  exists(path: string): boolean {
    return this.#find(path) !== undefined;
  }

  measure(path: string): ReturnType<FileSystem["measure"]> {
    const inode = this.#find(path);
    if (inode === undefined) throw notFound(path);
    return { size: this.disk.content(inode).length, links: this.disk.links(inode) };
  }

  freeBytes(): number {
    return 2 ** 40;
  }

  /** A file's bytes; undefined where there is none. */
  contentOf(path: string): Uint8Array | undefined {
    const inode = this.#find(path);
    return inode === undefined ? undefined : this.disk.content(inode);
  }

  #check(operation: Operation, path: string): void {
    const error = this.fault(operation, path);
    if (error !== undefined) throw error;
  }

  #change(operation: DirectoryOperation): void {
    this.trace.push(operation);
    this.disk.apply(operation);
  }

  #find(path: string): Inode | undefined {
    const known = this.#known.get(path === "/" ? "" : path);
    if (known !== undefined) return known;
    const slash = path.lastIndexOf("/");
    if (slash < 0) throw new Error(`Not an absolute path: ${path}`);
    const directory = this.#find(path.slice(0, slash) || "/");
    if (directory === undefined) return undefined;
    const entries = this.disk.entries(directory);
    if (entries === undefined) throw systemError(Deno.errors.NotADirectory, "ENOTDIR", path);
    const inode = entries.get(path.slice(slash + 1));
    if (inode !== undefined && this.disk.isDirectory(inode)) this.#known.set(path, inode);
    return inode;
  }

  #parent(path: string): { directory: Inode; name: string } {
    const slash = path.lastIndexOf("/");
    const directory = this.#find(path.slice(0, slash) || "/");
    if (directory === undefined) throw notFound(path);
    if (!this.disk.isDirectory(directory)) {
      throw systemError(Deno.errors.NotADirectory, "ENOTDIR", path);
    }
    return { directory, name: path.slice(slash + 1) };
  }
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "");
}

function turn(): Promise<void> {
  return Promise.resolve();
}

function systemError(kind: new (message: string) => Error, code: string, path: string): Error {
  return Object.assign(new kind(`${code}: ${path}`), { code });
}

function notFound(path: string): Error {
  return systemError(Deno.errors.NotFound, "ENOENT", path);
}

function alreadyExists(path: string): Error {
  return systemError(Deno.errors.AlreadyExists, "EEXIST", path);
}
