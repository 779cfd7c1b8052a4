/*
 * `queue list`, `retry`, `hold`, `release`, `remove`: what waits, what failed and what is held, and what a person does about
 * it. Works on the spool's files, whether a forwarder runs or not; one that runs is left a notice.
 */

import { systemClock } from "../clock.ts";
import type { Config } from "../config/load.ts";
import { provenDeliveries } from "../ledger/at_start.ts";
import { escapeText } from "../log.ts";
import { studyOf } from "../spool/entry_name.ts";
import { realFileSystem } from "../spool/file_system.ts";
import { patiently } from "../spool/held.ts";
import { holdItems } from "../spool/hold_by_hand.ts";
import {
  listItems,
  listPutBack,
  type QueueItem,
  removeItem,
  retryItem,
  visitItems,
} from "../spool/inspect.ts";
import { spoolIsLocked } from "../spool/lock.ts";
import { leaveNotices, type Notice } from "../spool/notices.ts";
import { CorruptError, StoredInstance } from "../spool/stored_instance.ts";
import { spoolPaths } from "../spool/paths.ts";
import { tellAudit } from "./audit_by_hand.ts";
import { ExitCode } from "./exit_code.ts";
import { openLedgerByHand } from "./ledger_by_hand.ts";
import { formatDuration, printJson, printLine, table, warnLine } from "./terminal.ts";

/** Which items a command is about. */
export interface Selection {
  /** Ids; empty for no limit. */
  readonly ids: readonly string[];
  readonly destination: string | undefined;
  readonly state: QueueItem["state"] | undefined;
  /** Eight hexadecimal digits of the study's hash. */
  readonly study: string | undefined;
}

/** Who it is, for the ledger. */
const WHO = "cli";

/** Said where there is nothing to do it to. */
const NOTHING = "Nothing in the spool matches.";

/** Items kept beyond the limit before those that are too young are let go. */
const SLACK = 1000;

/**
 * The items of a spool that a selection names, oldest first.
 *
 * @param limit so many of them; `total` is how many there are
 */
export async function selectItems(
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
  const take = (item: QueueItem) => {
    if (ids.size > 0 && !ids.has(item.id)) return;
    if (selection.destination !== undefined && item.destination !== selection.destination) return;
    if (selection.state !== undefined && item.state !== selection.state) return;
    if (selection.study !== undefined && studyOf(item.id) !== selection.study) return;
    total++;
    items.push(item);
    if (items.length > limit * 2 + SLACK) keepOldest();
  };
  for (const item of listPutBack(realFileSystem, config.spoolDir)) take(item);
  await visitItems(realFileSystem, config.spoolDir, take);
  keepOldest();
  return { items, total };
}

const GONE: Readonly<Record<string, string>> = { gone: "delivered meanwhile" };

