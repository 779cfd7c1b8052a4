/*
 * What a person does at a prompt, for the audit trail: left in the spool for the forwarder that runs, or the next one.
 */

import { leaveByHand } from "../audit/by_hand.ts";
import { type Facts, FactsBook } from "../audit/facts.ts";
import type { Gathered } from "../audit/events.ts";
import { placeOf } from "../audit/places.ts";
import { systemClock } from "../clock.ts";
import type { Config } from "../config/load.ts";
import { escapeText } from "../log.ts";
import { studyOf } from "../spool/entry_name.ts";
import { realFileSystem } from "../spool/file_system.ts";
import type { QueueItem } from "../spool/inspect.ts";
import { spoolPaths } from "../spool/paths.ts";
import { CorruptError, StoredInstance } from "../spool/stored_instance.ts";
import { warnLine } from "./terminal.ts";

const DEEDS = { held: "hold", released: "release", removed: "remove" } as const satisfies Record<
  string,
  Gathered["deed"]
>;

/**
 * Tells the audit trail, where there is one. To be called before it is done: whose the instances are is in their files.
 * What goes wrong is told and no reason not to do it.
 */
export async function tellAudit(
  config: Config,
  event: keyof typeof DEEDS,
  items: readonly QueueItem[],
  by: string,
): Promise<void> {
  if (config.audit === null || items.length === 0) return;
  const book = new FactsBook();
  const at = systemClock.now();
  try {
    const told = [];
    for (const item of items) {
      const study = studyOf(item.id);
      const { facts, sopClass } = await look(
        item,
        book.get(study) === undefined ? book : undefined,
      );
      told.push({
        deed: DEEDS[event],
        by,
        place: placeOf(config.destinations, item.destination),
        session: "",
        reason: "",
        study,
        facts: facts ?? book.get(study),
        sopClass,
        at,
      });
    }
    const { audit } = spoolPaths(config.spoolDir);
    leaveByHand(realFileSystem, audit, told, systemClock, Deno.pid);
  } catch (error) {
    warnLine(`The audit trail cannot be told: ${escapeText(String(error), 1024)}`);
  }
}

/** What the head of a file says; with a book, of whom it is, too. */
async function look(
  { path, id }: QueueItem,
  book: FactsBook | undefined,
): Promise<{ facts?: Facts; sopClass: string }> {
  try {
    const instance = StoredInstance.open(realFileSystem, path, false, {
      base: id,
      closed: () => {},
    });
    try {
      const sopClass = instance.meta.sopClassUid;
      if (book === undefined) return { sopClass };
      const { identification } = await instance.identify();
      return { sopClass, facts: book.note(studyOf(id), identification) };
    } finally {
      instance.close();
    }
  } catch (error) {
    // Delivered meanwhile, or damaged: that it was to be changed is told all the same.
    if (error instanceof Deno.errors.NotFound || error instanceof CorruptError) {
      return { sopClass: "" };
    }
    throw error;
  }
}
