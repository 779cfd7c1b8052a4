/*
 * What a power cut may leave of a traced run: the disks that are possible after each of its operations.
 *
 * Three models of what a file system does with operations that were not synced:
 *
 *     ordered    journaled metadata: directories come back as they were at some moment since the last sync of any;
 *                unsynced bytes are there or not
 *     unordered  any of the directory operations since a directory's own last sync; a rename across directories may leave
 *                both names, never none; unsynced bytes may be missing, zeros, or the file too short
 *     torn       as unordered, and unsynced bytes come in blocks of 512 or 4,096, or end in the middle of one
 *
 * All combinations where they are few, seeded samples where they are many. An operation on what is not there in the state
 * being built does nothing.
 */

import {
  changed,
  type ContentOperation,
  type DirectoryOperation,
  Disk,
  type Inode,
  overwritten,
} from "./sim_disk.ts";
import type { TraceOperation } from "./sim_files.ts";

export const MODELS = ["ordered", "unordered", "torn"] as const;
export type Model = typeof MODELS[number];

/** Numbers from 0 (inclusive) to 1 (exclusive). */
export type Random = () => number;

/** A traced run: the disk it began with, all of it synced, and what was done to it. */
export interface Recording<M> {
  readonly base: Disk;
  readonly trace: readonly TraceOperation<M>[];
}

/** Marsaglia's xorshift of 32 bits, seeded. */
export function seededRandom(seed: number): Random {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x6d2b79f5) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** A directory operation, and whether a sync makes sure of it. */
interface Change {
  readonly operation: DirectoryOperation;
  readonly sure: boolean;
  /** Of a rename: whether the old name is sure to be gone. */
  readonly oldNameGone: boolean;
}

/** A file with bytes that no sync covers. */
interface Unsynced {
  readonly inode: Inode;
  readonly synced: Uint8Array;
  readonly writes: readonly ContentOperation[];
}

interface Moment {
  readonly changes: readonly Change[];
  /** Of those, how many a journal is sure to have; in the ordered model. */
  readonly journaled: number;
  readonly contents: ReadonlyMap<Inode, Uint8Array>;
  readonly unsynced: readonly Unsynced[];
}

/** Of operations of one kind in a row, as when folders are made, one in so many is a moment of its own. */
const DULL_RUN = 8;

/** The moments a power cut can come at: before operations that change something, and at the end. */
export function crashPoints<M>({ trace }: Recording<M>): number[] {
  const points: number[] = [];
  let run = 0;
  for (let at = 0; at < trace.length; at++) {
    const { kind } = trace[at]!;
    const dull = (kind === "makeDirectory" || kind === "create") && trace[at - 1]?.kind === kind;
    run = dull ? run + 1 : 0;
    if (kind !== "mark" && run % DULL_RUN === 0) points.push(at);
  }
  return [...points, trace.length];
}

/** What was promised by then. */
export function marksBefore<M>(trace: readonly TraceOperation<M>[], point: number): M[] {
  return trace.slice(0, point).flatMap((one) => one.kind === "mark" ? [one.mark] : []);
}

/** Disks possible after a power cut at a point of the trace, at most `cap` of them. Some may be equal. */
export function* crashStates<M>(
  recording: Recording<M>,
  point: number,
  model: Model,
  cap: number,
  random: Random,
): Generator<Disk> {
  const moment = momentAt(recording, point);
  const variants = moment.unsynced.map((file) => variantsOf(file, model, random));
  const sizes = variants.map((contents) => contents.length);
  if (model === "ordered") {
    const { changes, journaled } = moment;
    for (const choice of choices([changes.length - journaled + 1, ...sizes], cap, random)) {
      const disk = new Disk(recording.base);
      for (const { operation } of changes.slice(0, journaled + choice[0]!)) disk.apply(operation);
      yield withContents(disk, moment, variants, choice.slice(1));
    }
    return;
  }
  const open = moment.changes.filter((change) => !change.sure).length;
  const oldNames = moment.changes.filter((change) => !change.oldNameGone).length;
  const twos = new Array<number>(open + oldNames).fill(2);
  for (const choice of choices([...twos, ...sizes], cap, random)) {
    const disk = new Disk(recording.base);
    let at = 0;
    for (const change of moment.changes) {
      const done = change.sure || choice[at++] === 1;
      const gone = change.oldNameGone || choice[at++] === 1;
      if (done) applyPart(disk, change, gone);
    }
    yield withContents(disk, moment, variants, choice.slice(at));
  }
}

function applyPart(disk: Disk, { operation, sure }: Change, gone: boolean): void {
  if (operation.kind !== "rename") return disk.apply(operation);
  const { from, fromName, directory, name, inode } = operation;
  if (!sure && !disk.has(from, fromName, inode)) return;
  if (disk.put(directory, name, inode) && gone) disk.take(from, fromName, inode);
}

function withContents(
  disk: Disk,
  { contents, unsynced }: Moment,
  variants: readonly (readonly Uint8Array[])[],
  choice: readonly number[],
): Disk {
  for (const [inode, bytes] of contents) disk.setContent(inode, bytes);
  unsynced.forEach(({ inode }, n) => disk.setContent(inode, variants[n]![choice[n]!]!));
  return disk;
}

