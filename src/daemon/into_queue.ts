/*
 * How instances come into the queue: from the receiver, from what a start finds, from `retry/`, from `failed/` when their
 * destination is configured again.
 *
 * Owns where each is bound (routing is pure, so what was routed before a crash is simply routed again) and that what waits
 * for a destination the configuration does not have is kept apart until it has. It loses none: what cannot be moved stays
 * where it is and is told.
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
  /** Hands over what is to be delivered. */
  readonly deliver: (entries: readonly Entry[]) => void;
}

export class IntoQueue {
  readonly #parts: IntoQueueParts;

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
      const recovered = await spool.recover((instance) => this.#routeStored(instance));
      await this.#finishProven(recovered);
      return { recovered, restored: spool.restoreConfigured(new Set(inForce.names)) };
    });
    this.#recordReturned(restored, "configuration");
    const entries = [...recovered, ...restored];
    await this.#setUnknownAside(entries);
    return entries;
  }

  /** One instance that was received. */
  received(entry: Entry): void {
    if (entry.waitsFor(UNROUTED)) void this.#setUnknownAside([entry]);
    else this.#parts.deliver([entry]);
  }

  /** What a person put back. */
  async adoptRetries(): Promise<void> {
    const adopted = await this.#parts.spool.adoptRetries(
      (instance) => this.#routeStored(instance),
      UNROUTED,
    );
    if (adopted.length === 0) return;
    log.info("Instances put back by hand are in the queue again", { count: adopted.length });
    this.#recordReturned(adopted, "person");
    await this.#handOver(adopted);
  }

  /** What another program held when this one started, and holds no more. */
  async takeLate(): Promise<void> {
    const { spool, inForce } = this.#parts;
    const recovered = await spool.recoverLate((instance) => this.#routeStored(instance));
    if (recovered.length > 0) await this.#finishProven(recovered);
    const restored = spool.restoreHeldBack(new Set(inForce.names));
    this.#recordReturned(restored, "configuration");
    const late = [...recovered, ...restored];
    if (late.length === 0) return;
    log.info("Instances that another program held at the start are in the queue now", {
      count: late.length,
    });
    await this.#handOver(late);
  }

  async #handOver(entries: readonly Entry[]): Promise<void> {
    await this.#setUnknownAside(entries);
    this.#parts.deliver(entries.filter((entry) => entry.queued));
  }

  async #routeStored(instance: StoredInstance): Promise<readonly string[]> {
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

  /** What waits for a destination that the configuration does not have is kept apart until it has. */
  async #setUnknownAside(entries: readonly Entry[]): Promise<void> {
    const { spool, ledger, clock, inForce } = this.#parts;
    for (const entry of entries) {
      // Another list takes this one's place when a destination is set aside; what is gone through stays as it is.
      for (const { destination, tries } of entry.waiting) {
        if (inForce.names.includes(destination)) continue;
        const unrouted = destination === UNROUTED;
        const kind = unrouted ? "unrouted" : "not-configured";
        const reason = unrouted
          ? "No route of the configuration matches this instance"
          : `The configuration has no destination ${destination} any more`;
        try {
          const when = new Date(clock.now()).toISOString();
          await spool.fail(entry, destination, { kind, reason, when, tries });
          ledger.append(failedEvent(entry, destination, { kind, reason, tries }));
          log.error("Instance kept in failed/: {reason}", { reason, entry: entry.base });
        } catch (error) {
          log.error("Cannot move an instance to failed/; it stays in the queue", {
            entry: entry.base,
            error,
          });
        }
      }
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
