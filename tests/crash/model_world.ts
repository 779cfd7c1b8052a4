/*
 * A forwarder's spool and archive on simulated files: what a run does there, step by step, and what it has promised.
 *
 * The steps are the program's own (`Spool`, `StoredInstance`, `DirectoryDestination`, the queue command's functions), in
 * the order in which the receiver and the scheduler take them. A promise is marked in the trace where it is made: an
 * instance answered with Success, a destination that has it.
 */

import { DirectoryDestination } from "../../src/delivery/directory.ts";
import type { Entry } from "../../src/spool/entry.ts";
import { hashStudy } from "../../src/spool/entry_name.ts";
import type { FailureReason } from "../../src/spool/failed.ts";
import type { FileSystem } from "../../src/spool/file_system.ts";
import type { Committed } from "../../src/spool/incoming.ts";
import { listItems, retryItem } from "../../src/spool/inspect.ts";
import { Spool } from "../../src/spool/spool.ts";
import type { StoredInstance } from "../../src/spool/stored_instance.ts";
import { concat } from "../../src/dicom/bytes.ts";
import { encodeDataSet } from "../../src/dicom/encode.ts";
import { dataSet, META } from "../helpers/spools.ts";
import { marksBefore, type Recording } from "./crash_states.ts";
import { Disk } from "./sim_disk.ts";
import { SimFiles } from "./sim_files.ts";

export const SPOOL = "/srv/forwarder/spool";
export const ARCHIVE = "/srv/archive/images";

/** What has been promised of an instance, by its SOP Instance UID. */
export type Mark =
  /** Answered with Success; `base` is its name in the spool. */
  | { readonly what: "acked"; readonly uid: string; readonly base: string }
  /** A destination has it, or a person did not want it there. */
  | {
    readonly what: "delivered" | "archived" | "removed";
    readonly uid: string;
    readonly destination: string;
  }
  /** A person was told that it is held back from a destination, or asked for it to go there again. */
  | { readonly what: "held" | "released"; readonly uid: string; readonly destination: string }
  /** It was found damaged, or is said to have been. */
  | { readonly what: "set aside"; readonly uid: string };

/** An instance that a run receives. */
export interface Known {
  readonly uid: string;
  readonly bytes: Uint8Array;
  readonly destinations: readonly string[];
  /** Folders of the archive that it goes to, and the file's name without ".dcm". */
  readonly archivePath: string;
}

export interface WorldRecording extends Recording<Mark> {
  readonly name: string;
  readonly known: ReadonlyMap<string, Known>;
  /** What had been promised when the run began. */
  readonly promised: readonly Mark[];
  /** ms since 1970, when the run began. */
  readonly began: number;
}

export interface Scenario {
  readonly name: string;
  /** Done before the recording; what it leaves is on the disk. Without it the spool is new. */
  readonly before?: (world: World) => Promise<void>;
  readonly run: (world: World) => Promise<void>;
}

/** The file system as the program sees it: the simulated one, or one that does a step wrong. */
export type Wrap = (files: SimFiles<Mark>) => FileSystem;

export class World {
  readonly files = new SimFiles<Mark>();
  readonly known = new Map<string, Known>();
  readonly #uids = new Map<string, string>();
  readonly #as: FileSystem;
  time = 1_763_900_000_000;
  spool!: Spool;
  entries: Entry[] = [];
  configured: readonly string[] = ["a", "b", "archive"];

  constructor(wrap: Wrap) {
    this.#as = wrap(this.files);
    this.files.makeDirectory("/srv");
  }

