/*
 * How instances come into the queue: from the receiver, from what a start finds, from `retry/`, from `failed/` when their
 * destination is configured again.
 *
 * Owns where each is bound (routing is pure, so what was routed before a crash is simply routed again) and that what waits
 * for a destination the configuration does not have is kept apart until it has. The configuration may change at any
 * moment: what is handed over, and what is not, is decided in one step with the names it has then. None is lost: what cannot
 * be moved stays where it is, is told, and is tried again.
 */

import type { Clock } from "../clock.ts";
import { failedEvent } from "../delivery/ledger_events.ts";
import { provenDeliveries } from "../ledger/at_start.ts";
import type { EventTaker } from "../ledger/event.ts";
import { getLog } from "../log.ts";
import { route } from "../routing/routing.ts";
import type { Entry } from "../spool/entry.ts";
import { UNROUTED } from "../spool/failed.ts";
import type { FileSystem } from "../spool/file_system.ts";
import { patiently } from "../spool/held.ts";
import { spoolPaths } from "../spool/paths.ts";
import type { Spool } from "../spool/spool.ts";
import type { StoredInstance } from "../spool/stored_instance.ts";
import { orSpoolError } from "../spool/version.ts";
import type { InForce } from "./in_force.ts";

const log = getLog("daemon");

export interface IntoQueueParts {
  readonly spool: Spool;
  readonly ledger: EventTaker;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly inForce: InForce;
  /** Hands over what is to be delivered, to the destinations that there are. */
  readonly deliver: (entries: readonly Entry[]) => void;
  /** The same for one destination alone. */
  readonly deliverTo: (destination: string, entries: readonly Entry[]) => void;
  /** Aborted at a stop: what is still to be moved then is moved by the next start. */
  readonly signal: AbortSignal;
}

/** One that waits for a destination which the configuration does not have. */
interface Homeless {
  readonly entry: Entry;
  readonly destination: string;
}

/** Instances that come back between two pauses. */
const AT_A_TIME = 64;

export class IntoQueue {
  readonly #parts: IntoQueueParts;
  /** Could not be moved; tried again by `takeLate`. */
  #stranded: Homeless[] = [];
  /** Destinations that came back while something was moved away for them. */
  readonly #cameBack = new Set<string>();

  constructor(parts: IntoQueueParts) {
    this.#parts = parts;
  }

  /**
   * What the spool holds at a start. Nothing of it is handed over yet.
   *
   * @throws {SpoolError} where the spool cannot be read
   */
  async recover(): Promise<Entry[]> {
    const { spool, inForce } = this.#parts;
    const { recovered, restored } = await orSpoolError(inForce.config.spoolDir, async () => {
      const recovered = await spool.recover((instance) => this.routeStored(instance));
      await this.#finishProven(recovered);
      return { recovered, restored: spool.restoreConfigured(new Set(inForce.names)) };
    });
    this.#recordReturned(restored, "configuration");
    const entries = [...recovered, ...restored];
    await this.#keepApart(this.#homeless(entries));
    return entries;
  }

  /** One instance that was received. */
  received(entry: Entry): void {
    const homeless = this.#homeless([entry]);
    this.#parts.deliver([entry]);
    if (homeless.length > 0) void this.#keepApart(homeless);
  }

  /** What waits for a destination that is gone. */
  async gone(destination: string, entries: readonly Entry[]): Promise<void> {
    await this.#keepApart(entries.map((entry) => ({ entry, destination })));
  }

  /** What failed because these destinations were not configured comes back, beside the work. */
  async restore(destinations: readonly string[]): Promise<void> {
    const { spool, signal } = this.#parts;
    let looked = 0;
    let restored: Entry[] = [];
    const handOver = () => {
      this.#recordReturned(restored, "configuration");
      void this.handOver(restored);
      restored = [];
    };
    for (const entry of spool.restoring(new Set(destinations))) {
      if (entry !== undefined) restored.push(entry);
      if (++looked % AT_A_TIME > 0) continue;
      handOver();
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (signal.aborted) return;
    }
    handOver();
  }

  /** What a person put back, and what just missed its destination's coming back. */
  async adoptRetries(): Promise<void> {
    if (this.#cameBack.size > 0) {
      const cameBack = [...this.#cameBack];
      this.#cameBack.clear();
      await this.restore(cameBack);
    }
    const adopted = await this.#parts.spool.adoptRetries(
      (instance) => this.routeStored(instance),
      UNROUTED,
    );
    if (adopted.length === 0) return;
    log.info("Instances put back by hand are in the queue again", { count: adopted.length });
    this.#recordReturned(adopted, "person");
    await this.handOver(adopted);
  }

