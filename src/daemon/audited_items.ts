/*
 * What the audit trail asks of the spool about an instance: its entry, and of whom it is.
 */

import type { Entry } from "../spool/entry.ts";
import type { FileSystem } from "../spool/file_system.ts";
import type { Spool } from "../spool/spool.ts";
import { StoredInstance } from "../spool/stored_instance.ts";
import type { AuditTrailParts } from "./audit.ts";

/** Asks the spool, once that is open. */
export function auditedItems(
  spool: () => Spool,
  files: FileSystem,
): Pick<AuditTrailParts, "entry" | "identify"> {
  const entry = (id: string, destination: string): Entry | undefined =>
    spool().index.find(id, destination).find((item) => item.entry !== undefined)?.entry;
  return {
    entry,
    identify: async (id, destination) => {
      const instance = open(spool(), files, entry(id, destination), id, destination);
      if (instance === undefined) return undefined;
      try {
        const { identification } = await instance.identify();
        return identification;
      } finally {
        instance.close();
      }
    },
  };
}

function open(
  spool: Spool,
  files: FileSystem,
  entry: Entry | undefined,
  id: string,
  destination: string,
): StoredInstance | undefined {
  // Open for the spool: the file becomes no other instance's meanwhile.
  if (entry !== undefined) return spool.openEntry(entry, true);
  const [item] = spool.index.find(id, destination);
  if (item === undefined || item.state === "queued") return undefined;
  const path = spool.apart.path(item.state, destination, id);
  return StoredInstance.open(files, path, false, { base: id, closed: () => {} });
}
