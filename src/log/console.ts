/*
 * The log on stderr.
 *
 * Writes beside the caller and one write at a time: a terminal that is held (a selection in a Windows console stops every
 * writer) or a pipe nobody reads must not stop the forwarder. Beyond a limit lines are dropped and counted; stderr being
 * gone altogether is told through `onGone`, once.
 */

const MAX_WAITING = 1024 * 1024;

/** Lines that follow each other so closely go out together, ms: a write of its own costs each more than its text. */
const TOGETHER_MS = 50;

export class ConsoleLines {
  readonly #onGone: (reason: string) => void;
  #waiting = "";
  #dropped = 0;
  #gone = false;
  #wroteAt = -Infinity;
  #running: Promise<void> | null = null;

  constructor(onGone: (reason: string) => void) {
    this.#onGone = onGone;
  }

  /** Takes a line with its line feed; never waits and never throws. */
  append(line: string): void {
    if (this.#gone) return;
    if (this.#waiting.length + line.length > MAX_WAITING) {
      this.#dropped++;
      return;
    }
    this.#waiting += line;
    this.#running ??= this.#run();
  }

  /** Resolves when all is written or stderr is gone. */
  async flush(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  async #run(): Promise<void> {
    try {
      while (this.#waiting !== "") {
        const since = performance.now() - this.#wroteAt;
        if (since < TOGETHER_MS) {
          await new Promise((resolve) => setTimeout(resolve, TOGETHER_MS - since));
        } else await Promise.resolve();
        this.#wroteAt = performance.now();
        const note = this.#dropped > 0 ? `(${this.#dropped} lines not shown here)\n` : "";
        let bytes = new TextEncoder().encode(this.#waiting + note);
        this.#waiting = "";
        this.#dropped = 0;
        while (bytes.length > 0) bytes = bytes.subarray(await Deno.stderr.write(bytes));
      }
    } catch (error) {
      this.#gone = true;
      this.#onGone(error instanceof Error ? error.message : String(error));
    } finally {
      // Not in a later callback: a line taken between the last look and that would wait for the next one.
      this.#running = null;
    }
  }
}
