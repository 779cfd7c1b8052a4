/*
 * One lane to a destination: a session at work, or parked with it until there is work.
 */

import type { Clock } from "../clock.ts";
import type { Session } from "./outcome.ts";

export class Lane {
  session: Session | undefined;
  #wake: (() => void) | undefined;

  /** True while it waits for work. */
  get parked(): boolean {
    return this.#wake !== undefined;
  }

  /** Ends the waiting, if it waits. */
  wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Waits for work with the session open. False when none came within `idleMs`. */
  async park(clock: Clock, idleMs: number): Promise<boolean> {
    const woken = Promise.withResolvers<boolean>();
    this.#wake = () => woken.resolve(true);
    const cancel = clock.after(idleMs, () => woken.resolve(false));
    const work = await woken.promise;
    cancel();
    this.#wake = undefined;
    return work;
  }
}
