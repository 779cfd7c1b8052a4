/*
 * What each instance has met at one destination so far, and what of it counts against the instance.
 *
 * Owns the counts in memory; what follows from them is `retry.ts`. Trouble that may be the destination's own (no answer,
 * out of resources) counts only where others passed since the instance was last tried: an outage spends nobody's tries.
 */

import type { Entry } from "../spool/entry.ts";
import { DOUBTFUL, type Met, noTroubles, type Troubles } from "./retry.ts";

/** What an instance met when it was attempted last. */
export interface LastTrouble {
  /** In words. */
  readonly reason: string;
  /** When it is tried again, in ms since 1970; undefined where that has not been decided. */
  readonly dueAt: number | undefined;
}

interface Trouble extends Met, LastTrouble {
  readonly counts: Troubles;
  attempts: number;
  othersPass: boolean;
  /** Instances the destination had taken when this one was last tried. */
  deliveredThen: number;
  reason: string;
  dueAt: number | undefined;
}

export class TroubleBook {
  readonly #troubles = new Map<Entry, Trouble>();

  /**
   * Notes a failed attempt.
   *
   * @param delivered instances the destination has taken so far
   * @param reason in words
   */
  note(entry: Entry, kind: keyof Troubles, delivered: number, reason: string): Trouble {
    let trouble = this.#troubles.get(entry);
    if (trouble === undefined) {
      trouble = {
        counts: noTroubles(),
        attempts: 0,
        othersPass: false,
        deliveredThen: delivered,
        reason,
        dueAt: undefined,
      };
      this.#troubles.set(entry, trouble);
    }
    trouble.attempts++;
    trouble.reason = reason;
    trouble.dueAt = undefined;
    trouble.othersPass = delivered > trouble.deliveredThen;
    trouble.deliveredThen = delivered;
    const { counts, othersPass } = trouble;
    if (othersPass || counts[kind] === 0 || !DOUBTFUL.has(kind)) counts[kind]++;
    return trouble;
  }

  /** The latest trouble of an instance; undefined where it has met none. */
  last(entry: Entry): LastTrouble | undefined {
    return this.#troubles.get(entry);
  }

  /** The instance is done with. */
  forget(entry: Entry): void {
    this.#troubles.delete(entry);
  }
}
