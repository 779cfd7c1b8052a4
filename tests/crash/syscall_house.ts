/*
 * What the system-call campaigns share: a forwarder whose calls can be made to fail, two destinations, one more that
 * refuses every instance the first time (so that each is also given up and kept), the archive, and one instance at a time.
 */

import { basename, join } from "node:path";
import { CANNOT_UNDERSTAND } from "../../src/dicom/status.ts";
import { readCommitRecord } from "../../src/spool/commit_record.ts";
import { realFileSystem } from "../../src/spool/file_system.ts";
import { listItems, retryItem } from "../../src/spool/inspect.ts";
import { AssociationError } from "../../src/ul/association_error.ts";
import { TransportError } from "../../src/ul/transport.ts";
import { DaemonProcess } from "../helpers/daemon_process.ts";
import { nodeAt } from "../helpers/forwarder.ts";
import { Sender } from "../helpers/sender.ts";
import { filesIn } from "../helpers/scratch.ts";
import { Sink } from "../helpers/sink.ts";
import { until } from "../helpers/until.ts";
import { Faults } from "./faults.ts";
import { heldIn, isDrained } from "./held.ts";
import { recordRemoved } from "./ledger_books.ts";
import { Mint, type MintedInstance } from "./mint.ts";
import { Oracle } from "./oracle.ts";

/**
 * The next N to sweep a start with. It makes and reads the 256 folders of the queue one after another, and reads them
 * again when it holds its ledger against them: a few of them stand for all.
 */
export function nextOfStart(n: number): number {
  return n > 20 && n < 240 || n > 340 ? n + 16 : n + 1;
}

/** Status of C-STORE-RSP; undefined where there was none: rejected, aborted, or the process is gone. */
export type Answer = number | undefined;

/** Times that failed instances are put back before they count as not to be delivered. */
const PUT_BACK_ROUNDS = 4;

/** What goes on at full speed is done within so many ms. */
export const SETTLED_MS = 30_000;

