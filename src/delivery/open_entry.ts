/*
 * Opening a queued instance for delivery, and what it means where that fails. For every kind of destination.
 */

import type { Entry } from "../spool/entry.ts";
import { systemErrorCode } from "../spool/file_system.ts";
import { isHeld } from "../spool/held.ts";
import type { Spool } from "../spool/spool.ts";
import { CorruptError, type StoredInstance } from "../spool/stored_instance.ts";
import { DestinationError, type Outcome } from "./outcome.ts";

/**
 * Opens an entry's file for one destination.
 *
 * @param hot whether its bytes are likely to be in memory
 * @returns an outcome where that is all there is to say of it
 * @throws {DestinationError} where no file at all can be opened now
 */
export function openForDelivery(
  spool: Spool,
  entry: Entry,
  destination: string,
  hot: boolean,
): StoredInstance | Outcome {
  try {
    const instance = spool.openEntry(entry, hot);
    if (instance !== undefined && entry.waitsFor(destination)) return instance;
    instance?.close();
    return { kind: "gone" };
  } catch (error) {
    if (error instanceof CorruptError) return { kind: "corrupt", reason: error.message };
    return unreadable(error);
  }
}

/**
 * The disk does not give an instance back. That is this instance's trouble, so that it does not hold up the others; a
 * shortage of file handles is everybody's.
 */
export function unreadable(error: unknown): Outcome {
  const message = error instanceof Error ? error.message : String(error);
  const code = systemErrorCode(error);
  if (code === "EMFILE" || code === "ENFILE") throw new DestinationError("unreachable", message);
  if (isHeld(error)) return { kind: "held", reason: `Another program holds its file: ${message}` };
  return { kind: "refused", reason: `It cannot be read from the spool: ${message}` };
}
