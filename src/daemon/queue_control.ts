/*
 * The queue of a running forwarder, as people see it and act on it.
 */

import type { ItemAction, ItemName, ItemSelection, Person } from "../control/control.ts";
import type { ActionResult, ItemDetails, QueuePage, QueueQuery } from "../control/views.ts";
import type { Notice } from "../spool/notices.ts";
import { QueueActions } from "./queue_actions.ts";
import type { QueueControlParts } from "./queue_parts.ts";
import { QueueView } from "./queue_view.ts";

/** What `Control` says of the queue. */
export class QueueControl {
  readonly #view: QueueView;
  readonly #actions: QueueActions;

  constructor(parts: QueueControlParts) {
    this.#view = new QueueView(parts);
    this.#actions = new QueueActions(parts);
  }

  queue(query: QueueQuery): Promise<QueuePage> {
    return this.#view.queue(query);
  }

  item(name: ItemName): Promise<ItemDetails | undefined> {
    return this.#view.item(name);
  }

  download(
    name: ItemName,
  ): Promise<{ size: number; body: ReadableStream<Uint8Array> } | undefined> {
    return this.#view.download(name);
  }

  act(action: ItemAction, selection: ItemSelection, by: Person): Promise<ActionResult> {
    return this.#actions.act(action, selection, by);
  }

  /**
   * Follows what commands of other processes did.
   *
   * @param take the next notices that there are
   */
  async follow(take: () => readonly Notice[]): Promise<void> {
    for (let notices = take(); notices.length > 0; notices = take()) {
      this.#actions.notice(notices);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  /** Begins no further change, and waits for the one under way to come to a halt. */
  close(): Promise<void> {
    return this.#actions.close();
  }
}
