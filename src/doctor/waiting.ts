/*
 * What waits in the spool for a destination: SOP classes and transfer syntaxes, by the heads of the files.
 *
 * Reads only, whether a forwarder runs or not. A long queue is looked at in part, and that is told.
 */

import { realFileSystem } from "../spool/file_system.ts";
import { isHeld } from "../spool/held.ts";
import { listItems } from "../spool/inspect.ts";
import { CorruptError, StoredInstance } from "../spool/stored_instance.ts";
import type { WaitingPair } from "./contexts.ts";

/** Files whose heads are read, and how long that may take in all, in ms. */
const MOST_READ = 2000;
const MOST_MS = 3000;

export interface WaitingThere {
  readonly pairs: readonly WaitingPair[];
  /** Instances looked at. */
  readonly seen: number;
  /** False where more wait than were looked at. */
  readonly all: boolean;
}

/**
 * What waits or has failed for a destination.
 *
 * @param spoolDir absolute
 */
export function waitingFor(spoolDir: string, destination: string): WaitingThere {
  const counts = new Map<string, WaitingPair>();
  const until = performance.now() + MOST_MS;
  let seen = 0;
  try {
    for (const item of listItems(realFileSystem, spoolDir)) {
      if (performance.now() > until) return { pairs: [...counts.values()], seen, all: false };
      if (item.destination !== destination) continue;
      if (seen === MOST_READ) return { pairs: [...counts.values()], seen, all: false };
      const meta = metaOf(item.path);
      if (meta === undefined) continue;
      seen++;
      const { sopClassUid, transferSyntaxUid } = meta;
      const key = `${sopClassUid} ${transferSyntaxUid}`;
      const count = (counts.get(key)?.count ?? 0) + 1;
      counts.set(key, { sopClassUid, transferSyntaxUid, count });
    }
  } catch (error) {
    // That this user may not look into the spool is told elsewhere.
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    return { pairs: [], seen: 0, all: false };
  }
  return { pairs: [...counts.values()], seen, all: true };
}

function metaOf(path: string) {
  try {
    const instance = StoredInstance.open(realFileSystem, path);
    instance.close();
    return instance.meta;
  } catch (error) {
    // Delivered since the listing, held by a scanner, or damaged, which the forwarder itself tells of.
    const expected = error instanceof Deno.errors.NotFound || error instanceof CorruptError ||
      isHeld(error);
    if (!expected) throw error;
    return undefined;
  }
}