  /** What could not be taken or moved before, because another program held it, say. */
  async takeLate(): Promise<void> {
    const { spool, inForce } = this.#parts;
    const recovered = await spool.recoverLate((instance) => this.routeStored(instance));
    if (recovered.length > 0) await this.#finishProven(recovered);
    const restored = spool.restoreHeldBack(new Set(inForce.names));
    this.#recordReturned(restored, "configuration");
    const late = [...recovered, ...restored];
    if (late.length > 0) {
      log.info("Instances that could not be taken before are in the queue now", {
        count: late.length,
      });
      await this.handOver(late);
    }
    const stranded = this.#stranded;
    this.#stranded = [];
    await this.#keepApart(stranded, false);
  }

  /** What is in the queue again. */
  async handOver(entries: readonly Entry[]): Promise<void> {
    const homeless = this.#homeless(entries);
    this.#parts.deliver(entries);
    if (homeless.length > 0) await this.#keepApart(homeless);
  }

  #homeless(entries: readonly Entry[]): Homeless[] {
    const { inForce } = this.#parts;
    const homeless: Homeless[] = [];
    for (const entry of entries) {
      for (const { destination } of entry.waiting) {
        if (!inForce.has(destination)) homeless.push({ entry, destination });
      }
    }
    return homeless;
  }

  /** Where an instance goes; `unrouted` alone where no route matches. */
  async routeStored(instance: StoredInstance): Promise<readonly string[]> {
    const { identification } = await instance.identify();
    const { config, names } = this.#parts.inForce;
    const destinations = route(
      {
        callingAeTitle: instance.meta.sourceAeTitle,
        calledAeTitle: instance.meta.receivingAeTitle,
        sopClassUid: instance.meta.sopClassUid,
        modality: identification.modality || null,
      },
      config.routes,
      names,
    );
    return destinations.length === 0 ? [UNROUTED] : destinations;
  }

  /**
   * Moves to `failed/` what waits for a destination that the configuration does not have, and hands over what it has again.
   *
   * @param tell whether one that cannot be moved is to be told of
   */
  async #keepApart(homeless: readonly Homeless[], tell = true): Promise<void> {
    const { spool, ledger, clock, inForce, deliverTo, signal } = this.#parts;
    for (const { entry, destination } of homeless) {
      if (signal.aborted) return;
      if (!entry.waitsFor(destination)) continue;
      if (inForce.has(destination)) {
        deliverTo(destination, [entry]);
        continue;
      }
      const unrouted = destination === UNROUTED;
      const kind = unrouted ? "unrouted" : "not-configured";
      const reason = unrouted
        ? "No route of the configuration matches this instance"
        : `The configuration has no destination ${destination} any more`;
      const tries = entry.triesOf(destination);
      try {
        const when = new Date(clock.now()).toISOString();
        if (!await spool.fail(entry, destination, { kind, reason, when, tries })) continue;
        ledger.append(failedEvent(entry, destination, { kind, reason, tries }));
        log.error("Instance kept in failed/: {reason}", { reason, entry: entry.base });
      } catch (error) {
        this.#stranded.push({ entry, destination });
        if (!tell) continue;
        log.error("Cannot move an instance to failed/; it stays in the queue", {
          entry: entry.base,
          error,
        });
      }
      if (inForce.has(destination)) this.#cameBack.add(destination);
    }
  }

  /** What the end of the ledger proves delivered, and a crash left in the queue, is not sent again. */
  async #finishProven(entries: readonly Entry[]): Promise<void> {
    const { spool, files, clock, inForce } = this.#parts;
    try {
      const { ledger } = spoolPaths(inForce.config.spoolDir);
      const proven = await patiently(
        () => provenDeliveries(files, ledger),
        (ms, callback) => clock.after(ms, callback),
      );
      if (proven.size === 0) return;
      for (const entry of entries) {
        for (const destination of proven.get(entry.base) ?? []) spool.delivered(entry, destination);
      }
      // Held back while it was under way, by a command beside this program.
      for (const [base, destinations] of proven) {
        for (const destination of destinations) {
          if (spool.index.has("held", destination, base)) spool.apart.arrived(base, destination);
        }
      }
    } catch (error) {
      log.error("Cannot read the ledger; deliveries that a crash interrupted may be repeated", {
        error,
      });
    }
  }

  #recordReturned(returned: readonly Entry[], by: "person" | "configuration"): void {
    for (const { base: id, failedFor, waiting } of returned) {
      const now = waiting.map((one) => one.destination);
      for (const of of failedFor) {
        const back = now.includes(of) ? [of] : now;
        this.#parts.ledger.append({ event: "retried", id, by, of, for: back });
      }
    }
  }
}
