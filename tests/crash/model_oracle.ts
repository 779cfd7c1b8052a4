/*
 * What must hold on every disk that a power cut can leave: the program starts on it, and of all that was promised nothing
 * is missing.
 *
 * The program's own start runs on the disk and its own reader reads what it finds; what is compared with the promises is
 * the bytes, for each instance and each destination.
 */

import { join } from "node:path";
import type { Entry } from "../../src/spool/entry.ts";
import { parseName } from "../../src/spool/entry_name.ts";
import { listFailed, UNROUTED } from "../../src/spool/failed.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import type { Spool } from "../../src/spool/spool.ts";
import { StoredInstance } from "../../src/spool/stored_instance.ts";
import { type Disk, type Inode, ROOT } from "./sim_disk.ts";
import { SimFiles, type TraceOperation } from "./sim_files.ts";
import { ARCHIVE, type Known, type Mark, openSpool, routeOf, SPOOL } from "./model_world.ts";

export interface Verdict {
  /** What does not hold, a sentence each; none where all is well. */
  readonly problems: readonly string[];
  /** What the start did to the disk, for power cuts during it. */
  readonly trace: readonly TraceOperation<Mark>[];
}

/**
 * Starts the program on a disk and compares what it finds with what was promised.
 *
 * @param configured destinations whose failed instances the start puts back, as it does what lies in `retry/`
 */
export async function judge(
  disk: Disk,
  known: ReadonlyMap<string, Known>,
  marks: readonly Mark[],
  now: number,
  configured: readonly string[],
): Promise<Verdict> {
  const files = new SimFiles<Mark>(disk);
  const problems: string[] = [];
  let time = now;
  try {
    const spool = await openSpool(files, () => time++, (message, error) => {
      if (error !== undefined || message.includes("left alone")) {
        problems.push(`The start reports: ${message} (${error})`);
      }
    });
    const entries = await spool.recover((instance) => routeOf(known, instance));
    if (configured.length > 0) {
      entries.push(...spool.restoreConfigured(new Set(configured)));
      const reroute = (instance: StoredInstance) => routeOf(known, instance);
      entries.push(...await spool.adoptRetries(reroute, UNROUTED));
    }
    // It runs on while the rest is looked at.
    const trace = files.trace.slice();
    const found = new Found(files, known, problems);
    for (const entry of entries) await found.queued(spool, entry);
    await found.lying();
    found.compare(marks);
    numberIsNew(files, spool, problems);
    return { problems, trace };
  } catch (error) {
    problems.push(`The start, or reading what it found, throws ${error}`);
    return { problems, trace: files.trace };
  }
}

class Found {
  readonly #files: SimFiles<Mark>;
  readonly #known: ReadonlyMap<string, Known>;
  readonly #problems: string[];
  /** UID and destination of what still is to be, or can be, delivered. */
  readonly #kept = new Set<string>();
  /** Of those, what the start is about to send. */
  readonly #queued = new Set<string>();
  /** Names without destinations of what lies in `corrupt/`. */
  readonly #corrupt = new Set<string>();

  constructor(files: SimFiles<Mark>, known: ReadonlyMap<string, Known>, problems: string[]) {
    this.#files = files;
    this.#known = known;
    this.#problems = problems;
  }

  async queued(spool: Spool, entry: Entry): Promise<void> {
    const instance = spool.openEntry(entry, true);
    if (instance === undefined) {
      this.#problems.push(`${entry.path} is not there`);
      return;
    }
    const uid = instance.meta.sopInstanceUid;
    for (const { destination } of entry.waiting) this.#queued.add(`${uid} ${destination}`);
    await this.#take(instance, entry.waiting.map((one) => one.destination));
  }

  /** What lies in `failed/`, `held/`, `retry/` and `corrupt/`. */
  async lying(): Promise<void> {
    const { failed, held, retry, corrupt } = spoolPaths(SPOOL);
    for (const directory of [failed, held]) {
      for (const { path, destination } of listFailed(this.#files, directory)) {
        await this.#take(StoredInstance.open(this.#files, path, true), [destination]);
      }
    }
    for (const name of this.#files.list(retry)) {
      const waiting = parseName(name)?.waiting ?? [];
      const instance = StoredInstance.open(this.#files, join(retry, name), true);
      await this.#take(instance, waiting.map((one) => one.destination));
    }
    for (const name of this.#files.list(corrupt)) {
      const base = parseName(name)?.base;
      if (base !== undefined) this.#corrupt.add(base);
    }
  }

  async #take(instance: StoredInstance, destinations: readonly string[]): Promise<void> {
    const uid = instance.meta.sopInstanceUid;
    const bytes = new Uint8Array(instance.length);
    await instance.read(bytes);
    const whole = instance.vouch();
    instance.close();
    if (!whole || !same(bytes, this.#known.get(uid)?.bytes)) {
      this.#problems.push(`${instance.path} would be delivered and is not what was received`);
      return;
    }
    for (const destination of destinations) this.#kept.add(`${uid} ${destination}`);
  }

  compare(marks: readonly Mark[]): void {
    const done = new Set<string>();
    const setAside = new Set<string>();
    const held = new Set<string>();
    for (const mark of marks) {
      if (mark.what === "set aside") setAside.add(mark.uid);
      if (mark.what === "acked" || mark.what === "set aside") continue;
      const key = `${mark.uid} ${mark.destination}`;
      if (mark.what === "held") held.add(key);
      else held.delete(key);
      if (mark.what === "held" || mark.what === "released") continue;
      done.add(key);
      if (mark.what === "archived") this.#compareArchived(mark.uid);
    }
    for (const key of held) {
      if (this.#queued.has(key)) this.#problems.push(`${key} is held and would be sent`);
    }
    for (const mark of marks) {
      if (mark.what !== "acked") continue;
      const { uid, base } = mark;
      if (this.#corrupt.has(base)) {
        if (setAside.has(uid)) continue;
        this.#problems.push(`${uid} was answered with Success and lies in corrupt/`);
      }
      for (const destination of this.#known.get(uid)!.destinations) {
        const key = `${uid} ${destination}`;
        // What waits for a route waits for all of them.
        if (done.has(key) || this.#kept.has(key) || this.#kept.has(`${uid} ${UNROUTED}`)) continue;
        this.#problems.push(`${uid} was answered with Success and is lost for ${destination}`);
      }
    }
  }

  #compareArchived(uid: string): void {
    const { archivePath, bytes } = this.#known.get(uid)!;
    const content = this.#files.contentOf(join(ARCHIVE, `${archivePath}.dcm`));
    if (content !== undefined && same(content.subarray(-bytes.length), bytes)) return;
    this.#problems.push(`${uid} was reported archived and is not in the archive`);
  }
}

/** The next sequence is behind every one on the disk, so that no name can come twice whatever the clock says. */
function numberIsNew(files: SimFiles<Mark>, spool: Spool, problems: string[]): void {
  const highest = highestSequence(files.disk);
  const next = spool.nextSequence();
  if (next <= highest) {
    problems.push(`Sequence ${next} would be given again: ${highest} is in use`);
  }
}

function highestSequence(disk: Disk): number {
  let highest = 0;
  const visit = (directory: Inode) => {
    for (const [name, inode] of disk.entries(directory)!) {
      if (disk.isDirectory(inode)) visit(inode);
      else highest = Math.max(highest, parseName(name)?.identity.sequence ?? 0);
    }
  };
  visit(ROOT);
  return highest;
}

function same(one: Uint8Array, other: Uint8Array | undefined): boolean {
  if (one.length !== other?.length) return false;
  return one.every((byte, n) => byte === other[n]);
}
