/*
 * The oracle of all campaigns: conservation. What was answered with Success is, for each destination, delivered or held
 * (queued, failed, set aside), byte for byte; nothing that arrives is partial, changed or unheard of.
 *
 * Owns the books; it looks at the forwarder only from outside. What it finds wrong it collects in `violations`.
 */

import { join } from "node:path";
import { factsIn, factsOf } from "../helpers/hashes.ts";
import type { Sink } from "../helpers/sink.ts";
import { missingFrom } from "./ledger_books.ts";
import { type Held, heldIn, strayIn } from "./held.ts";
import type { MintedInstance } from "./mint.ts";

/** The destination named `archive`, which `store_locally` makes. */
export const ARCHIVE = "archive";

interface Books {
  /** Null for a folder. */
  readonly sink: Sink | null;
  /** Arrivals of the sink already entered. */
  read: number;
  /** UIDs answered with Success whose arrival has not been seen. */
  readonly outstanding: Set<string>;
  readonly delivered: Set<string>;
}

export interface OracleOptions {
  readonly spool: string;
  readonly sinks: Readonly<Record<string, Sink>>;
  /** A sink that takes an instance only when it is put back by hand. */
  readonly refusing?: string;
  /** The folder of the destination `archive`; absent where there is none. */
  readonly archive?: string;
}

export class Oracle {
  readonly #options: OracleOptions;
  readonly #books = new Map<string, Books>();
  readonly #begun = new Map<string, MintedInstance>();
  readonly violations: string[] = [];
  /** Instances answered with Success. */
  acknowledged = 0;
  /** Arrivals of what had arrived already. */
  duplicates = 0;
  readonly #acknowledged = new Set<string>();

  constructor(options: OracleOptions) {
    this.#options = options;
    for (const [name, sink] of Object.entries(options.sinks)) this.#open(name, sink);
    if (options.archive !== undefined) this.#open(ARCHIVE, null);
  }

