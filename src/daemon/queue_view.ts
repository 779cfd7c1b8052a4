/*
 * What a person sees of the queue while the forwarder runs: pages of what waits, failed and is held; one instance in full;
 * its file.
 *
 * Changes nothing. Nothing is listed from the disk: the spool's index says what there is, and what another process changed
 * is noticed where it is looked at.
 */

import type { ItemName } from "../control/control.ts";
import type { ItemDetails, QueueItemView, QueuePage, QueueQuery } from "../control/views.ts";
import type { LineControl } from "../delivery/line_control.ts";
import { findEvents } from "../ledger/find_events.ts";
import { inWords } from "../ledger/in_words.ts";
import { isBase, receivedMsOf } from "../spool/entry_name.ts";
import type { Item, ItemState } from "../spool/queue_index.ts";
import { CorruptError, type StoredInstance } from "../spool/stored_instance.ts";
import { Turns } from "../spool/turns.ts";
import { streamOf } from "./download.ts";
import { isThere, type QueueControlParts } from "./queue_parts.ts";

/** Bytes of the ledger looked through for one instance. */
const MOST_LEDGER = 256 * 1024 * 1024;

export class QueueView {
  readonly #parts: QueueControlParts;
  /** Ends with the last search of the ledger. */
  #searches: Promise<unknown> = Promise.resolve();

  constructor(parts: QueueControlParts) {
    this.#parts = parts;
  }

  async queue(query: QueueQuery): Promise<QueuePage> {
    const { index } = this.#parts.spool;
    const total = index.total(query);
    const after = query.after === undefined ? undefined : parsePlace(query.after);
    if (query.after !== undefined && after === undefined) return { total, items: [], next: null };
    const found = total === 0 ? [] : index.page(query, after, query.limit + 1);
    const shown = found.slice(0, query.limit);
    const turns = this.#turns();
    const items: QueueItemView[] = [];
    for (const item of shown) {
      await turns.share();
      if (isThere(this.#parts, item)) items.push(this.#viewOf(item));
    }
    const next = found.length > shown.length ? formatPlace(shown.at(-1)!) : null;
    return { total, items, next };
  }

  async item({ id, destination }: ItemName): Promise<ItemDetails | undefined> {
    const item = this.#find(id, destination);
    if (item === undefined) return undefined;
    const known = {
      ...this.#viewOf(item),
      identification: null,
      sopInstanceUid: "",
      sopClassUid: "",
      transferSyntax: "",
      from: "",
      bytes: 0,
      damaged: null,
    };
    const events = await this.#eventsOf(id);
    try {
      const instance = this.#open(item);
      if (instance === undefined) return undefined;
      try {
        const { identification } = await instance.identify();
        const { patientId, patientName, accessionNumber, studyInstanceUid, modality } =
          identification;
        return {
          ...known,
          identification: { patientId, patientName, accessionNumber, studyInstanceUid, modality },
          sopInstanceUid: instance.meta.sopInstanceUid,
          sopClassUid: instance.meta.sopClassUid,
          transferSyntax: instance.meta.transferSyntaxUid,
          from: instance.meta.sourceAeTitle,
          bytes: instance.fileLength,
          events,
        };
      } finally {
        instance.close();
      }
    } catch (error) {
      // Delivered, or moved by another process, between being found and being opened.
      if (error instanceof Deno.errors.NotFound) return undefined;
      const damaged = error instanceof Error ? error.message : String(error);
      return { ...known, damaged, events };
    }
  }

  // deno-lint-ignore require-await -- the interface's promise
  async download(
    { id, destination }: ItemName,
  ): Promise<{ size: number; body: ReadableStream<Uint8Array> } | undefined> {
    const item = this.#find(id, destination);
    if (item === undefined) return undefined;
    try {
      const instance = this.#open(item);
      return instance === undefined ? undefined : streamOf(instance);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof CorruptError) return undefined;
      throw error;
    }
  }

  #find(id: string, destination: string): Item | undefined {
    if (!isBase(id)) return undefined;
    return this.#parts.spool.index.find(id, destination).find((item) => isThere(this.#parts, item));
  }

  #open({ base, destination, state, entry }: Item): StoredInstance | undefined {
    const { spool } = this.#parts;
    if (entry !== undefined) return spool.openEntry(entry, false);
    return state === "queued" ? undefined : spool.apart.open(state, destination, base);
  }

  #viewOf({ base, destination, state, entry }: Item): QueueItemView {
    const view = { id: base, destination, state, received: receivedMsOf(base) };
    if (entry !== undefined) {
      const trouble = this.#control(destination)?.trouble(entry);
      const dueAt = trouble?.dueAt ?? 0;
      return {
        ...view,
        tries: entry.triesOf(destination),
        reason: trouble?.reason ?? "",
        nextAttempt: dueAt > this.#parts.clock.now() ? dueAt : null,
      };
    }
    const why = state === "queued"
      ? undefined
      : this.#parts.spool.apart.reason(state, destination, base);
    return {
      ...view,
      tries: why?.tries ?? 0,
      reason: why?.reason ?? "The reason was not written down",
      nextAttempt: null,
    };
  }

  /** One search after the other: each may read a quarter of a gigabyte. */
  #eventsOf(id: string): Promise<ItemDetails["events"]> {
    const { files, ledgerDirectory } = this.#parts;
    const search = this.#searches.then(() => findEvents(files, ledgerDirectory, id, MOST_LEDGER));
    this.#searches = search.catch(() => {});
    return search.then(({ events }) => events.map((one) => ({ at: one.at, text: inWords(one) })));
  }

  #control(destination: string): LineControl | undefined {
    return this.#parts.scheduler().control(destination);
  }

  #turns(): Turns {
    return new Turns((ms, callback) => this.#parts.clock.after(ms, callback));
  }
}

function formatPlace({ base, destination, state }: Item): string {
  return `${base} ${destination} ${state}`;
}

function parsePlace(text: string): Pick<Item, "base" | "destination" | "state"> | undefined {
  const [base = "", destination = "", state = ""] = text.split(" ");
  return isBase(base) && isState(state) ? { base, destination, state } : undefined;
}

function isState(text: string): text is ItemState {
  return text === "queued" || text === "failed" || text === "held";
}
