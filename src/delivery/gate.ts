/*
 * Whether attempts at a destination may begin: not while it is paused, changed for another one, or stopped.
 *
 * Owns the signal that sessions work by. A gate that closes ends the turn of all that went through it: they finish what is
 * under way and begin nothing more. One that opens again begins another turn.
 */

export class Gate {
  #turn = new AbortController();
  #state: "in use" | "changing" | "stopped" = "in use";
  #isPaused = false;

  /** Of the turn that is on; aborted where the gate is closed. */
  get signal(): AbortSignal {
    return this.#turn.signal;
  }

  /** Whether what breaks off now is our doing rather than the destination's. */
  get isEnding(): boolean {
    return this.#state !== "in use";
  }

  get isStopped(): boolean {
    return this.#state === "stopped";
  }

  pause(): void {
    this.#isPaused = true;
    this.#turn.abort();
  }

  resume(): void {
    this.#isPaused = false;
    this.#open();
  }

  /** False where that is under way, or all is over: `changed` or nothing will follow. */
  change(): boolean {
    if (this.#state !== "in use") return false;
    this.#state = "changing";
    this.#turn.abort();
    return true;
  }

  changed(): void {
    if (this.#state !== "changing") return;
    this.#state = "in use";
    this.#open();
  }

  /** For good. */
  stop(): void {
    this.#state = "stopped";
    this.#turn.abort();
  }

  #open(): void {
    if (this.#isPaused || this.#state !== "in use") return;
    if (this.#turn.signal.aborted) this.#turn = new AbortController();
  }
}
