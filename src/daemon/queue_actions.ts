/*
 * What a person does to the queue while the forwarder runs: retry, hold, release, remove.
 *
 * Owns the order of a change: claimed from delivery, so that no attempt begins; written to the ledger; done to the files;
 * given back. An instance that is being sent at that moment is waited for, and what was delivered meanwhile is said to be.
 * Changes come one after the other, in slices that leave deliveries and receipts their turn.
 */

import type { ItemAction, ItemSelection, Person } from "../control/control.ts";
import type { ActionResult } from "../control/views.ts";
import type { LineControl } from "../delivery/line_control.ts";
import type { Untimed } from "../ledger/event.ts";
import type { Entry } from "../spool/entry.ts";
import { isBase } from "../spool/entry_name.ts";
import { UNROUTED } from "../spool/failed.ts";
import type { ApartState, Item } from "../spool/queue_index.ts";
import type { Notice } from "../spool/notices.ts";
import { Turns } from "../spool/turns.ts";
import { ActionTally, unfit } from "./action_tally.ts";
import { isThere, type QueueControlParts } from "./queue_parts.ts";

/** Changed at a time: as many lines as the ledger writes without waiting for more. */
const SLICE = 1000;

/** Looked up at a time. */
const PAGE = 2000;

/** How long an instance that is being sent is waited for, in ms. */
const PATIENCE_MS = 10_000;

