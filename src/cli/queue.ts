/*
 * `queue list`, `queue retry`, `queue remove`: what waits and what failed, and what a person does about it.
 */

import { systemClock } from "../clock.ts";
import type { Config } from "../config/load.ts";
import { escapeText } from "../log.ts";
import { realFileSystem } from "../spool/file_system.ts";
import { patiently } from "../spool/held.ts";
import { listItems, type QueueItem, removeItem, retryItem, visitItems } from "../spool/inspect.ts";
import { CorruptError, StoredInstance } from "../spool/stored_instance.ts";
import { spoolPaths } from "../spool/paths.ts";
import { ExitCode } from "./exit_code.ts";
import { openLedgerByHand } from "./ledger_by_hand.ts";
import { formatDuration, printJson, printLine, table, warnLine } from "./terminal.ts";

/** Which items a command is about. */
export interface Selection {
  /** Ids; empty for no limit. */
  readonly ids: readonly string[];
  readonly destination: string | undefined;
  readonly state: "queued" | "failed" | undefined;
}

/** Items kept beyond the limit before those that are too young are let go. */
const SLACK = 1000;

/**
 * The items of a spool that a selection names, oldest first.
 *
 * @param limit so many of them; `total` is how many there are
 */
async function selectItems(
  config: Config,
  selection: Selection,
  limit = Infinity,
): Promise<{ items: QueueItem[]; total: number }> {
  const ids = new Set(selection.ids);
  let items: QueueItem[] = [];
  let total = 0;
  const keepOldest = () => {
    items.sort((a, b) => a.receivedMs - b.receivedMs);
    if (items.length > limit) items = items.slice(0, limit);
  };
  await visitItems(realFileSystem, config.spoolDir, (item) => {
    if (ids.size > 0 && !ids.has(item.id)) return;
    if (selection.destination !== undefined && item.destination !== selection.destination) return;
    if (selection.state !== undefined && item.state !== selection.state) return;
    total++;
    items.push(item);
    if (items.length > limit * 2 + SLACK) keepOldest();
  });
  keepOldest();
  return { items, total };
}

const GONE: Readonly<Record<string, string>> = { gone: "delivered meanwhile" };

/** What is in an item's file, for a person. */
async function details(item: QueueItem): Promise<Readonly<Record<string, string>>> {
  try {
    const instance = StoredInstance.open(realFileSystem, item.path);
    try {
      const { identification } = await instance.identify();
      // Delivered while it was read, it may have become another one's file.
      if (!realFileSystem.exists(item.path)) return GONE;
      return {
        patientId: identification.patientId,
        studyInstanceUid: identification.studyInstanceUid,
        accessionNumber: identification.accessionNumber,
        modality: identification.modality,
        sopInstanceUid: instance.meta.sopInstanceUid,
        from: instance.meta.sourceAeTitle,
      };
    } finally {
      instance.close();
    }
  } catch (error) {
    // Delivered between the listing and now.
    if (error instanceof Deno.errors.NotFound || !realFileSystem.exists(item.path)) return GONE;
    if (error instanceof CorruptError) return { damaged: error.message };
    throw error;
  }
}

/** Runs `queue list`. */
export async function listCommand(
  config: Config,
  selection: Selection,
  options: { readonly json: boolean; readonly limit: number; readonly details: boolean },
): Promise<ExitCode> {
  const { items: shown, total } = await selectItems(config, selection, options.limit);
  const now = Date.now();
  if (options.json) {
    const rows = [];
    for (const item of shown) {
      rows.push({
        ...item,
        received: new Date(item.receivedMs).toISOString(),
        ...(options.details ? await details(item) : {}),
      });
    }
    printJson({ total, items: rows });
    return ExitCode.Ok;
  }
  const rows = [["state", "destination", "age", "tries", "id", "reason"]];
  for (const item of shown) {
    rows.push([
      item.state,
      item.destination,
      formatDuration(now - item.receivedMs),
      String(item.tries),
      item.id,
      escapeText(item.reason ?? ""),
    ]);
    if (!options.details) continue;
    const known = Object.entries(await details(item)).map(([key, value]) =>
      `${key}=${escapeText(value)}`
    );
    rows.push(["", "", "", "", "", known.join("  ")]);
  }
  for (const line of table(rows)) printLine(line.trimEnd());
  if (total > shown.length) {
    printLine(`... and ${total - shown.length} more (--limit shows them)`);
  }
  printLine(`${total} in all.`);
  return ExitCode.Ok;
}

/** Runs `queue retry`: puts failed instances back. */
export async function retryCommand(
  config: Config,
  selection: Selection,
  json: boolean,
): Promise<ExitCode> {
  const { items } = await selectItems(config, { ...selection, state: "failed" });
  for (const item of items) {
    await patiently(() => retryItem(realFileSystem, config.spoolDir, item), systemClock.after);
  }
  if (json) printJson({ putBack: items.length });
  else printLine(`${items.length} put back; a running forwarder takes them within a second.`);
  return items.length === 0 && selection.ids.length > 0 ? ExitCode.Failed : ExitCode.Ok;
}

/** Runs `queue remove`: deletes for good what a person names, after asking. */
export async function removeCommand(
  config: Config,
  selection: Selection,
  options: { readonly json: boolean; readonly yes: boolean },
): Promise<ExitCode> {
  const { items } = await selectItems(config, selection);
  if (items.length === 0) {
    if (options.json) printJson({ removed: 0 });
    else printLine("Nothing in the spool matches.");
    return selection.ids.length > 0 ? ExitCode.Failed : ExitCode.Ok;
  }
  if (!options.yes) {
    if (!Deno.stdin.isTerminal()) {
      warnLine(`This would delete ${items.length} for good: say --yes to mean it.`);
      return ExitCode.Usage;
    }
    if (!confirm(`Delete ${items.length} for good, undelivered?`)) return ExitCode.Failed;
  }
  // The ledger first: an instance that is gone must not be one that nobody knows of.
  const ledger = openLedgerByHand(spoolPaths(config.spoolDir).ledger);
  for (const { id, destination } of items) {
    ledger.append({ event: "removed", id, to: destination, by: "person" });
  }
  await ledger.close();
  const left = await removeItems(config, items);
  const removed = items.length - left;
  if (options.json) printJson({ removed });
  else printLine(`${removed} removed.`);
  return left === 0 ? ExitCode.Ok : ExitCode.Failed;
}

/** Passes over what is to be removed: a running forwarder may move it between being listed and being removed. */
const PASSES = 3;

/** Removes items, each whatever becomes of the others; returns how many are still there. */
async function removeItems(config: Config, items: readonly QueueItem[]): Promise<number> {
  const keyOf = ({ id, destination }: QueueItem) => `${id} ${destination}`;
  const wanted = new Set(items.map(keyOf));
  let left = items;
  for (let pass = 1; left.length > 0; pass++) {
    for (const item of left) {
      try {
        await patiently(() => removeItem(realFileSystem, item), systemClock.after);
      } catch (error) {
        // Delivered or moved meanwhile: the next listing says which.
        if (pass < PASSES || error instanceof Deno.errors.NotFound) continue;
        warnLine(`Cannot remove ${item.path}: ${escapeText(String(error), 1024)}`);
      }
    }
    left = [...listItems(realFileSystem, config.spoolDir)].filter((item) =>
      wanted.has(keyOf(item))
    );
    if (pass === PASSES) break;
  }
  return left.length;
}
