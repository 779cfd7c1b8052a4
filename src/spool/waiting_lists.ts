/*
 * What entries wait for, once for all that wait for the same: a million of them need no million lists.
 *
 * Owns the lists; they are never changed in place. A list is found by the end of a file's name, which says it.
 */

import { formatEnding, parseEnding, type Waiting } from "./entry_name.ts";

/** Lists kept. More of them are in use only where the tries of many entries differ at many destinations. */
const MOST = 4096;

/** A list, and the end of the name that says it: `.a~2.b.dcm`. */
export interface SharedList {
  readonly waiting: readonly Waiting[];
  readonly ending: string;
}

export class WaitingLists {
  readonly #known = new Map<string, SharedList>();

  /** The list that the end of a name says; undefined where it is no such end. */
  read(ending: string): SharedList | undefined {
    const known = this.#known.get(ending);
    if (known !== undefined) return known;
    const waiting = parseEnding(ending);
    return waiting === undefined ? undefined : this.#keep({ waiting, ending });
  }

  /** The list that all share who wait for the same. */
  share(waiting: readonly Waiting[]): SharedList {
    const ending = formatEnding(waiting);
    return this.#known.get(ending) ?? this.#keep({ waiting, ending });
  }

  #keep({ waiting, ending }: SharedList): SharedList {
    if (this.#known.size >= MOST) this.#known.clear();
    const shared = { waiting, ending: unshared(ending) };
    this.#known.set(shared.ending, shared);
    return shared;
  }
}

/**
 * The same text in memory of its own. A part that was cut out of a text keeps all of it, and one that was put together keeps
 * its pieces; where a million are kept, that counts.
 */
export function unshared(text: string): string {
  return [text.slice(0, 1), text.slice(1)].join("");
}
