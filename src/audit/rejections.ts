/*
 * Who is turned away, told at once and then once a minute with how often: a stranger who tries a thousand times makes a few
 * messages. Memory is bounded.
 */

import type { Clock } from "../clock.ts";
import type { Rejection } from "./events.ts";

/** In ms. */
const GATHER_MS = 60_000;
/** Different ones that are told apart; further ones are counted together. */
const MOST = 200;

export class Rejections {
  readonly #clock: Clock;
  readonly #tell: (rejection: Rejection, at: number) => void;
  readonly #seen = new Map<string, { rejection: Omit<Rejection, "times">; times: number }>();
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, tell: (rejection: Rejection, at: number) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  add(rejection: Omit<Rejection, "times">): void {
    const { calling, called, host } = rejection;
    const key = JSON.stringify([calling, called, host]);
    const seen = this.#seen.get(key);
    if (seen !== undefined) seen.times++;
    else if (this.#seen.size < MOST) {
      this.#seen.set(key, { rejection, times: 0 });
      this.#tell({ ...rejection, times: 1 }, this.#clock.now());
    } else {
      const others = { calling: "", called: "", host: "", why: "Many others are rejected" };
      const counted = this.#seen.get("") ?? { rejection: others, times: 0 };
      counted.times++;
      this.#seen.set("", counted);
    }
    this.#cancel ??= this.#clock.after(GATHER_MS, () => {
      this.#cancel = undefined;
      this.flush();
    });
  }

  /** Tells what came since each was told first. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const now = this.#clock.now();
    for (const { rejection, times } of this.#seen.values()) {
      if (times > 0) this.#tell({ ...rejection, times }, now);
    }
    this.#seen.clear();
  }
}
