/*
 * What waits to be sent through one channel, and when it is tried.
 *
 * Owns order, gathering, back-off and the bound. What cannot be sent waits, for as long as the other side is away, also over
 * a restart; where too much waits, what has begun and ended meanwhile goes first. A channel that fails is logged once, and
 * once when it works again; it disturbs nobody else.
 */

import type { Clock } from "../clock.ts";
import { getLog } from "../log.ts";
import { type Channel, ChannelError, type Notice } from "./channel.ts";

const log = getLog("alarms");

/** Messages that wait for one channel, at most. */
export const MOST_WAITING = 100;
/** First and longest wait after a failure, in ms. */
const FIRST_RETRY_MS = 5_000;
const LONGEST_RETRY_MS = 600_000;
/** No attempt takes longer, whatever a channel does, in ms. */
const LONGEST_ATTEMPT_MS = 120_000;

/** What waits for one channel, as it is kept over a restart. */
export interface Waiting {
  readonly notices: readonly Notice[];
  /** Messages that were left out. */
  readonly left: number;
}

/**
 * What is left of messages where there are too many: the oldest begin that has its end among them goes with it and with what
 * was repeated between, then the oldest repeats, then the oldest.
 */
export function collapse(notices: readonly Notice[], most: number): Notice[] {
  let rest = [...notices];
  while (rest.length > most) {
    const gone = dispensable(rest);
    rest = rest.filter((one) => !gone.has(one));
  }
  return rest;
}

function dispensable(notices: readonly Notice[]): Set<Notice> {
  for (const [index, begin] of notices.entries()) {
    if (begin.event !== "begin") continue;
    const end = notices.findIndex((one, at) =>
      at > index && one.key === begin.key && one.event === "end"
    );
    if (end < 0) continue;
    return new Set(notices.slice(index, end + 1).filter((one) => one.key === begin.key));
  }
  return new Set([notices.find((one) => one.event === "repeat") ?? notices[0]!]);
}

export interface OutboxOptions {
  readonly clock: Clock;
  /** 0 to 1 */
  readonly random: () => number;
  /** What waits is different now: worth keeping. */
  readonly changed: () => void;
}

export class Outbox {
  readonly #channel: Channel;
  readonly #options: OutboxOptions;
  #notices: Notice[];
  #left: number;
  /** Failed attempts in a row. */
  #failures = 0;
  #trouble = "";
  #cancel: (() => void) | undefined;
  #sending: Promise<void> | undefined;
  readonly #stopping = new AbortController();

  /** @param waiting what an earlier run left; it is tried at once */
  constructor(channel: Channel, options: OutboxOptions, waiting?: Waiting) {
    this.#channel = channel;
    this.#options = options;
    this.#notices = collapse(waiting?.notices ?? [], MOST_WAITING);
    this.#left = waiting?.left ?? 0;
    if (this.#notices.length > 0) this.#wait(0);
  }

  get name(): string {
    return this.#channel.name;
  }

  get waiting(): Waiting {
    return { notices: this.#notices, left: this.#left };
  }

  /** Takes a message; it is sent when it can be. */
  offer(notice: Notice): void {
    const before = this.#notices.length + 1;
    this.#notices = collapse([...this.#notices, notice], MOST_WAITING);
    this.#left += before - this.#notices.length;
    this.#options.changed();
    if (this.#sending === undefined && this.#cancel === undefined) {
      this.#wait(this.#channel.gatherMs);
    }
  }

  /** Sends one message now, past what waits: what was answered, in words. Never throws. */
  async test(notice: Notice, signal: AbortSignal): Promise<{ ok: boolean; text: string }> {
    try {
      const text = await this.#attempt([notice], 0, signal);
      // It works: what waits for the next attempt need not.
      if (this.#notices.length > 0 && this.#sending === undefined) this.#wait(0);
      return { ok: true, text };
    } catch (error) {
      return { ok: false, text: wordsOf(error) };
    }
  }

  /**
   * Tries once more what waits, and is silent from then on.
   *
   * @param within ms that this may take; 0 = nothing is tried any more
   */
  async stop(within: number): Promise<void> {
    this.#rest();
    const stopLate = this.#options.clock.after(within, () => this.#stopping.abort());
    try {
      await this.#sending;
      if (within > 0 && this.#failures === 0 && this.#notices.length > 0) await this.#sendAll();
    } finally {
      stopLate();
      this.#stopping.abort();
      this.#rest();
    }
  }

  /** Takes back what was to be tried later. */
  #rest(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #wait(ms: number): void {
    this.#rest();
    this.#cancel = this.#options.clock.after(ms, () => {
      this.#cancel = undefined;
      this.#sending = this.#sendAll().finally(() => {
        this.#sending = undefined;
        const isForgotten = this.#notices.length > 0 && this.#cancel === undefined;
        if (isForgotten && !this.#stopping.signal.aborted) this.#wait(this.#channel.gatherMs);
      });
    });
  }

  async #sendAll(): Promise<void> {
    while (this.#notices.length > 0 && !this.#stopping.signal.aborted) {
      const batch = this.#notices.slice(0, this.#channel.most);
      const left = this.#left;
      try {
        await this.#attempt(batch, left, this.#stopping.signal);
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#failed(wordsOf(error));
        return;
      }
      this.#notices = this.#notices.filter((one) => !batch.includes(one));
      this.#left -= left;
      this.#worked();
      this.#options.changed();
    }
  }

  /** Ends with the signal, or in time, whatever the channel does. */
  async #attempt(notices: Notice[], left: number, signal: AbortSignal): Promise<string> {
    const end = new AbortController();
    const { promise: ended, reject } = Promise.withResolvers<never>();
    const giveUp = () => {
      const why = signal.aborted ? "the attempt was broken off" : "it took too long";
      reject(new ChannelError(why));
      end.abort();
    };
    const cancel = this.#options.clock.after(LONGEST_ATTEMPT_MS, giveUp);
    signal.addEventListener("abort", giveUp);
    if (signal.aborted) giveUp();
    const sent = this.#channel.send(notices, left, end.signal);
    try {
      return await Promise.race([sent, ended]);
    } finally {
      cancel();
      signal.removeEventListener("abort", giveUp);
      // Whichever was late has nobody to be told any more.
      sent.catch(() => {});
      ended.catch(() => {});
    }
  }

  #failed(trouble: string): void {
    const waiting = this.#notices.length;
    if (this.#failures === 0) {
      log.warn("Alarms cannot be sent by {channel}, they wait: {trouble}", {
        channel: this.name,
        trouble,
        waiting,
      });
    } else if (trouble !== this.#trouble) {
      log.debug("Alarms still cannot be sent by {channel}: {trouble}", {
        channel: this.name,
        trouble,
      });
    }
    this.#trouble = trouble;
    this.#failures++;
    const ceiling = Math.min(
      LONGEST_RETRY_MS,
      FIRST_RETRY_MS * 2 ** Math.min(this.#failures - 1, 20),
    );
    this.#wait(ceiling / 2 + this.#options.random() * ceiling / 2);
  }

  #worked(): void {
    if (this.#failures > 0) {
      log.info("Alarms are sent by {channel} again", {
        channel: this.name,
        failures: this.#failures,
      });
    }
    this.#failures = 0;
    this.#trouble = "";
  }
}

function wordsOf(error: unknown): string {
  if (error instanceof ChannelError) return error.message;
  // Nothing that a channel throws may end the process; its own words may name a secret.
  return `an error of the program itself (${error instanceof Error ? error.name : typeof error})`;
}
