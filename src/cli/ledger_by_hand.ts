/*
 * The ledger for what a person does at a prompt. A running forwarder may be writing to the same file: every write goes to
 * its end whole.
 */

import { systemClock } from "../clock.ts";
import { Ledger } from "../ledger/ledger.ts";
import { escapeText } from "../log.ts";
import { realFileSystem } from "../spool/file_system.ts";
import { warnLine } from "./terminal.ts";

/** Opens it; close it to have the lines on the disk. */
export function openLedgerByHand(directory: string): Ledger {
  return Ledger.open({
    files: realFileSystem,
    directory,
    clock: systemClock,
    // Removing old files is the forwarder's.
    retentionDays: Infinity,
    report: (message, error) =>
      warnLine(error === undefined ? message : `${message}: ${escapeText(String(error), 1024)}`),
  });
}
