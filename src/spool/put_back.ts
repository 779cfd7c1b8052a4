/*
 * Instances that come back into the queue: put back by a person by way of `retry/`, or by a configuration that has their
 * destination again.
 *
 * One file that cannot be read or moved is reported, but where another program merely holds it, and found again next time;
 * it holds up none of the others.
 */

import { join } from "node:path";
import type { Entry } from "./entry.ts";
import { bucketOf, type EntryIdentity, parseName } from "./entry_name.ts";
import { listFailed } from "./failed.ts";
import type { FileSystem } from "./file_system.ts";
import { isHeld } from "./held.ts";
import type { Committed } from "./incoming.ts";
import type { spoolPaths } from "./paths.ts";
import type { StoredInstance } from "./stored_instance.ts";

/** What the spool does for it. */
export interface PutBackHost {
  readonly files: FileSystem;
  readonly paths: ReturnType<typeof spoolPaths>;
  readonly report: (message: string, error?: unknown) => void;
  /** Undefined where the file is damaged and has been set aside. */
  open(path: string, base: string): StoredInstance | undefined;
  /** Moves it, once: where that fails, the entry's path says so. */
  enqueue(committed: Committed, destinations: readonly string[]): Entry;
  /** Something could not be moved now. */
  heldBack(): void;
  remove(path: string): void;
}

/** Takes what lies in `retry/`. Cheap when there is nothing: one listing of an empty directory. */
export async function adoptRetries(
  host: PutBackHost,
  reroute: (instance: StoredInstance) => Promise<readonly string[]>,
  unrouted: string,
): Promise<Entry[]> {
  const adopted: Entry[] = [];
  for (const name of [...host.files.list(host.paths.retry)]) {
    const path = join(host.paths.retry, name);
    const parsed = parseName(name);
    if (parsed === undefined) continue;
    const failedFor = parsed.waiting.map((one) => one.destination);
    let destinations: readonly string[] = failedFor;
    try {
      if (destinations.length === 0 || destinations.includes(unrouted)) {
        const instance = host.open(path, parsed.base);
        if (instance === undefined) continue;
        try {
          destinations = await reroute(instance);
        } finally {
          instance.close();
        }
      }
      const entry = host.enqueue(asCommitted(parsed.base, parsed.identity, path), destinations);
      // One that could not be moved is found here again next time, so it is not taken now.
      if (entry.path === path) continue;
      entry.failedFor = failedFor;
      adopted.push(entry);
    } catch (error) {
      if (!isHeld(error)) host.report(`Cannot put ${path} back into the queue`, error);
    }
  }
  return adopted;
}

/**
 * Takes back what failed because its destination was not configured, one by one; undefined where one was looked at and
 * stays.
 */
export function* restoring(
  host: PutBackHost,
  configured: ReadonlySet<string>,
): Generator<Entry | undefined> {
  for (const failed of [...listFailed(host.files, host.paths.failed)]) {
    if (!configured.has(failed.destination)) continue;
    let restored: Entry | undefined;
    try {
      if (failed.reason()?.kind !== "not-configured") {
        yield undefined;
        continue;
      }
      const committed = asCommitted(failed.base, failed.identity, failed.path);
      const entry = host.enqueue(committed, [failed.destination]);
      if (entry.path === failed.path) {
        host.heldBack();
        continue;
      }
      entry.failedFor = [failed.destination];
      restored = entry;
      host.remove(failed.path.replace(/\.dcm$/, ".json"));
    } catch (error) {
      if (isHeld(error)) host.heldBack();
      else host.report(`Cannot put ${failed.path} back into the queue`, error);
    }
    yield restored;
  }
}

function asCommitted(base: string, identity: EntryIdentity, path: string): Committed {
  const { studyHash, receivedMs } = identity;
  return { base, bucket: bucketOf(studyHash), path, receivedMs, length: 0 };
}
