/*
 * What is on a simulated disk: inodes, directories and bytes, and the operations that change them.
 *
 * A disk is cheap to copy: bytes are never changed in place, and a directory is copied when it is first written to. It
 * knows no paths and no errors; an operation on something that is not there does nothing, as it would if the operation
 * before it never reached a real disk.
 */

/** The number of a file or a directory; the root is 1. */
export type Inode = number;

export const ROOT: Inode = 1;

/** An operation that changes directories. */
export type DirectoryOperation =
  | {
    readonly kind: "makeDirectory" | "create" | "link" | "remove";
    readonly directory: Inode;
    readonly name: string;
    readonly inode: Inode;
  }
  | {
    readonly kind: "rename";
    readonly directory: Inode;
    readonly name: string;
    readonly from: Inode;
    readonly fromName: string;
    readonly inode: Inode;
  };

/** Bytes put into a file. */
export interface WriteOperation {
  readonly kind: "write";
  readonly inode: Inode;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A file cut, or made longer by zeros. */
export interface TruncateOperation {
  readonly kind: "truncate";
  readonly inode: Inode;
  readonly length: number;
}

/** An operation that changes what a file holds. */
export type ContentOperation = WriteOperation | TruncateOperation;

interface Directory {
  /** Whoever may write into these entries; anybody else makes a copy. */
  readonly owner: symbol;
  readonly entries: Map<string, Inode>;
}

const EMPTY = new Uint8Array(0);

export class Disk {
  readonly #directories: Map<Inode, Directory>;
  readonly #contents: Map<Inode, Uint8Array>;
  #next: Inode;
  #owner = Symbol();

  constructor(like?: Disk) {
    // What both have from now on belongs to neither.
    if (like !== undefined) like.#owner = Symbol();
    this.#directories = new Map(like === undefined ? [] : like.#directories);
    this.#contents = new Map(like === undefined ? [] : like.#contents);
    this.#next = like === undefined ? ROOT + 1 : like.#next;
    if (like === undefined) this.#directories.set(ROOT, { owner: this.#owner, entries: new Map() });
  }

  newInode(): Inode {
    return this.#next++;
  }

  isDirectory(inode: Inode): boolean {
    return this.#directories.has(inode);
  }

  /** What a directory holds; undefined where it is none, or never came to be. */
  entries(inode: Inode): ReadonlyMap<string, Inode> | undefined {
    return this.#directories.get(inode)?.entries;
  }

  content(inode: Inode): Uint8Array {
    return this.#contents.get(inode) ?? EMPTY;
  }

  setContent(inode: Inode, bytes: Uint8Array): void {
    this.#contents.set(inode, bytes);
    this.#next = Math.max(this.#next, inode + 1);
  }

  change(operation: ContentOperation): void {
    this.#contents.set(operation.inode, changed(this.content(operation.inode), operation));
  }

  /** Names that stand for an inode. */
  links(inode: Inode): number {
    let count = 0;
    for (const { entries } of this.#directories.values()) {
      for (const found of entries.values()) if (found === inode) count++;
    }
    return count;
  }

  /** Puts a name into a directory, whatever it stood for. False where there is no such directory. */
  put(directory: Inode, name: string, inode: Inode): boolean {
    const entries = this.#writable(directory);
    entries?.set(name, inode);
    this.#next = Math.max(this.#next, inode + 1);
    return entries !== undefined;
  }

  /** Takes a name out of a directory where it stands for this inode. */
  take(directory: Inode, name: string, inode: Inode): void {
    if (this.has(directory, name, inode)) this.#writable(directory)?.delete(name);
  }

  has(directory: Inode, name: string, inode: Inode): boolean {
    return this.#directories.get(directory)?.entries.get(name) === inode;
  }

  /** A rename onto another name of the same file does nothing at all, as POSIX has it. */
  apply(operation: DirectoryOperation): void {
    const { directory, name, inode } = operation;
    switch (operation.kind) {
      case "makeDirectory":
        if (this.put(directory, name, inode) && !this.#directories.has(inode)) {
          this.#directories.set(inode, { owner: this.#owner, entries: new Map() });
        }
        return;
      case "create":
      case "link":
        this.put(directory, name, inode);
        return;
      case "remove":
        this.take(directory, name, inode);
        return;
      case "rename":
        if (!this.has(operation.from, operation.fromName, inode)) return;
        if (this.has(directory, name, inode)) return;
        if (this.put(directory, name, inode)) this.take(operation.from, operation.fromName, inode);
        return;
    }
  }

  #writable(inode: Inode): Map<string, Inode> | undefined {
    const found = this.#directories.get(inode);
    if (found === undefined || found.owner === this.#owner) return found?.entries;
    const entries = new Map(found.entries);
    this.#directories.set(inode, { owner: this.#owner, entries });
    return entries;
  }

  /** Every name that can be reached, with its content: equal texts are equal disks. */
  fingerprint(identify: (bytes: Uint8Array) => number): string {
    const lines: string[] = [];
    const visit = (directory: Inode, path: string) => {
      for (const [name, inode] of this.entries(directory)!) {
        if (this.isDirectory(inode)) {
          lines.push(`${path}${name}/`);
          visit(inode, `${path}${name}/`);
        } else lines.push(`${path}${name} ${identify(this.content(inode))}`);
      }
    };
    visit(ROOT, "/");
    return lines.sort().join("\n");
  }
}

/** What an operation makes of a content. */
export function changed(content: Uint8Array, operation: ContentOperation): Uint8Array {
  if (operation.kind === "write") return overwritten(content, operation.offset, operation.bytes);
  return overwritten(new Uint8Array(operation.length), 0, content.subarray(0, operation.length));
}

/** Content with bytes put at an offset; a gap before them is zeros. */
export function overwritten(content: Uint8Array, offset: number, bytes: Uint8Array): Uint8Array {
  const after = new Uint8Array(Math.max(content.length, offset + bytes.length));
  after.set(content);
  after.set(bytes, offset);
  return after;
}