export class QueueActions {
  readonly #parts: QueueControlParts;
  /** Ends with the last change that was asked for. */
  #changes: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(parts: QueueControlParts) {
    this.#parts = parts;
  }

  /** Begins no further change, and waits for the slice under way. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#changes;
  }

  /** Changes come one after the other, each in full. */
  act(action: ItemAction, selection: ItemSelection, by: Person): Promise<ActionResult> {
    const change = this.#changes.then(() => this.#act(action, selection, by));
    this.#changes = change.catch(() => {});
    return change;
  }

  /** What a command of another process did to files, or wants done: the memory follows. */
  notice(notices: readonly Notice[]): void {
    const { spool } = this.#parts;
    const hurried = new Map<string, Set<Entry>>();
    const destinations = new Set<string>();
    for (const { what, id, destination } of notices) {
      destinations.add(destination);
      for (const item of spool.index.find(id, destination)) {
        if (!isThere(this.#parts, item) || what !== "hurry" || item.entry === undefined) continue;
        const entries = hurried.get(destination) ?? new Set();
        hurried.set(destination, entries.add(item.entry));
      }
      spool.apart.lookFor(destination, id);
    }
    for (const [destination, entries] of hurried) this.#hurry(destination, entries);
    for (const destination of destinations) this.#control(destination)?.sweep();
  }

  async #act(
    action: ItemAction,
    selection: ItemSelection,
    by: Person,
  ): Promise<ActionResult> {
    const tally = new ActionTally();
    const groups = new Map<string, Item[]>();
    const turns = this.#turns();
    for (const item of this.#selected(action, selection, tally)) {
      await turns.share();
      const reason = unfit(action, item.state);
      if (reason !== undefined) {
        tally.fail(item, reason);
        continue;
      }
      const key = `${item.state} ${item.destination}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [item]);
      else group.push(item);
    }
    for (const items of groups.values()) {
      const { state, destination } = items[0]!;
      const busy: Item[] = [];
      for (let at = 0; at < items.length; at += SLICE) {
        const slice = items.slice(at, at + SLICE);
        if (this.#closed) tally.failAll(slice, "the forwarder is stopping");
        else if (state !== "queued") {
          await this.#actApart(action, state, destination, slice, by, tally);
        } else busy.push(...await this.#actQueued(action, destination, slice, by, tally));
      }
      if (busy.length > 0) await this.#actBusy(action, destination, busy, by, tally);
      if (state === "queued") this.#control(destination)?.sweep();
    }
    return tally.result();
  }

  *#selected(action: ItemAction, selection: ItemSelection, tally: ActionTally): Generator<Item> {
    const { index } = this.#parts.spool;
    if (!("items" in selection)) {
      // Page by page: the lists change while the work goes on.
      let after: Item | undefined;
      do {
        const page = index.page(selection, after, PAGE);
        yield* page;
        after = page.length < PAGE ? undefined : page.at(-1);
      } while (after !== undefined);
      return;
    }
    const named = new Map(selection.items.map((one) => [`${one.id} ${one.destination}`, one]));
    for (const { id, destination } of named.values()) {
      const found = isBase(id) ? index.find(id, destination) : [];
      const fit = found.filter(({ state }) => unfit(action, state) === undefined);
      if (found.length === 0) {
        tally.fail({ base: id, destination }, "there is none: delivered or removed meanwhile");
      } else yield* fit.length > 0 ? fit : found.slice(0, 1);
    }
  }

  /** Acts on what waits. Returns those that are being sent at this moment. */
  async #actQueued(
    action: ItemAction,
    destination: string,
    items: readonly Item[],
    by: Person,
    tally: ActionTally,
  ): Promise<Item[]> {
    const entries = items.map((item) => item.entry!);
    if (action === "retry") {
      await this.#tell(entries.map(({ base }) => retried(base, destination, [destination], by)));
      this.#hurry(destination, new Set(entries));
      tally.done += entries.length;
      return [];
    }
    const control = this.#control(destination);
    const busy = items.filter(({ entry }) => control?.isBusy(entry!));
    const free = items.filter(({ entry }) => !control?.isBusy(entry!));
    control?.claim(free.map((item) => item.entry!));
    try {
      await this.#actFree(action, destination, free, by, tally);
    } finally {
      control?.unclaim(free.map((item) => item.entry!));
    }
    return busy;
  }

  /** Has entries attempted at once: where their destination is down, that it is tried is what a person wants. */
  #hurry(destination: string, entries: ReadonlySet<Entry>): void {
    const scheduler = this.#parts.scheduler();
    scheduler.hurry(destination, entries);
    const found = scheduler.snapshot().find((one) => one.name === destination);
    if (found !== undefined && found.health.state !== "up") scheduler.tryNow(destination);
  }

  /** What is being sent is waited for; delivered, nothing is left to do. */
  async #actBusy(
    action: ItemAction,
    destination: string,
    items: readonly Item[],
    by: Person,
    tally: ActionTally,
  ): Promise<void> {
    const control = this.#control(destination);
    const entries = items.map((item) => item.entry!);
    control?.claim(entries);
    const enough = Promise.withResolvers<void>();
    let isEnough = false;
    const cancel = this.#parts.clock.after(PATIENCE_MS, () => {
      isEnough = true;
      enough.resolve();
    });
    try {
      let busy = items;
      while (busy.length > 0 && !isEnough && !this.#closed) {
        await Promise.race([control?.nextEnd(), enough.promise]);
        busy = busy.filter(({ entry }) => control?.isBusy(entry!));
      }
      tally.failAll(busy, "it is being sent at this moment: try it again");
      const left = new Set(busy);
      await this.#actFree(action, destination, items.filter((item) => !left.has(item)), by, tally);
    } finally {
      cancel();
      control?.unclaim(entries);
    }
  }

  /** Acts on what no attempt is under way for, nor begins. */
  async #actFree(
    action: ItemAction,
    destination: string,
    items: readonly Item[],
    by: Person,
    tally: ActionTally,
  ): Promise<void> {
    const { spool, clock } = this.#parts;
    const waiting: Entry[] = [];
    const turns = this.#turns();
    for (const item of items) {
      await turns.share();
      if (item.entry!.waitsFor(destination) && isThere(this.#parts, item)) {
        waiting.push(item.entry!);
      } else tally.fail(item, this.#whatBecame(item));
    }
    if (waiting.length === 0) return;
    const event = action === "hold" ? "held" as const : "removed" as const;
    await this.#tell(
      waiting.map(({ base: id }) => ({ event, id, to: destination, by: "person", who: by })),
    );
    if (action === "hold") {
      const when = new Date(clock.now()).toISOString();
      const reason = { kind: "held", reason: `Held back by ${by}`, when, tries: 0, by } as const;
      const { done, failed } = await spool.apart.hold(waiting, destination, reason);
      tally.done += done.length;
      const moved = new Set(done);
      for (const entry of waiting) {
        if (moved.has(entry)) continue;
        const item = { base: entry.base, destination };
        tally.fail(item, failed.has(entry) ? inShort(failed.get(entry)) : this.#whatBecame(item));
      }
      return;
    }
    for (const entry of waiting) {
      await turns.share();
      if (entry.waitsFor(destination)) {
        spool.removed(entry, destination);
        tally.done++;
      } else {tally.fail(
          { base: entry.base, destination },
          this.#whatBecame({ base: entry.base, destination }),
        );}
    }
    await spool.settled();
  }

  /** Acts on what failed, or is held. */
  async #actApart(
    action: ItemAction,
    state: ApartState,
    destination: string,
    items: readonly Item[],
    by: Person,
    tally: ActionTally,
  ): Promise<void> {
    const { spool, destinations, handOver } = this.#parts;
    const there: Item[] = [];
    const turns = this.#turns();
    for (const item of items) {
      await turns.share();
      if (isThere(this.#parts, item)) there.push(item);
      else tally.fail(item, "there is none: delivered or removed meanwhile");
    }
    if (action === "remove") {
      await this.#tell(there.map(({ base: id }) => ({
        event: "removed",
        id,
        to: destination,
        by: "person",
        who: by,
      })));
      const bases = there.map((item) => item.base);
      const { done, failed } = await spool.apart.remove(state, destination, bases);
      tally.done += done.length;
      for (const [base, error] of failed) tally.fail({ base, destination }, inShort(error));
      return;
    }
    if (destination !== UNROUTED && !destinations().includes(destination)) {
      tally.failAll(there, `the configuration has no destination ${destination}`);
      return;
    }
    const routes = await this.#routesOf(state, destination, there, tally);
    await this.#tell(
      [...routes].map(([base, to]) =>
        action === "release"
          ? { event: "released", id: base, to: destination, by: "person", who: by }
          : retried(base, destination, to, by)
      ),
    );
    const { done, failed } = await spool.apart.putBack(state, destination, routes);
    tally.done += done.length;
    for (const [base, error] of failed) tally.fail({ base, destination }, inShort(error));
    await handOver(done);
  }

  /** Where each goes: to the destination it is kept for; where no route had matched, as the routes are now. */
  async #routesOf(
    state: ApartState,
    destination: string,
    items: readonly Item[],
    tally: ActionTally,
  ): Promise<Map<string, readonly string[]>> {
    const routes = new Map<string, readonly string[]>();
    const same = [destination];
    for (const item of items) {
      if (destination !== UNROUTED) {
        routes.set(item.base, same);
        continue;
      }
      try {
        const instance = this.#parts.spool.apart.open(state, destination, item.base);
        try {
          const to = await this.#parts.route(instance);
          if (to.includes(UNROUTED)) tally.fail(item, "no route of the configuration matches it");
          else routes.set(item.base, to);
        } finally {
          instance.close();
        }
      } catch (error) {
        tally.fail(item, inShort(error));
      }
    }
    return routes;
  }

  /** Resolves when the lines are on the disk, or cannot be written: images come before paper. */
  async #tell(events: readonly Untimed[]): Promise<void> {
    const turns = this.#turns();
    const written = Promise.withResolvers<void>();
    for (const [n, event] of events.entries()) {
      await turns.share();
      const isLast = n === events.length - 1;
      this.#parts.ledger.append(event, isLast ? written.resolve : undefined);
    }
    if (events.length > 0) await written.promise;
  }

  /** What became of an item that waited a moment ago. */
  #whatBecame({ base, destination }: Pick<Item, "base" | "destination">): string {
    const { index } = this.#parts.spool;
    if (index.has("failed", destination, base)) return "given up meanwhile: it has failed";
    if (index.has("held", destination, base)) return "it is held already";
    return "delivered meanwhile";
  }

  #control(destination: string): LineControl | undefined {
    return this.#parts.scheduler().control(destination);
  }

  #turns(): Turns {
    return new Turns((ms, callback) => this.#parts.clock.after(ms, callback));
  }
}

function retried(id: string, of: string, to: readonly string[], who: Person): Untimed {
  return { event: "retried", id, by: "person", of, for: to, who };
}

function inShort(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
