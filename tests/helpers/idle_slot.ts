/*
 * Whether a slot holds nothing that came into it.
 */

import { basename } from "node:path";
import { readCommitRecord } from "../../src/spool/commit_record.ts";

/** True for an empty slot, and for one that still holds what was in its file before it became a slot. */
export function isIdleSlot(path: string): boolean {
  const bytes = Deno.readFileSync(path);
  const record = readCommitRecord(bytes);
  return bytes.length === 0 || (record !== undefined && record.slot !== basename(path));
}
