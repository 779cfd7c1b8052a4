/*
 * Who may connect, decided by the address alone, before anything is read or kept.
 *
 * Owns how fast connections may come, and whose flood may not starve whom. An address is known where `senders` has it,
 * where an instance from it has been stored lately, or where it is this machine's own. The known have rates and places of
 * their own: whatever strangers do, it is strangers' rates and places they use up. Pure but for its own books.
 */

import { isOwnMachine, networkOf, plainAddress } from "../access/address.ts";
import { RateLimit, type Rates } from "../access/rate.ts";
import type { Config } from "../config/load.ts";
import { SenderList } from "./senders.ts";

/** How long an address is known after an instance from it was stored, ms. */
const KNOWN_MS = 7 * 24 * 60 * 60_000;
/** Addresses known by what was stored, at most; the one quiet for longest is forgotten. */
const MOST_KNOWN = 1000;
/** How many times a stranger's rate the known have: some open an association for every image. */
const KNOWN_RATE = 10;

/** Connections over `max_associations` that strangers may have, to be given a proper rejection. */
const REJECTED_POLITELY = 32;
/** And the known, beyond those. */
const KNOWN_BEYOND = 32;

/** Of `max_associations`, one out of so many can be kept for the known. */
const SHARE_KEPT = 5;

/** A connection that is open, as far as the door looks at it. */
export interface Guest {
  readonly host: string;
  /** Its association was accepted. */
  readonly admitted: boolean;
}

/** Why a connection is closed unheard. */
export type Turned = "rate" | "crowded";

export class Door {
  #config: Config;
  #senders: SenderList;
  readonly #now: () => number;
  readonly #strangers: RateLimit;
  readonly #familiar: RateLimit;
  /** When an instance was last stored, by address, the latest last. */
  readonly #stored = new Map<string, number>();

  /** @param now ms; only ever forward */
  constructor(config: Config, now: () => number) {
    this.#config = config;
    this.#senders = new SenderList(config.senders);
    this.#now = now;
    this.#strangers = new RateLimit(ratesOf(config, 1), now);
    this.#familiar = new RateLimit(ratesOf(config, KNOWN_RATE), now);
  }

  /** Goes on by another configuration. What was stored stays known. */
  configure(config: Config): void {
    this.#config = config;
    this.#senders = new SenderList(config.senders);
    this.#strangers.configure(ratesOf(config, 1));
    this.#familiar.configure(ratesOf(config, KNOWN_RATE));
  }

  get senders(): SenderList {
    return this.#senders;
  }

  /** An instance from there was stored. */
  stored(host: string): void {
    const address = plainAddress(host);
    this.#stored.delete(address);
    this.#stored.set(address, this.#now());
    if (this.#stored.size <= MOST_KNOWN) return;
    const [oldest] = this.#stored.keys();
    if (oldest !== undefined) this.#stored.delete(oldest);
  }

  knows(host: string): boolean {
    if (isOwnMachine(host) || this.#senders.hasAddress(host)) return true;
    const at = this.#stored.get(plainAddress(host));
    return at !== undefined && this.#now() - at < KNOWN_MS;
  }

  /** Whether a connection that has just come is closed unheard; undefined where it is served. It counts in any case. */
  turnsAway(host: string, open: Iterable<Guest>): Turned | undefined {
    const known = this.knows(host);
    if (!isOwnMachine(host)) {
      const rate = known ? this.#familiar : this.#strangers;
      if (!rate.take(known ? plainAddress(host) : networkOf(host))) return "rate";
    }
    const { maxAssociations, maxAssociationsPerHost } = this.#config;
    const place = known ? plainAddress : networkOf;
    const here = place(host);
    let pending = 0;
    let all = 0;
    for (const other of open) {
      all++;
      if (!other.admitted && place(other.host) === here) pending++;
    }
    const most = maxAssociations + REJECTED_POLITELY + (known ? KNOWN_BEYOND : 0);
    return pending >= maxAssociationsPerHost || all >= most ? "crowded" : undefined;
  }

  /** Associations that one from this address may not use, for they are kept for known senders. */
  keptFrom(host: string, admitted: readonly Guest[]): number {
    if (this.knows(host)) return 0;
    const known = this.#stored.size + this.#senders.placed;
    const most = Math.min(known, Math.floor(this.#config.maxAssociations / SHARE_KEPT));
    if (most === 0) return 0;
    const used = admitted.filter((other) => this.knows(other.host)).length;
    return Math.max(0, most - used);
  }
}

function ratesOf({ connectionRate }: Config, factor: number): Rates {
  return { perKey: connectionRate.perHost * factor, inAll: connectionRate.all * factor };
}
