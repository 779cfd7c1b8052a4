/*
 * What an action on many items came to, and which items an action is for. Pure.
 */

import type { ItemAction } from "../control/control.ts";
import type { ActionResult } from "../control/views.ts";
import type { Item, ItemState } from "../spool/queue_index.ts";

/** Items named that it could not be done to. */
const MOST_NAMED = 100;

export class ActionTally {
  done = 0;
  readonly #failed: ActionResult["failed"] = [];

  fail({ base, destination }: Pick<Item, "base" | "destination">, reason: string): void {
    if (this.#failed.length < MOST_NAMED) this.#failed.push({ id: base, destination, reason });
  }

  failAll(items: readonly Item[], reason: string): void {
    for (const item of items) this.fail(item, reason);
  }

  result(): ActionResult {
    return { done: this.done, failed: this.#failed };
  }
}

/** Why an action is not for an item in that state; undefined where it is. */
export function unfit(action: ItemAction, state: ItemState): string | undefined {
  switch (action) {
    case "remove":
      return undefined;
    case "retry":
      return state === "held" ? "it is held: release it" : undefined;
    case "hold":
      if (state === "held") return "it is held already";
      return state === "failed" ? "it has failed: nothing is sent before a retry" : undefined;
    case "release":
      return state === "held" ? undefined : "it is not held";
  }
}