  #open(name: string, sink: Sink | null): void {
    this.#books.set(name, { sink, read: 0, outstanding: new Set(), delivered: new Set() });
  }

  /** An instance is about to be sent. */
  begin(instance: MintedInstance): void {
    this.#begun.set(instance.sopInstanceUid, instance);
  }

  /** Success was answered. */
  acknowledge(uid: string): void {
    this.acknowledged++;
    this.#acknowledged.add(uid);
    for (const books of this.#books.values()) {
      if (!books.delivered.has(uid)) books.outstanding.add(uid);
    }
  }

  /** A person, here the campaign, has looked at what failed for a destination and taken it away. */
  removedByHand(uid: string, destination: string): void {
    this.#books.get(destination)?.outstanding.delete(uid);
  }

  /** Instances begun so far. */
  get begun(): number {
    return this.#begun.size;
  }

  /** Distinct instances that came to be delivered without an answer having been heard. */
  get unanswered(): number {
    const all = new Set<string>();
    for (const { delivered } of this.#books.values()) for (const uid of delivered) all.add(uid);
    return all.difference(this.#acknowledged).size;
  }

  /** Enters what has arrived at the sinks since the last time. */
  enterArrivals(): void {
    for (const [name, books] of this.#books) {
      const { sink } = books;
      if (sink === null) continue;
      for (; books.read < sink.arrivals.length; books.read++) {
        const { sopInstanceUid, hash, status } = sink.arrivals[books.read]!;
        this.#arrived(name, books, sopInstanceUid, hash, status === 0);
      }
    }
  }

  #arrived(name: string, books: Books, uid: string, hash: string, taken: boolean): void {
    const begun = this.#begun.get(uid);
    if (begun === undefined) this.#violate(`${name} got ${uid}, which nobody sent`);
    else if (begun.hash !== hash) this.#violate(`${name} got ${uid} other than it was sent`);
    if (!taken) return;
    if (books.delivered.has(uid)) this.duplicates++;
    books.delivered.add(uid);
    books.outstanding.delete(uid);
  }

  /** Instances that wait for the slowest sink, as far as known; one that refuses is not waited for. */
  backlog(): number {
    this.enterArrivals();
    let most = 0;
    for (const { outstanding } of this.#taking()) most = Math.max(most, outstanding.size);
    return most;
  }

  #taking(): Books[] {
    const { refusing } = this.#options;
    return [...this.#books].filter(([name, { sink }]) => sink !== null && name !== refusing)
      .map(([, books]) => books);
  }

  /** Waits until every sink has all that was answered with Success. */
  async drained(withinMs: number, when: string): Promise<void> {
    for (const [name, { sink, outstanding }] of this.#books) {
      await sink?.until(
        () => {
          this.enterArrivals();
          return outstanding.size === 0;
        },
        withinMs,
        `everything to arrive at ${name} (${when})`,
      );
    }
  }

  /** True where one instance has arrived at every sink that takes instances. */
  arrivedEverywhere(uid: string): boolean {
    this.enterArrivals();
    return this.#taking().every(({ delivered }) => delivered.has(uid));
  }

  /**
   * Conservation at a moment when no forwarder runs: what is outstanding is held.
   *
   * @returns what the spool holds
   */
  conserve(when: string): Held[] {
    this.enterArrivals();
    const held = heldIn(this.#options.spool);
    const waiting = new Map<string, Set<string>>();
    for (const name of this.#books.keys()) waiting.set(name, new Set());
    for (const { place, path, sopInstanceUid, hash, destinations } of held) {
      if (place === "corrupt") {
        this.#violate(`${when}: ${path} was set aside as damaged`);
        continue;
      }
      const begun = this.#begun.get(sopInstanceUid);
      if (begun === undefined) this.#violate(`${when}: ${path} is an instance nobody sent`);
      else if (begun.hash !== hash) this.#violate(`${when}: ${path} differs from what was sent`);
      for (const name of destinations ?? this.#books.keys()) waiting.get(name)?.add(sopInstanceUid);
    }
    for (const [name, books] of this.#books) {
      for (const uid of books.outstanding) {
        if (waiting.get(name)!.has(uid)) continue;
        if (books.sink === null && this.#isArchived(uid)) {
          books.delivered.add(uid);
          books.outstanding.delete(uid);
        } else this.#violate(`${when}: ${uid} is lost for ${name}`);
      }
    }
    return held;
  }

  #isArchived(uid: string): boolean {
    const begun = this.#begun.get(uid);
    if (begun === undefined || this.#options.archive === undefined) return false;
    try {
      return factsOf(join(this.#options.archive, begun.archivePath)).hash === begun.hash;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }

  /** After a drain and a stop in order: nothing outstanding, nothing in the spool, the archive whole. */
  close(when: string): void {
    for (const { place, path } of this.conserve(when)) {
      this.#violate(`${when}: ${path} is left in ${place} after everything was drained`);
    }
    for (const path of strayIn(this.#options.spool)) this.#violate(`${when}: stray file ${path}`);
    for (const [name, { outstanding }] of this.#books) {
      for (const uid of outstanding) this.#violate(`${when}: ${uid} did not reach ${name}`);
    }
    if (this.#options.archive !== undefined) this.#inspectArchive(when, this.#options.archive);
  }

  /** The same by the forwarder's own books. */
  async agreeWithLedger(when: string): Promise<void> {
    for (const one of await missingFrom(this.#options.spool)) this.#violate(`${when}: ${one}`);
  }

  #inspectArchive(when: string, archive: string): void {
    try {
      Deno.statSync(archive);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw error;
    }
    const there = new Set<string>();
    for (const { path, sopInstanceUid, hash } of factsIn(archive)) {
      const begun = this.#begun.get(sopInstanceUid);
      if (begun?.hash !== hash) this.#violate(`${when}: ${path} differs from what was sent`);
      else if (path !== join(archive, begun.archivePath)) {
        this.#violate(`${when}: ${path} is a second copy`);
      }
      there.add(sopInstanceUid);
    }
    const books = this.#books.get(ARCHIVE)!;
    for (const uid of there) books.delivered.add(uid);
  }

  #violate(text: string): void {
    this.violations.push(text);
  }

  /** @throws where anything was found wrong */
  assertHolds(): void {
    if (this.violations.length === 0) return;
    const shown = this.violations.slice(0, 20).join("\n");
    throw new Error(`${this.violations.length} violations:\n${shown}`);
  }
}
