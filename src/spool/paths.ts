/*
 * Where the parts of a spool lie below its directory. Nothing outside this folder makes such a path.
 */

import { join } from "node:path";

/** Where the parts of a spool lie. */
export function spoolPaths(directory: string) {
  return {
    lock: join(directory, "LOCK"),
    version: join(directory, "VERSION"),
    incoming: join(directory, "incoming"),
    queue: join(directory, "queue"),
    failed: join(directory, "failed"),
    held: join(directory, "held"),
    retry: join(directory, "retry"),
    corrupt: join(directory, "corrupt"),
    ledger: join(directory, "ledger"),
    audit: join(directory, "audit"),
    probe: join(directory, "probe.part"),
  };
}
