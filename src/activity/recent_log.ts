/*
 * The last lines of the log, in memory, for who looks on.
 */

import type { LogLine } from "../control/views.ts";

/** Lines kept. */
export const LINES = 500;

export class RecentLog {
  readonly #lines: LogLine[] = [];
  /** Where the next line goes; the oldest one's place once it is full. */
  #next = 0;

  /**
   * @param at ms since 1970
   * @param text safe to show: one line, with what is not text escaped
   */
  take(at: number, level: LogLine["level"], text: string): void {
    this.#lines[this.#next] = { at, level, text };
    this.#next = (this.#next + 1) % LINES;
  }

  /** The latest lines, oldest first. */
  read(limit: number): LogLine[] {
    const full = this.#lines.length === LINES;
    const all = full
      ? [...this.#lines.slice(this.#next), ...this.#lines.slice(0, this.#next)]
      : this.#lines.slice();
    return limit <= 0 ? [] : all.slice(-limit);
  }
}
