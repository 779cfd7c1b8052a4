/*
 * Who has given too many wrong passwords, and how long they have to wait.
 *
 * Counts for each address, and in all, so that many addresses are no way round it; this machine's own is locked by its own
 * tries alone. Each further lock is twice as long. A try counts as wrong from its beginning until it is found right: a
 * hundred at once are no way round it either. Memory is bounded. Pure but for its own books; time is passed in.
 */

import { isOwnMachine, networkOf } from "./address.ts";

/** Time in which wrong passwords add up, ms. */
const WINDOW_MS = 15 * 60_000;
/** Wrong passwords within it that lock an address, and that lock everybody. */
const OF_ADDRESS = 10;
const IN_ALL = 50;
const FIRST_LOCK_MS = 60_000;
const LONGEST_LOCK_MS = 60 * 60_000;
/** Addresses remembered at most; the one quiet for longest is forgotten. */
const MAX_ADDRESSES = 1000;

interface Record {
  /** When each counted one was given, oldest first. */
  wrong: number[];
  lockedUntil: number;
  /** Locks so far: each is twice as long as the last. */
  locks: number;
}

export class Lockout {
  readonly #now: () => number;
  readonly #addresses = new Map<string, Record>();
  readonly #all: Record = { wrong: [], lockedUntil: 0, locks: 0 };
  readonly #inAll: number;

  /**
   * @param now ms since 1970
   * @param inAll wrong ones of whatever address that lock everybody; Infinity where many addresses must not be able to
   * lock others out
   */
  constructor(now: () => number, inAll = IN_ALL) {
    this.#now = now;
    this.#inAll = inAll;
  }

  /** How long an address has to wait until it may try, in ms; 0 where it may now. */
  waitMs(address: string): number {
    const record = this.#addresses.get(networkOf(address));
    // Whoever sits at the machine itself is not to be kept out by strangers.
    const ofAll = isOwnMachine(address) ? 0 : this.#all.lockedUntil;
    const until = Math.max(record?.lockedUntil ?? 0, ofAll);
    return Math.max(0, until - this.#now());
  }

  /**
   * Counts a try as wrong.
   *
   * @returns to be called where it turned out right: the address starts anew, and it does not count for all
   */
  begin(address: string): () => void {
    const name = networkOf(address);
    const record = this.#addresses.get(name) ?? { wrong: [], lockedUntil: 0, locks: 0 };
    this.#addresses.delete(name);
    this.#addresses.set(name, record);
    if (this.#addresses.size > MAX_ADDRESSES) {
      const [oldest] = this.#addresses.keys();
      if (oldest !== undefined) this.#addresses.delete(oldest);
    }
    this.#count(record, OF_ADDRESS);
    const { lockedUntil, locks } = this.#all;
    this.#count(this.#all, this.#inAll);
    const lockedBy = this.#all.lockedUntil;
    return () => {
      this.#addresses.delete(name);
      this.#all.wrong.pop();
      // Unless another one has locked it further.
      if (this.#all.lockedUntil === lockedBy) Object.assign(this.#all, { lockedUntil, locks });
    };
  }

  #count(record: Record, most: number): void {
    const now = this.#now();
    if (most === Infinity) return;
    record.wrong = record.wrong.filter((at) => at > now - WINDOW_MS);
    // A day without a lock, and it begins with the shortest again.
    if (now - record.lockedUntil > 24 * 60 * 60_000) record.locks = 0;
    record.wrong.push(now);
    if (record.wrong.length < most) return;
    record.lockedUntil = now + Math.min(LONGEST_LOCK_MS, FIRST_LOCK_MS * 2 ** record.locks);
    record.locks = Math.min(record.locks + 1, 10);
  }
}
