/*
 * Which instances are read now, by their base: the same file may be opened as one entry and delivered as another, where it
 * was held back and let go between, and under another name. What is read is never written over.
 */

export class OpenFiles {
  /** How often each is open. */
  readonly #open = new Map<string, number>();

  /** A file of it has been opened: `closed` has to follow. */
  opened(base: string): void {
    this.#open.set(base, (this.#open.get(base) ?? 0) + 1);
  }

  closed(base: string): void {
    const others = this.#open.get(base)! - 1;
    if (others === 0) this.#open.delete(base);
    else this.#open.set(base, others);
  }

  has(base: string): boolean {
    return this.#open.has(base);
  }
}