function momentAt<M>({ base, trace }: Recording<M>, point: number): Moment {
  // Until where in the trace each directory and each file is synced.
  const syncedUntil = new Map<Inode, number>();
  const lostUntil = new Map<Inode, number[]>();
  for (let at = 0; at < point; at++) {
    const operation = trace[at]!;
    if (operation.kind === "syncData" || operation.kind === "syncDirectory") {
      const { inode, since } = operation;
      syncedUntil.set(inode, Math.max(since, syncedUntil.get(inode) ?? 0));
    } else if (operation.kind === "syncFailed") {
      lostUntil.set(operation.inode, [...lostUntil.get(operation.inode) ?? [], operation.since]);
    }
  }
  const isSynced = (inode: Inode, at: number) => at < (syncedUntil.get(inode) ?? 0);
  const changes: Change[] = [];
  let journaled = 0;
  const writes = new Map<Inode, { operation: ContentOperation; synced: boolean }[]>();
  for (let at = 0; at < point; at++) {
    const operation = trace[at]!;
    if (operation.kind === "write" || operation.kind === "truncate") {
      const { inode } = operation;
      // A failed sync gave these bytes up: what a later one says does not concern them.
      const lost = (lostUntil.get(inode) ?? []).some((since) => at < since);
      const list = writes.get(inode) ?? [];
      list.push({ operation, synced: !lost && isSynced(inode, at) });
      writes.set(inode, list);
    } else if ("directory" in operation) {
      const there = isSynced(operation.directory, at);
      const across = operation.kind === "rename" && operation.from !== operation.directory;
      const oldNameGone = !across || isSynced(operation.from, at);
      const sure = there || (across && oldNameGone);
      changes.push({ operation, sure, oldNameGone });
      if (sure) journaled = changes.length;
    }
  }
  const contents = new Map<Inode, Uint8Array>();
  const unsynced: Unsynced[] = [];
  for (const [inode, list] of writes) {
    let content = base.content(inode);
    for (const { operation, synced } of list) {
      if (synced) content = changed(content, operation);
    }
    contents.set(inode, content);
    const open = list.filter((write) => !write.synced).map((write) => write.operation);
    if (open.length > 0) unsynced.push({ inode, synced: content, writes: open });
  }
  return { changes, journaled, contents, unsynced };
}

/** What may be in a file, from nothing of the unsynced to all of it. */
function variantsOf({ synced, writes }: Unsynced, model: Model, random: Random): Uint8Array[] {
  const after = (list: readonly ContentOperation[]) => list.reduce(changed, synced);
  const all = after(writes);
  if (model === "ordered") return [synced, all];
  const grown = overwritten(new Uint8Array(all.length), 0, synced);
  // What was synced stays, and so does the length it had.
  const shortened = (length: number) => all.subarray(0, Math.max(synced.length, length));
  if (model === "unordered") {
    const missing = writes.length === 1 ? [] : writes.flatMap((_, n) => {
      const without = after(writes.filter((_, other) => other !== n));
      return [without, overwritten(new Uint8Array(all.length), 0, without)];
    });
    return [synced, grown, shortened(Math.floor(random() * all.length)), ...missing, all];
  }
  const torn: Uint8Array[] = [];
  for (const block of [512, 4096]) {
    const blocks = Math.ceil(all.length / block);
    const cut = shortened(Math.floor(random() * blocks) * block);
    torn.push(cut, overwritten(new Uint8Array(all.length), 0, cut));
    const some = grown.slice();
    for (let n = 0; n < blocks; n++) {
      if (random() < 0.5) some.set(all.subarray(n * block, (n + 1) * block), n * block);
    }
    torn.push(some);
  }
  // The last write in the middle of a block, as of the commit record over a preamble.
  const last = writes.at(-1)!;
  if (last.kind === "write") {
    const before = overwritten(new Uint8Array(all.length), 0, after(writes.slice(0, -1)));
    const part = last.bytes.subarray(0, Math.floor(random() * last.bytes.length));
    torn.push(overwritten(before, last.offset, part));
  }
  return [synced, ...torn, all];
}

/** All combinations of a number below each size, or `cap` of them: the outermost, those next to them, and random ones. */
function* choices(sizes: readonly number[], cap: number, random: Random): Generator<number[]> {
  if (sizes.reduce((product, size) => product * size, 1) <= cap) {
    const choice = sizes.map(() => 0);
    for (;;) {
      yield [...choice];
      let at = 0;
      while (at < sizes.length && ++choice[at]! === sizes[at]) choice[at++] = 0;
      if (at === sizes.length) return;
    }
  }
  const least = sizes.map(() => 0);
  const most = sizes.map((size) => size - 1);
  yield least;
  yield most;
  for (let n = 2; n < cap; n++) {
    const at = Math.floor(random() * sizes.length);
    const kind = random();
    if (kind < 0.25) yield least.with(at, most[at]!);
    else if (kind < 0.5) yield most.with(at, 0);
    else {
      const share = random();
      yield sizes.map((size) => random() < share ? Math.floor(random() * size) : size - 1);
    }
  }
}