  /** A start of the program, after its lock has made the spool's folder. */
  async start(): Promise<void> {
    this.#as.makeDirectory(SPOOL);
    this.spool = await openSpool(this.#as, () => this.time++, () => {});
    this.entries = await this.spool.recover((instance) => routeOf(this.known, instance));
    this.entries.push(...this.spool.restoreConfigured(new Set(this.configured)));
  }

  /** Receives up to the commit; without an answer nothing is promised. */
  async commit(
    uid: string,
    destinations: readonly string[],
    options: { study?: string; padding?: number; answered?: boolean } = {},
  ): Promise<Committed> {
    const { study = "1.2.3", padding = 0, answered = true } = options;
    const bytes = concat([
      dataSet({ instance: uid, study, series: `${study}.1` }),
      encodeDataSet([[0x7fe00010, "OB", pattern(padding)]]),
    ]);
    const archivePath = `P1/${study}/${study}.1/${uid}`;
    this.known.set(uid, { uid, bytes, destinations, archivePath });
    const incoming = await this.spool.begin({ ...META, sopInstanceUid: uid });
    try {
      for (let at = 0; at < bytes.length; at += 50_000) {
        incoming.write(bytes.subarray(at, at + 50_000));
      }
      const committed = await incoming.commit(hashStudy(study));
      this.#uids.set(committed.base, uid);
      if (answered) this.files.mark({ what: "acked", uid, base: committed.base });
      return committed;
    } catch (error) {
      incoming.discard();
      throw error;
    }
  }

  /** Which instance it is that the spool calls by this name. */
  uidOf(base: string): string | undefined {
    return this.#uids.get(base);
  }

  /** Receives, answers, and puts into the queue. */
  async receive(
    uid: string,
    destinations: readonly string[],
    options: { study?: string; padding?: number } = {},
  ): Promise<Entry> {
    const entry = this.spool.enqueue(await this.commit(uid, destinations, options), destinations);
    this.entries.push(entry);
    return entry;
  }

  /** A destination takes an instance and says so. */
  async forward(entry: Entry, destination: string): Promise<void> {
    const instance = this.spool.openEntry(entry, true);
    if (instance === undefined) return;
    const buffer = new Uint8Array(instance.length);
    await instance.read(buffer);
    if (!instance.vouch()) throw new Error(`${entry.base} is not what was received`);
    instance.close();
    this.files.mark({ what: "delivered", uid: instance.meta.sopInstanceUid, destination });
    this.spool.delivered(entry, destination);
  }

  archive(): DirectoryDestination {
    return new DirectoryDestination(
      { type: "directory", name: "archive", path: ARCHIVE, retryAttempts: 3 },
      this.spool,
      this.#as,
      { tellPaths: true },
    );
  }

  /** One batch into the archive, settled as the scheduler settles it. */
  async toArchive(entries: readonly Entry[], archive = this.archive()): Promise<void> {
    await archive.deliver(entries, (entry, outcome) => {
      if (outcome.kind !== "delivered") return;
      const { name: destination } = archive;
      this.files.mark({ what: "archived", uid: entry.sopInstanceUid, destination });
      this.spool.delivered(entry, destination);
    }, new AbortController().signal);
  }

  async fail(entry: Entry, destination: string, kind: FailureReason["kind"] = "refused") {
    const when = new Date(this.time).toISOString();
    await this.spool.fail(entry, destination, { kind, reason: "Refused: A700", when, tries: 4 });
  }

  /** A person holds it back by the running daemon. */
  async hold(entry: Entry, destination: string): Promise<void> {
    const when = new Date(this.time).toISOString();
    const why = { kind: "held", reason: "Held back by a person", when, tries: 0 } as const;
    const { done, failed } = await this.spool.apart.hold([entry], destination, why);
    const uid = this.#uids.get(entry.base)!;
    if (done.length > 0) this.files.mark({ what: "held", uid, destination });
    for (const error of failed.values()) throw error;
  }

  /** A person lets go what is held back from a destination. */
  async release(destination: string): Promise<void> {
    const bases = new Map<string, readonly string[]>();
    for (const { base } of this.spool.index.all({ state: "held", destination })) {
      bases.set(base, [destination]);
      this.files.mark({ what: "released", uid: this.#uids.get(base)!, destination });
    }
    const { done } = await this.spool.apart.putBack("held", destination, bases);
    this.entries.push(...done);
  }

  /** What `queue retry` does, and the daemon after it. */
  async retryAll(): Promise<void> {
    for (const item of [...listItems(this.#as, SPOOL)]) {
      if (item.state === "failed") retryItem(this.#as, SPOOL, item);
    }
    const adopted = await this.spool.adoptRetries(
      (instance) => routeOf(this.known, instance),
      "unrouted",
    );
    this.entries.push(...adopted);
  }
}

/** `length` bytes, no block of them like another. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, n) => (n >> 9) * 31 + n);
}

export function openSpool(
  files: FileSystem,
  now: () => number,
  report: (message: string, error?: unknown) => void,
): Promise<Spool> {
  return Spool.open({ directory: SPOOL, files, now, minimumFreeSpace: 0, report });
}

/** Where an instance goes that is found in a slot. */
export async function routeOf(
  known: ReadonlyMap<string, Known>,
  instance: StoredInstance,
): Promise<readonly string[]> {
  const { identification } = await instance.identify();
  const found = known.get(identification.sopInstanceUid);
  if (found === undefined) throw new Error(`${instance.path} was never sent`);
  return found.destinations;
}

/** Runs a scenario and keeps what it did. */
export async function record(
  scenario: Scenario,
  wrap: Wrap = (files) => files,
): Promise<WorldRecording> {
  const world = new World(wrap);
  if (scenario.before !== undefined) {
    await world.start();
    await scenario.before(world);
    await settle(world);
  }
  const promised = marksBefore(world.files.trace, world.files.trace.length);
  const base = new Disk(world.files.disk);
  world.files.trace = [];
  const began = world.time;
  await scenario.run(world);
  await settle(world);
  const { known, files: { trace } } = world;
  return { name: scenario.name, base, trace, known, promised, began };
}

/** Until nothing is under way any more: removals, slots being made. */
async function settle(world: World): Promise<void> {
  await world.spool.settled();
  for (let length = -1; length !== world.files.trace.length;) {
    length = world.files.trace.length;
    await turns();
  }
}

/** Enough turns for whatever is under way to come as far as it can. */
export async function turns(): Promise<void> {
  for (let n = 0; n < 100; n++) await Promise.resolve();
}

/** The file system as it is but for some of its calls. */
export function but(files: FileSystem, changes: Partial<FileSystem>): FileSystem {
  return {
    open: (path, mode) => files.open(path, mode),
    rename: (from, to) => files.rename(from, to),
    link: (existing, name) => files.link(existing, name),
    protect: (path) => files.protect(path),
    remove: (path) => files.remove(path),
    removeLater: (path) => files.removeLater(path),
    createLater: (path) => files.createLater(path),
    makeDirectory: (path) => files.makeDirectory(path),
    list: (path) => files.list(path),
    listLater: (path, take) => files.listLater(path, take),
    syncDirectory: (path) => files.syncDirectory(path),
    exists: (path) => files.exists(path),
    measure: (path) => files.measure(path),
    freeBytes: (path) => files.freeBytes(path),
    ...changes,
  };
}