export class SyscallHouse implements AsyncDisposable {
  readonly mint: Mint;
  readonly oracle: Oracle;
  readonly faults: Faults;
  readonly spool: string;
  readonly #folder: string;
  readonly #archive: string;
  readonly #first = new Sink();
  readonly #second = new Sink();
  /** What the third destination has refused: it takes an instance the second time. */
  readonly #refused = new Set<string>();
  readonly #picky = new Sink({
    answer: ({ sopInstanceUid }) => {
      if (this.#refused.has(sopInstanceUid)) return 0;
      this.#refused.add(sopInstanceUid);
      return CANNOT_UNDERSTAND;
    },
  });
  daemon: (DaemonProcess & { port: number }) | undefined;

  private constructor(folder: string, seed: number, faults: Faults) {
    this.#folder = folder;
    this.faults = faults;
    this.mint = new Mint(seed);
    this.spool = join(folder, "kept", "spool");
    this.#archive = join(folder, "kept", "archive");
    Deno.mkdirSync(this.#archive);
    const sinks = { first: this.#first, second: this.#second, picky: this.#picky };
    this.oracle = new Oracle({
      spool: this.spool,
      archive: this.#archive,
      sinks,
      refusing: "picky",
    });
  }

  static async open(folder: string, seed: number): Promise<SyscallHouse> {
    // Only what the forwarder keeps counts: not its log, nor what the runtime does for itself.
    Deno.mkdirSync(join(folder, "kept"));
    const faults = await Faults.build(folder, join(folder, "kept"));
    return new SyscallHouse(folder, seed, faults);
  }

  /** Spawns the process without waiting for it. */
  spawn(): DaemonProcess {
    return new DaemonProcess(this.#folder, {
      spool_dir: "kept/spool",
      storage_dir: "kept/archive",
      store_locally: true,
      destinations: [
        nodeAt("first", this.#first.port),
        nodeAt("second", this.#second.port),
        nodeAt("picky", this.#picky.port, { retry_attempts: 0 }),
      ],
    }, { env: this.faults.env });
  }

  /** Starts it, without faults, and waits until nothing is left to do. */
  async start(): Promise<DaemonProcess & { port: number }> {
    this.faults.disarm();
    const daemon = this.spawn();
    this.daemon = Object.assign(daemon, { port: await daemon.listening() });
    await this.drained("after a start");
    return this.daemon;
  }

  /** A spool with an instance in the queue and one in a slot, as a process leaves it that dies on the way. */
  async leaveBehind(): Promise<void> {
    const daemon = this.daemon ?? await this.start();
    await this.tidy("before a start");
    for (const instance of [this.mint.small(), this.mint.large()]) await this.send(instance);
    daemon.signal("SIGKILL");
    await daemon.exit();
    this.daemon = undefined;
    // A crash of the machine may take the rename into the queue back.
    const queued = heldIn(this.spool).find(({ place }) => place === "queue");
    if (queued !== undefined) {
      const { slot } = readCommitRecord(Deno.readFileSync(queued.path))!;
      Deno.renameSync(queued.path, join(this.spool, "incoming", slot));
    }
  }

  /**
   * Looks at what was archived and at what was given up, and takes both away: the next instance needs its folders made,
   * and a start has no more to read than the last one.
   */
  async tidy(when: string): Promise<void> {
    const removed: { id: string; to: string }[] = [];
    for (const { place, path, sopInstanceUid } of this.oracle.conserve(when)) {
      if (place !== "failed") continue;
      Deno.removeSync(path);
      const reason = path.replace(/\.dcm$/, ".json");
      // Writing the reason may be what failed.
      if (realFileSystem.exists(reason)) Deno.removeSync(reason);
      this.oracle.removedByHand(sopInstanceUid, "picky");
      removed.push({ id: basename(path, ".dcm"), to: "picky" });
    }
    await recordRemoved(this.spool, removed);
    for (const { name } of Deno.readDirSync(this.#archive)) {
      Deno.removeSync(join(this.#archive, name), { recursive: true });
    }
  }

  get isDrained(): boolean {
    return this.oracle.backlog() === 0 && isDrained(this.spool);
  }

  async drained(when: string): Promise<void> {
    await until(
      () => this.isDrained || this.daemon?.ended === true,
      SETTLED_MS,
      () => `everything to be delivered (${when}):\n${this.daemon?.said}`,
    );
    if (this.daemon?.ended) throw new Error(`${when}: the process ended:\n${this.daemon.said}`);
  }

  /** Stops it in order; what it kept is looked at. */
  async stop(when: string): Promise<void> {
    this.faults.disarm();
    this.daemon?.signal("SIGTERM");
    const status = await this.daemon?.exit();
    this.daemon = undefined;
    if (status !== undefined && status.code !== 0) {
      throw new Error(`${when}: a stop in order ended with ${status.code}`);
    }
    this.oracle.conserve(when);
    this.oracle.assertHolds();
  }

  /** A clean start, all that failed put back, a drain, a stop: nothing may be left anywhere. */
  async close(when: string): Promise<void> {
    if (this.daemon === undefined) await this.start();
    await this.drained(when);
    // What failed before the third destination was asked is refused by it once more.
    for (let round = 0; round < PUT_BACK_ROUNDS && this.#putBack() > 0; round++) {
      await until(
        // In the order of their way: what has left the one is in the other.
        () => filesIn(join(this.spool, "retry")).length === 0 && this.isDrained,
        SETTLED_MS,
        () => `what was put back to be tried (${when}):\n${this.daemon?.said}`,
      );
    }
    await this.oracle.drained(SETTLED_MS, when);
    await this.drained(when);
    await this.stop(when);
    this.oracle.close(when);
    await this.oracle.agreeWithLedger(when);
    this.oracle.assertHolds();
  }

  #putBack(): number {
    const failed = [...listItems(realFileSystem, this.spool)].filter(({ state }) =>
      state === "failed"
    );
    for (const item of failed) retryItem(realFileSystem, this.spool, item);
    return failed.length;
  }

  /** Sends an instance over an association of its own, and enters the answer. */
  async send(instance: MintedInstance): Promise<Answer> {
    this.oracle.begin(instance);
    try {
      await using sender = await Sender.open(this.daemon!.port, { responseMs: 15_000 });
      const status = await sender.send(instance);
      if (status === 0) this.oracle.acknowledge(instance.sopInstanceUid);
      return status;
    } catch (error) {
      if (error instanceof AssociationError || error instanceof TransportError) return undefined;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.faults.disarm();
    if (this.daemon !== undefined && !this.daemon.ended) this.daemon.signal("SIGKILL");
    await this.daemon?.exit();
    await this.#first[Symbol.asyncDispose]();
    await this.#second[Symbol.asyncDispose]();
    await this.#picky[Symbol.asyncDispose]();
    this.faults[Symbol.dispose]();
  }
}