/** What is in an item's file, for a person. */
export async function details(item: QueueItem): Promise<Readonly<Record<string, string>>> {
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

/** Runs `queue retry`: puts failed instances back; those named that wait are attempted at once where a forwarder runs. */
export async function retryCommand(
  config: Config,
  selection: Selection,
  json: boolean,
): Promise<ExitCode> {
  const { items } = await selectItems(config, { ...selection, state: "failed" });
  const putBack = await putAllBack(config, items);
  let hurried = 0;
  if (selection.ids.length > 0 && spoolIsLocked(config.spoolDir)) {
    const queued = await selectItems(config, { ...selection, state: "queued" });
    leave(config, "hurry", queued.items);
    hurried = queued.total;
  }
  if (json) printJson({ putBack, ...(hurried > 0 ? { hurried } : {}) });
  else {
    printLine(
      putBack + hurried === 0
        ? NOTHING
        : `${putBack} put back; a running forwarder takes them within a second.`,
    );
    if (hurried > 0) printLine(`${hurried} that wait are attempted at once.`);
  }
  return putBack + hurried === 0 && selection.ids.length > 0 ? ExitCode.Failed : ExitCode.Ok;
}

/** Runs `queue release`: puts back what is held. */
export async function releaseCommand(
  config: Config,
  selection: Selection,
  json: boolean,
): Promise<ExitCode> {
  const { items } = await selectItems(config, { ...selection, state: "held" });
  await tellLedger(config, "released", items);
  const released = await putAllBack(config, items);
  if (json) printJson({ released });
  else if (released === 0) printLine(NOTHING);
  else printLine(`${released} released; a running forwarder takes them within a second.`);
  return released === 0 && selection.ids.length > 0 ? ExitCode.Failed : ExitCode.Ok;
}

/** How many were put back: what is not there any more, a forwarder or a person has taken meanwhile. */
async function putAllBack(config: Config, items: readonly QueueItem[]): Promise<number> {
  let putBack = 0;
  for (const item of items) {
    try {
      await patiently(() => retryItem(realFileSystem, config.spoolDir, item), systemClock.after);
      putBack++;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return putBack;
}

/** Runs `queue hold`: nothing of what is held is sent before it is released. */
export async function holdCommand(
  config: Config,
  selection: Selection,
  json: boolean,
): Promise<ExitCode> {
  const { items } = await selectItems(config, { ...selection, state: "queued" });
  await tellLedger(config, "held", items);
  const byDestination = Map.groupBy(items, (item) => item.destination);
  const when = new Date().toISOString();
  const reason = { kind: "held", reason: `Held back by ${WHO}`, when, tries: 0, by: WHO } as const;
  let held = 0;
  for (const [destination, some] of byDestination) {
    for (let at = 0; at < some.length; at += AT_A_TIME) {
      const slice = some.slice(at, at + AT_A_TIME);
      const result = await patiently(
        () =>
          holdItems(
            realFileSystem,
            config.spoolDir,
            destination,
            slice,
            reason,
            (id) => wasDelivered(config, id, destination),
          ),
        systemClock.after,
      );
      held += result.filter((one) => one === "held").length;
    }
  }
  leave(config, "changed", items);
  const gone = items.length - held;
  if (json) printJson({ held, deliveredMeanwhile: gone });
  else if (items.length === 0) printLine(NOTHING);
  else {
    printLine(`${held} held; \`queue release\` lets them go.`);
    if (gone > 0) printLine(`${gone} delivered meanwhile, or moved by somebody else.`);
  }
  return held === 0 && selection.ids.length > 0 ? ExitCode.Failed : ExitCode.Ok;
}

/** Held before the disk is waited for. */
const AT_A_TIME = 1000;

async function wasDelivered(config: Config, id: string, destination: string): Promise<boolean> {
  const { ledger } = spoolPaths(config.spoolDir);
  const proven = await provenDeliveries(realFileSystem, ledger);
  return proven.get(id)?.has(destination) ?? false;
}

/** The ledger first: what is done to an instance must not be what nobody knows of. */
async function tellLedger(
  config: Config,
  event: "held" | "released" | "removed",
  items: readonly QueueItem[],
): Promise<void> {
  if (items.length === 0) return;
  const ledger = openLedgerByHand(spoolPaths(config.spoolDir).ledger);
  for (const { id, destination } of items) {
    ledger.append({ event, id, to: destination, by: "person", who: WHO });
  }
  await ledger.close();
  await tellAudit(config, event, items, WHO);
}

/** Tells a running forwarder what to look at. */
function leave(config: Config, what: Notice["what"], items: readonly QueueItem[]): void {
  if (items.length === 0 || !spoolIsLocked(config.spoolDir)) return;
  const notices = items.map(({ id, destination }) => ({ what, id, destination }));
  leaveNotices(realFileSystem, config.spoolDir, notices, Date.now());
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
    else printLine(NOTHING);
    return selection.ids.length > 0 ? ExitCode.Failed : ExitCode.Ok;
  }
  if (!options.yes) {
    if (!Deno.stdin.isTerminal()) {
      warnLine(`This would delete ${items.length} for good: say --yes to mean it.`);
      return ExitCode.Usage;
    }
    if (!confirm(`Delete ${items.length} for good, undelivered?`)) return ExitCode.Failed;
  }
  await tellLedger(config, "removed", items);
  const left = await removeItems(config, items);
  leave(config, "changed", items);
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
    const there = [
      ...listPutBack(realFileSystem, config.spoolDir),
      ...listItems(realFileSystem, config.spoolDir),
    ];
    left = there.filter((item) => wanted.has(keyOf(item)));
    if (pass === PASSES) break;
  }
  return left.length;
}
