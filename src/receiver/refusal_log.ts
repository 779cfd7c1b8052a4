/*
 * The log lines about those who are not let in: one a minute for each address and kind, the rest as a count.
 *
 * Owns the timer that tells the counts. A scanner or a device with a wrong setting tries again for days; the metrics count
 * each try.
 */

import { networkOf } from "../access/address.ts";
import { Repeats } from "../access/repeats.ts";
import { getLog } from "../log.ts";
import type { Turned } from "./door.ts";

const log = getLog("receiver");

/** How often it is looked what is to be told, in ms. */
const LOOK_MS = 5_000;

/** A rejected request, as it is told. */
export interface RejectedRequest {
  readonly why: string;
  readonly calling: string;
  readonly called: string;
  /** Address and port. */
  readonly from: string;
}

type Told =
  | { readonly kind: "rejected"; readonly request: RejectedRequest }
  | { readonly kind: "turned"; readonly turned: Turned; readonly host: string };

const TURNED: Readonly<Record<Turned, string>> = {
  rate: "faster than connection_rate allows",
  crowded: "too many are open",
};

export class RefusalLog {
  readonly #repeats: Repeats<Told>;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param now ms; only ever forward */
  constructor(now: () => number) {
    this.#repeats = new Repeats(now);
  }

  /** @param numbers result, source and reason: each has its own line */
  rejected(host: string, numbers: readonly number[], request: RejectedRequest): void {
    const told: Told = { kind: "rejected", request };
    if (this.#take(`${numbers.join(",")} ${networkOf(host)}`, told)) {
      log.warn("Association rejected: {why}", { ...request });
    }
  }

  /** @param open connections that are open */
  turnedAway(host: string, turned: Turned, open: number): void {
    if (!this.#take(`${turned} ${networkOf(host)}`, { kind: "turned", turned, host })) return;
    log.warn("Connection closed at once: {why}", { why: TURNED[turned], from: host, open });
  }

  /** Tells what is left, and nothing more. */
  stop(): void {
    this.#tell(true);
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #take(kind: string, told: Told): boolean {
    this.#timer ??= setInterval(() => this.#tell(false), LOOK_MS);
    return this.#repeats.take(kind, told);
  }

  #tell(all: boolean): void {
    for (const { count, last } of this.#repeats.due(all)) {
      if (last.kind === "rejected") {
        log.warn("Association rejected again within a minute: {why}", { count, ...last.request });
      } else {
        const { host, turned } = last;
        log.warn("Connections closed at once within a minute: {why}", {
          why: TURNED[turned],
          count,
          from: host,
        });
      }
    }
    if (this.#repeats.waits) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
