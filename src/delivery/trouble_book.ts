/*
 * What each instance has met at one destination so far, and whether the destination took others meanwhile: what `retry.ts`
 * decides by. Nothing of it needs to survive a restart but the refusals, which are in the instance's name.
 */

import type { Entry } from "../spool/entry.ts";
import { noTroubles, type Troubles } from "./retry.ts";

interface Trouble {
  readonly counts: Troubles;
  /** Instances the destination had taken when this one was last tried. */
  deliveredThen: number;
}

export class TroubleBook {
  readonly #troubles = new Map<Entry, Trouble>();

  /**
   * Notes one more trouble.
   *
   * @param delivered instances the destination has taken so far
   * @param count the new count, where it is kept elsewhere; one more than before otherwise
   * @returns all counts, and whether others were taken since this instance was last tried
   */
  note(
    entry: Entry,
    kind: keyof Troubles,
    delivered: number,
    count?: number,
  ): { counts: Troubles; othersPass: boolean } {
    const trouble = this.#troubles.get(entry) ?? { counts: noTroubles(), deliveredThen: delivered };
    this.#troubles.set(entry, trouble);
    const { counts, deliveredThen } = trouble;
    trouble.deliveredThen = delivered;
    counts[kind] = count ?? counts[kind] + 1;
    return { counts, othersPass: delivered > deliveredThen };
  }

  forget(entry: Entry): void {
    this.#troubles.delete(entry);
  }
}
