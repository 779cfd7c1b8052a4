/*
 * How many instances a forwarder's spool holds, seen from outside and at little cost to what is being measured.
 */

import { join } from "node:path";

/** Looks at the queue at least so often, in ms. */
const LONGEST_PAUSE_MS = 50;
/** And at most so often. */
const SHORTEST_PAUSE_MS = 3;
/** No forwarder delivers an instance in less, in ms: while many wait, the next look can wait, too. */
const LEAST_MS_AN_INSTANCE = 0.05;

/** Instances in the queue. */
export function countQueued(spool: string): number {
  let count = 0;
  for (const bucket of Deno.readDirSync(join(spool, "queue"))) {
    count += countFiles(join(spool, "queue", bucket.name));
  }
  return count;
}

/**
 * Waits until the queue is empty. Nothing may be coming in any more.
 *
 * @returns when it was, in ms since 1970
 * @throws where it is not within `patienceMs`
 */
export async function emptied(spool: string, patienceMs: number): Promise<number> {
  const queue = join(spool, "queue");
  const all = [...Deno.readDirSync(queue)].map((entry) => join(queue, entry.name));
  // A listing of all 256 folders costs milliseconds; those that hold something are few.
  let buckets = all;
  for (const deadline = Date.now() + patienceMs; Date.now() < deadline;) {
    buckets = buckets.filter((bucket) => countFiles(bucket) > 0);
    const left = buckets.reduce((sum, bucket) => sum + countFiles(bucket), 0);
    const now = Date.now();
    await pause(
      Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, left * LEAST_MS_AN_INSTANCE)),
    );
    if (left > 0) continue;
    // The last instance answered may have been on its way into the queue.
    if (countQueued(spool) === 0) return now;
    buckets = all;
  }
  throw new Error(`${countQueued(spool)} instances are in the queue after ${patienceMs / 1000} s`);
}

/** @throws where instances were given up or found damaged, or wait elsewhere than in the queue */
export function checkNothingAside(spool: string): void {
  for (const name of ["failed", "corrupt", "retry"]) {
    const path = join(spool, name);
    const entries = [...Deno.readDirSync(path)];
    if (entries.length > 0) {
      throw new Error(
        `${path} is not empty: ${entries.slice(0, 3).map((one) => one.name).join(", ")}`,
      );
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function countFiles(directory: string): number {
  let count = 0;
  for (const _ of Deno.readDirSync(directory)) count++;
  return count;
}
