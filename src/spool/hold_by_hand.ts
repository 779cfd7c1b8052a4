/*
 * Holding queued instances back from outside the daemon, whether one runs or not: by their files alone.
 *
 * A daemon may deliver, rename or give up the same file at that moment. Whoever comes first has it: what is not found any
 * more is looked for once more under the names that it can have, and what was given a second name in vain keeps it unless
 * the ledger says that it was delivered. A daemon whose delivery ends after this takes what it delivered out of `held/`.
 */

import { join } from "node:path";
import { type FailureReason, formatReason } from "./failed.ts";
import { type FileSystem, renameAway, replaceTextFile, secondNameUnsynced } from "./file_system.ts";
import { type NameNow, nameNow, type QueueItem, removeIfThere } from "./inspect.ts";
import { spoolPaths } from "./paths.ts";

/** Looks at a file that moves meanwhile. */
const LOOKS = 5;

/** What became of an item that was to be held. */
export type Holding = "held" | "gone";

/**
 * Holds items back that wait for one destination. What is held is on the disk, in `held/`, when it resolves.
 *
 * @param wasDelivered whether the ledger says so
 * @returns for each item, in order
 * @throws what the file system throws
 */
export async function holdItems(
  files: FileSystem,
  directory: string,
  destination: string,
  items: readonly QueueItem[],
  reason: FailureReason,
  wasDelivered: (id: string) => Promise<boolean>,
): Promise<Holding[]> {
  const { held } = spoolPaths(directory);
  const folder = join(held, destination);
  files.makeDirectory(folder);
  // An older version made no such folder.
  await files.syncDirectory(directory);
  await files.syncDirectory(held);
  const folders = new Set<string>();
  const result: Holding[] = [];
  const named: number[] = [];
  for (const [n, item] of items.entries()) {
    const why = join(folder, `${item.id}.json`);
    replaceTextFile(files, why, formatReason({ ...reason, tries: item.tries }));
    const how = await move(files, item, join(folder, `${item.id}.dcm`), folders);
    if (how === "second name") named.push(n);
    result.push(how === "gone" ? "gone" : "held");
    if (how === "gone" && !files.exists(join(folder, `${item.id}.dcm`))) removeIfThere(files, why);
  }
  await files.syncDirectory(folder);
  for (const n of named) {
    const item = items[n]!;
    const path = join(folder, `${item.id}.dcm`);
    if (await takeOut(files, item, path, folders)) continue;
    result[n] = "gone";
    // Moved by somebody else who holds it, or given up, it stays: to be sent twice is better than not at all.
    if (!await wasDelivered(item.id)) continue;
    removeIfThere(files, path);
    removeIfThere(files, join(folder, `${item.id}.json`));
  }
  for (const one of folders) await files.syncDirectory(one);
  return result;
}

/** Moves an item's file, or gives it a second name where it waits for others, too. */
async function move(
  files: FileSystem,
  item: QueueItem,
  target: string,
  folders: Set<string>,
): Promise<"moved" | "second name" | "gone"> {
  return await look(files, item, async (now) => {
    folders.add(now.folder);
    if (now.less !== undefined) {
      await secondNameUnsynced(files, now.path, target);
      return "second name";
    }
    renameAway(files, now.path, target);
    return "moved";
  }) ?? "gone";
}

/** Takes the destination out of the name, now that the other name is on the disk. False where it was out of it already. */
async function takeOut(
  files: FileSystem,
  item: QueueItem,
  target: string,
  folders: Set<string>,
): Promise<boolean> {
  return await look(files, item, (now) => {
    folders.add(now.folder);
    if (now.less === undefined) renameAway(files, now.path, target);
    else files.rename(now.path, now.less);
    return true;
  }) ?? false;
}

/** Does something with a file by the name it has; again where that changes meanwhile. Undefined where it is gone. */
async function look<T>(
  files: FileSystem,
  item: QueueItem,
  step: (now: NameNow) => T | Promise<T>,
): Promise<T | undefined> {
  for (let n = 1;; n++) {
    const now = nameNow(files, item);
    if (now === undefined) return undefined;
    try {
      return await step(now);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound) || n === LOOKS) throw error;
    }
  }
}
