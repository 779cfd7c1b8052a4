/*
 * The forwarder's own books held against its spool, from outside: what the ledger says was accepted is delivered, in the
 * spool, or removed by hand, wherever the process died.
 */

import { openLedgerByHand } from "../../src/cli/ledger_by_hand.ts";
import { reconcile } from "../../src/ledger/reconcile.ts";
import { realFileSystem } from "../../src/spool/file_system.ts";
import { spoolPaths } from "../../src/spool/paths.ts";

/** Pairs of instance and destination that a ledger and its spool, which no forwarder runs on, do not account for. */
export async function missingFrom(spool: string): Promise<string[]> {
  const { missing } = await reconcile(realFileSystem, {
    spoolDirectory: spool,
    ledgerDirectory: spoolPaths(spool).ledger,
    pause: () => Promise.resolve(),
  });
  return missing.map(({ id, destination, accepted }) =>
    `the ledger misses ${accepted?.sop ?? id} for ${destination}`
  );
}

/** Writes down that files were removed, as `queue remove` does. */
export async function recordRemoved(
  spool: string,
  removed: readonly { readonly id: string; readonly to: string }[],
): Promise<void> {
  if (removed.length === 0) return;
  const ledger = openLedgerByHand(spoolPaths(spool).ledger);
  for (const { id, to } of removed) ledger.append({ event: "removed", id, to, by: "person" });
  await ledger.close();
}
