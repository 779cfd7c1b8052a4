/*
 * Folders that the configuration names for logs and spool, and that somebody else uses as well.
 *
 * A service that is installed takes its folders over: they become its account's and nobody else sees into them. Done to
 * /var/log, that would stop others from logging; so a folder that holds anything else stays everybody's it was.
 */

import type { ServiceSettings } from "./definition.ts";

/** What the program and its wrapper put into a folder, and what systems put into the root of a disk. */
const OURS: readonly RegExp[] = [
  /^dicom_forwarder_\d{8}\.log$/,
  /^service(-.*)?\.log$/,
  /^(LOCK|VERSION|incoming|queue|failed|retry|corrupt|ledger|health\.json|.*\.part)$/,
  /^(lost\+found|System Volume Information|\$RECYCLE\.BIN|desktop\.ini|\.DS_Store)$/i,
];

/** Names of what is in a folder; undefined where there is no such folder. Rejects where that cannot be seen. */
export type EntriesOf = (path: string) => Promise<readonly string[] | undefined>;

/** A folder that is not the service's alone. */
export interface UsedByOthers {
  readonly path: string;
  /** Something in it that is not the forwarder's. */
  readonly entry: string;
}

/** The settings with folders that others use among those that are shared, and which these are. */
export async function separateUsedByOthers(
  settings: ServiceSettings,
  entriesOf: EntriesOf,
): Promise<{ settings: ServiceSettings; used: readonly UsedByOthers[] }> {
  const used: UsedByOthers[] = [];
  for (const path of settings.privateFolders) {
    const entry = (await entriesOf(path))?.find((name) => !OURS.some((one) => one.test(name)));
    if (entry !== undefined) used.push({ path, entry });
  }
  const paths = new Set(used.map(({ path }) => path));
  return {
    used,
    settings: {
      ...settings,
      privateFolders: settings.privateFolders.filter((path) => !paths.has(path)),
      sharedFolders: [...settings.sharedFolders, ...paths],
    },
  };
}

/** What to tell of one. */
export function usedByOthers({ path, entry }: UsedByOthers): string {
  return `${path} stays open to those who have it already: it holds ${entry}, which is not the forwarder's.`;
}

/** The real folders. */
export const entriesOf: EntriesOf = async (path) => {
  try {
    return (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
};
