/*
 * What a person may do to what waits for one destination, while it is being delivered.
 *
 * Owns which entries are being attempted, and which are claimed by somebody who is about to move their files: no attempt
 * begins on a claimed one, and one that is being attempted shows as busy until what came of it is written down. It moves no
 * file itself.
 */

import type { Entry } from "../spool/entry.ts";
import type { LastTrouble } from "./trouble_book.ts";
import type { WaitingLine } from "./waiting_line.ts";

/** What the destination's group lends it. */
export interface LineControlHost {
  readonly line: WaitingLine;
  /** What an entry met last. */
  readonly trouble: (entry: Entry) => LastTrouble | undefined;
  /** False where the entry needs nothing more of this destination; it is done with then. */
  readonly isWanted: (entry: Entry) => boolean;
  /** More may be attempted now. */
  readonly wake: () => void;
}

export class LineControl {
  readonly #host: LineControlHost;
  /** Attempted, and what came of it not yet written down. */
  readonly #busy = new Set<Entry>();
  readonly #claimed = new Set<Entry>();
  /** Their turn came while they were claimed. */
  readonly #passedOver = new Set<Entry>();
  #ended: PromiseWithResolvers<void> | undefined;

  constructor(host: LineControlHost) {
    this.#host = host;
  }

  // For the group.

  /** An entry has been taken from the line to be attempted. False where it must not be: it comes back by itself. */
  begin(entry: Entry): boolean {
    if (this.#claimed.has(entry)) {
      this.#passedOver.add(entry);
      return false;
    }
    this.#busy.add(entry);
    return true;
  }

  /** What came of the attempt is written down, or nothing came of it. */
  end(entry: Entry): void {
    this.#busy.delete(entry);
    this.#ended?.resolve();
    this.#ended = undefined;
  }

  /** What was passed over because it is claimed: it does not come back into the line then. */
  takePassedOver(): Entry[] {
    const passedOver = [...this.#passedOver];
    this.#passedOver.clear();
    return passedOver;
  }

  // For the person.

  /** Whether an attempt is under way, or what came of it is being written down. */
  isBusy(entry: Entry): boolean {
    return this.#busy.has(entry);
  }

  /** Resolves when the next attempt is over. */
  nextEnd(): Promise<void> {
    return (this.#ended ??= Promise.withResolvers()).promise;
  }

  /** From now on no attempt begins on these. */
  claim(entries: Iterable<Entry>): void {
    for (const entry of entries) this.#claimed.add(entry);
  }

  /** Attempts may begin again on those that still wait. */
  unclaim(entries: Iterable<Entry>): void {
    const back: Entry[] = [];
    for (const entry of entries) {
      this.#claimed.delete(entry);
      if (this.#passedOver.delete(entry) && this.#host.isWanted(entry)) back.push(entry);
    }
    if (back.length === 0) return;
    this.#host.line.putBack(back);
    this.#host.wake();
  }

  /** Forgets entries that need nothing more of this destination: so they are not counted as waiting, nor prepared for. */
  sweep(): void {
    this.#host.line.keep(this.#host.isWanted);
  }

  /** Entries that wait for a time of their own go now. */
  hurry(entries: ReadonlySet<Entry>): void {
    if (this.#host.line.hurry(entries)) this.#host.wake();
  }

  /** What an entry met at its last attempt, and when it is next attempted; undefined where nothing is known. */
  trouble(entry: Entry): LastTrouble | undefined {
    return this.#host.trouble(entry);
  }
}
