/*
 * The oracle of conservation for one destination: what was answered with Success has arrived there or is held for it,
 * byte for byte, and nothing arrived that was not sent whole. The forwarder is to be stopped before: files move under
 * one that runs.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { factsOf, type FileFacts } from "./hashes.ts";
import { isIdleSlot } from "./idle_slot.ts";
import { filesIn } from "./scratch.ts";

/** An instance as a destination took it. */
export interface Taken {
  readonly sopInstanceUid: string;
  /** SHA-256 of the data set. */
  readonly hash: string;
}

/** Instances that wait for a destination, were given up for it, or are damaged. */
export function heldFor(destination: string, spool: string): FileFacts[] {
  const files = [
    ...filesIn(join(spool, "queue")).filter((path) =>
      new RegExp(`\\.${destination}(~|\\.)`).test(path)
    ),
    ...below(join(spool, "failed", destination)),
    ...below(join(spool, "corrupt")),
  ];
  return files.filter((path) => path.endsWith(".dcm")).map(factsOf);
}

/** Bytes of instances that nobody has vouched for: slots in which something lies. */
export function partialIn(spool: string): string[] {
  return filesIn(join(spool, "incoming")).filter((path) => !isIdleSlot(path));
}

/**
 * @param sent SHA-256 by UID of everything that was sent, whole or not
 * @param answered UIDs answered with Success
 */
export function assertConserved(
  sent: ReadonlyMap<string, string>,
  answered: Iterable<string>,
  taken: readonly Taken[],
  destination: string,
  spool: string,
): void {
  const there = new Set<string>();
  for (const { sopInstanceUid, hash } of [...taken, ...heldFor(destination, spool)]) {
    assert.equal(hash, sent.get(sopInstanceUid), `${sopInstanceUid} is not what was sent`);
    there.add(sopInstanceUid);
  }
  const lost = [...answered].filter((uid) => !there.has(uid));
  assert.deepEqual(lost, [], "answered with Success, neither delivered nor held");
}

function below(folder: string): string[] {
  try {
    return filesIn(folder);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
