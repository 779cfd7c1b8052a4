/*
 * What the open pages are told as it happens (server-sent events).
 *
 * Works only while somebody listens: once a second it looks, and what has changed is put into words once for all listeners.
 * A listener that does not take what it is sent is dropped rather than waited for or stored for: its browser connects again
 * and gets everything as it is then.
 */

import type { Clock } from "../clock.ts";
import type { Control } from "../control/control.ts";
import type { Throughput } from "../control/views.ts";
import { getLog } from "../log.ts";
import { HttpError } from "./http_error.ts";

const log = getLog("web");

/** Listeners at the same time. */
export const MAX_LISTENERS = 20;
/** Studies that are told. */
const STUDIES = 50;
const LOOK_MS = 1000;
/** Silence after which a comment is sent, so that a connection that has died is noticed, ms. */
const HEARTBEAT_MS = 15_000;
/** Events one listener may be behind. */
const MOST_BEHIND = 16;

interface Listener {
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  readonly mayListen: () => boolean;
}

export class EventHub {
  readonly #control: Control;
  readonly #clock: Clock;
  readonly #listeners = new Set<Listener>();
  readonly #encoder = new TextEncoder();
  #cancelLook: (() => void) | undefined;
  #overview = "";
  #studies = "";
  #until = 0;
  #saidAt = 0;
  #failing = false;
  #stopped = false;

  constructor(control: Control, clock: Clock) {
    this.#control = control;
    this.#clock = clock;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /**
   * Opens a stream, which begins with everything as it is.
   *
   * @param mayListen asked at each look: false ends the stream
   * @throws HttpError 503 where there are too many
   */
  subscribe(mayListen: () => boolean): Response {
    if (this.#stopped || this.#listeners.size >= MAX_LISTENERS) {
      throw new HttpError(503, `There are ${MAX_LISTENERS} open pages already: close some.`, 10);
    }
    let listener: Listener;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        listener = { controller, mayListen };
        this.#listeners.add(listener);
        this.#greet(listener);
      },
      cancel: () => void this.#forget(listener),
    }, { highWaterMark: MOST_BEHIND });
    return new Response(body, {
      headers: { "Content-Type": "text/event-stream", "Cache-Control": "no-store" },
    });
  }

  /** Ends every stream. */
  stop(): void {
    this.#stopped = true;
    for (const listener of [...this.#listeners]) this.#drop(listener);
  }

  /** The first look after nobody was there begins anew; one who joins is told what the others know. */
  #greet(listener: Listener): void {
    this.#send([listener], "retry: 2000\n\n");
    if (this.#cancelLook === undefined) {
      this.#overview = this.#studies = "";
      this.#until = this.#throughput().until;
      this.#cancelLook = this.#clock.after(0, () => void this.#look());
      return;
    }
    if (this.#overview !== "") this.#send([listener], this.#overviewEvent());
    if (this.#studies !== "") this.#send([listener], event("studies", this.#studies));
  }

  async #look(): Promise<void> {
    try {
      this.#lookAtOverview();
      this.#lookAtThroughput();
      await this.#lookAtStudies();
      this.#failing = false;
    } catch (error) {
      // Once, not each second.
      if (!this.#failing) log.error("The status page cannot be told what is going on", { error });
      this.#failing = true;
    }
    if (this.#clock.now() - this.#saidAt >= HEARTBEAT_MS) this.#sendAll(": still here\n\n");
    for (const listener of [...this.#listeners]) {
      if (!listener.mayListen()) this.#drop(listener);
    }
    this.#cancelLook = this.#listeners.size === 0
      ? undefined
      : this.#clock.after(LOOK_MS, () => void this.#look());
  }

  #lookAtOverview(): void {
    const { now: _always, ...rest } = this.#control.overview();
    const text = JSON.stringify(rest);
    if (text === this.#overview) return;
    this.#overview = text;
    this.#sendAll(this.#overviewEvent());
  }

  #overviewEvent(): string {
    return event("overview", `{"now":${this.#clock.now()},${this.#overview.slice(1)}`);
  }

  #throughput(): Throughput {
    return this.#control.throughput();
  }

  #lookAtThroughput(): void {
    const all = this.#throughput();
    const steps = all.step > 0 ? Math.round((all.until - this.#until) / all.step) : 0;
    if (steps <= 0) return;
    this.#until = all.until;
    const last = (values: number[]) => values.slice(-steps);
    const news: Throughput = {
      until: all.until,
      step: all.step,
      receivedInstances: last(all.receivedInstances),
      receivedBytes: last(all.receivedBytes),
      deliveredInstances: last(all.deliveredInstances),
      deliveredBytes: last(all.deliveredBytes),
    };
    this.#sendAll(event("throughput", JSON.stringify(news)));
  }

  async #lookAtStudies(): Promise<void> {
    const list = await this.#control.studies({ search: "", active: false, limit: STUDIES });
    const text = JSON.stringify(list);
    if (text === this.#studies) return;
    this.#studies = text;
    this.#sendAll(event("studies", text));
  }

  #sendAll(text: string): void {
    this.#saidAt = this.#clock.now();
    this.#send([...this.#listeners], text);
  }

  #send(listeners: readonly Listener[], text: string): void {
    const bytes = this.#encoder.encode(text);
    for (const listener of listeners) {
      if ((listener.controller.desiredSize ?? 0) <= 0) this.#drop(listener);
      else listener.controller.enqueue(bytes);
    }
  }

  #drop(listener: Listener): void {
    if (!this.#forget(listener)) return;
    // What it has not taken is thrown away with the connection.
    listener.controller.error(new Error("The listener was dropped"));
  }

  #forget(listener: Listener): boolean {
    const was = this.#listeners.delete(listener);
    if (this.#listeners.size === 0 && this.#stopped) {
      this.#cancelLook?.();
      this.#cancelLook = undefined;
    }
    return was;
  }
}

/** JSON has no line breaks outside of its texts, and inside they are escaped: one data line always. */
function event(name: string, json: string): string {
  return `event: ${name}\ndata: ${json}\n\n`;
}
