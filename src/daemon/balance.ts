/*
 * The balance of ledger and spool at a start: struck beside the work, and told in the log. What is missing is named, loudly.
 */

import { settleAtStart, type StartOptions } from "../ledger/at_start.ts";
import type { Balance } from "../ledger/reconcile.ts";
import { getLog } from "../log.ts";

const log = getLog("daemon");

/** Names told in one line of the log; `verify` lists all. */
const MOST_NAMED = 20;

/**
 * Holds the ledger against the spool.
 *
 * @returns pairs of instance and destination that are missing; null where it could not be struck, which is logged
 */
export async function strikeBalance(
  options: StartOptions,
): Promise<number | null> {
  try {
    const { balance, found } = await settleAtStart(options);
    logBalance(balance, found);
    return balance.missing.length;
  } catch (error) {
    if (!options.signal?.aborted) {
      log.error("Cannot hold the ledger against the spool; say verify to try it again", { error });
    }
    return null;
  }
}

function logBalance(balance: Balance, found: number): void {
  const sum = { accepted: 0, delivered: 0, queued: 0, failed: 0, held: 0, corrupt: 0, missing: 0 };
  for (const one of balance.destinations.values()) {
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += one[key];
  }
  if (balance.missing.length === 0) log.info("Ledger and spool agree", { ...sum, found });
  else {
    const named = balance.missing.slice(0, MOST_NAMED).map(({ id, destination, accepted }) =>
      `${accepted?.sop ?? id} for ${destination}`
    );
    const more = balance.missing.length - named.length;
    log.error(
      "INSTANCES ARE MISSING: {names}: the ledger says that they were accepted, and neither the spool nor a delivery accounts for them. See docs/reliability.md",
      {
        names: named.join(", ") + (more > 0 ? ` and ${more} more (verify lists them)` : ""),
        ...sum,
      },
    );
  }
  if (balance.unreadable > 0) {
    log.warn("Lines of the ledger cannot be read; a crash cuts the last one short", {
      lines: balance.unreadable,
    });
  }
}
