/*
 * Brings what waits in the store to the audit server, in order, again and again until it is there.
 *
 * Owns when is tried and what is told of it: once that the server cannot be reached, once that it can. A batch over a
 * connection that broke is sent again as a whole, so that messages may come twice and none is lost by it. So is the last one
 * before an outage: a server that ends in the moment in which it is sent to closes as one does that has read everything.
 */

import type { Clock } from "../clock.ts";
import type { AuditConfig } from "../config/audit.ts";
import type { AuditStore, Batch } from "./store.ts";
import { sendMessages, type SendResult } from "./transport.ts";

/** Messages of one connection, at most. */
const BATCH = 1_000;
/** After a failure, doubling; in ms. */
const FIRST_MS = 1_000;
const LONGEST_MS = 60_000;
/** How long more is waited for before a connection is made, in ms. */
const GATHER_MS = 500;

export interface CourierOptions {
  readonly clock: Clock;
  readonly store: Pick<AuditStore, "next" | "sent">;
  readonly config: AuditConfig;
  /** 0 to 1 */
  readonly random: () => number;
  readonly warn: (message: string) => void;
  readonly info: (message: string) => void;
  readonly send?: (
    config: AuditConfig,
    messages: readonly string[],
    signal: AbortSignal,
  ) => Promise<SendResult>;
}

export class Courier {
  readonly #options: CourierOptions;
  readonly #stopping = new AbortController();
  #config: AuditConfig;
  #running: Promise<void> | undefined;
  #again = false;
  #waking: (() => void) | undefined;
  #failures = 0;
  /** To be called at the next failure. */
  #failed: (() => void)[] = [];
  /** Sent over a connection that the server neither broke nor closed: sent once more as it is. */
  #unanswered: Batch | undefined;
  /** The last that was taken. */
  #last: Batch | undefined;
  /** Why the server cannot be reached; null where it can, or has not been tried. */
  trouble: string | null = null;

  constructor(options: CourierOptions) {
    this.#options = options;
    this.#config = options.config;
  }

  /** Something waits. May be called at any rate. */
  wake(): void {
    if (this.#stopping.signal.aborted) return;
    this.#again = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#again) this.wake();
    });
  }

  /** Another server, or another way to it: it is tried at once. */
  configure(config: AuditConfig): void {
    this.#config = config;
    this.#failures = 0;
    this.#waking?.();
    this.wake();
  }

  /**
   * Ends it; what is not sent stays in the store.
   *
   * @param within ms for what waits to be sent
   */
  async stop(within: number): Promise<void> {
    this.#waking?.();
    this.wake();
    const cancel = this.#options.clock.after(within, () => this.#stopping.abort());
    // With a server that is away one try is enough.
    const failures = this.#failures;
    while (this.#running !== undefined && this.#failures <= failures) {
      await Promise.race([this.#running, this.#nextFailure()]);
    }
    this.#stopping.abort();
    this.#waking?.();
    cancel();
    await this.#running;
  }

  #nextFailure(): Promise<void> {
    return new Promise((resolve) => this.#failed.push(resolve));
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    await this.#pause(GATHER_MS);
    while (!signal.aborted) {
      this.#again = false;
      try {
        if (!await this.#sendNext()) return;
      } catch (error) {
        this.#fail(error instanceof Error ? error.message : String(error));
        await this.#pause(this.#delay());
      }
    }
    this.#again = false;
  }

  /** False where nothing waits. */
  async #sendNext(): Promise<boolean> {
    const { store, info, send = sendMessages } = this.#options;
    const batch = this.#unanswered ?? this.#repeated() ?? await store.next(BATCH);
    if (batch === undefined) return false;
    const result = await send(this.#config, batch.messages, this.#stopping.signal);
    if (result === "unanswered" && this.#unanswered === undefined) {
      // Once more, in case the server had vanished; one that is there and never closes has them by then.
      this.#unanswered = batch;
      return true;
    }
    this.#unanswered = undefined;
    if (batch !== this.#last) store.sent(batch);
    this.#last = batch;
    if (this.trouble !== null) info("The audit server takes messages again");
    this.trouble = null;
    this.#failures = 0;
    return true;
  }

  /** The batch before the outage, where there is one. */
  #repeated(): Batch | undefined {
    return this.trouble === null ? undefined : this.#last;
  }

  #delay(): number {
    if (this.#failures === 0) return 0;
    const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(this.#failures - 1, 10));
    return longest * (0.5 + this.#options.random() / 2);
  }

  #fail(reason: string): void {
    const { signal } = this.#stopping;
    this.#failures++;
    if (this.trouble === null && !signal.aborted) {
      this.#options.warn(`Audit messages wait, the server takes none: ${reason}`);
    }
    if (!signal.aborted) this.trouble = reason;
    for (const resolve of this.#failed.splice(0)) resolve();
  }

  #pause(ms: number): Promise<void> {
    if (ms === 0 || this.#stopping.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        this.#waking = undefined;
        resolve();
      };
      const cancel = this.#options.clock.after(ms, end);
      this.#waking = end;
    });
  }
}
