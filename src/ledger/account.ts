/*
 * The account that the ledger's lines add up to: for each destination what was accepted for it and what became of that,
 * and which pairs of instance and destination are still open.
 *
 * Pure. A pair that is delivered, removed or settled is closed and costs no memory; an open one has to be found in the
 * spool. Lines may come twice (a batch written anew) and, where a clock was set back between two days, out of order.
 */

import type { AccountEvent } from "./event.ts";

/** Pairs of one destination, by what the ledger says of them. */
export interface Tally {
  accepted: number;
  delivered: number;
  removed: number;
  settled: number;
}

export class Account {
  readonly #tallies = new Map<string, Tally>();
  /** Destinations still open, by instance. Lists are shared between instances: never changed in place. */
  readonly #open = new Map<string, readonly string[]>();
  /** Pairs closed, or routed anew to others, before their acceptance was read. */
  readonly #early = new Map<string, "delivered" | "removed" | "settled" | readonly string[]>();
  readonly #lists = new Map<string, readonly string[]>();

  /** By destination, in the order in which the ledger first speaks of them. */
  get tallies(): ReadonlyMap<string, Tally> {
    return this.#tallies;
  }

  /** Destinations that are still open, by instance. */
  get open(): ReadonlyMap<string, readonly string[]> {
    return this.#open;
  }

  take(event: AccountEvent): void {
    switch (event.event) {
      case "accepted":
        for (const destination of event.for) this.#accept(event.id, destination);
        return;
      case "delivered":
      case "removed":
      case "settled":
        this.#finish(event.id, event.to, event.event);
        return;
      case "retried":
        if (event.for.length === 1 && event.for[0] === event.of) return;
        // Another route: what was open for the one is open for the others instead.
        if (!this.close(event.id, event.of)) {
          this.#early.set(`${event.id} ${event.of}`, event.for);
          return;
        }
        this.#tally(event.of).accepted--;
        for (const destination of event.for) this.#accept(event.id, destination);
        return;
      case "failed":
      case "held":
      case "released":
      case "corrupt":
        return;
    }
  }

  /** Takes a pair out of the open ones; false where it is not open. */
  close(id: string, destination: string): boolean {
    const open = this.#open.get(id);
    if (open === undefined || !open.includes(destination)) return false;
    this.#setOpen(id, open.filter((one) => one !== destination));
    return true;
  }

  /** A pair was accepted of which it is known where it is. */
  countAccepted(destination: string): void {
    this.#tally(destination).accepted++;
  }

  #accept(id: string, destination: string): void {
    const open = this.#open.get(id) ?? [];
    if (open.includes(destination)) return;
    const tally = this.#tally(destination);
    const key = `${id} ${destination}`;
    const early = this.#early.get(key);
    this.#early.delete(key);
    if (typeof early === "object") {
      for (const one of early) this.#accept(id, one);
      return;
    }
    tally.accepted++;
    if (early === undefined) this.#setOpen(id, [...open, destination]);
    else tally[early]++;
  }

  #finish(id: string, destination: string, how: "delivered" | "removed" | "settled"): void {
    if (this.close(id, destination)) this.#tally(destination)[how]++;
    else this.#early.set(`${id} ${destination}`, how);
  }

  #setOpen(id: string, destinations: readonly string[]): void {
    if (destinations.length === 0) this.#open.delete(id);
    else this.#open.set(id, this.#shared(destinations));
  }

  /** A million instances that wait for the same destinations need one list. */
  #shared(destinations: readonly string[]): readonly string[] {
    const key = destinations.join(" ");
    const known = this.#lists.get(key);
    if (known !== undefined) return known;
    this.#lists.set(key, destinations);
    return destinations;
  }

  #tally(destination: string): Tally {
    let tally = this.#tallies.get(destination);
    if (tally === undefined) {
      tally = { accepted: 0, delivered: 0, removed: 0, settled: 0 };
      this.#tallies.set(destination, tally);
    }
    return tally;
  }
}
