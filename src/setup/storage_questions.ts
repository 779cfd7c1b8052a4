/*
 * Folders on this machine: the local archive, the spool and the logs.
 */

import { resolve } from "node:path";
import type { ConfigFile } from "../config/schema.ts";
import { freeSpaceText } from "./free_space.ts";
import { mendRoutes } from "./route_questions.ts";
import type { Screen } from "./screen.ts";
import { type Settings, textOf, valueOf, wantedAt, withSetting } from "./settings.ts";

/** Asks where things are kept. */
export async function askStorage(
  screen: Screen,
  settings: Settings,
  folder: string,
): Promise<Settings> {
  let changed = await askArchive(screen, settings, folder);
  const place = (key: "spool_dir" | "log_dir") => {
    const path = resolve(folder, textOf(changed, key));
    return `${path} (${freeSpaceText(path)})`;
  };
  screen.say(
    `Spool  ${place("spool_dir")}: images wait here until they are delivered.\n` +
      `Logs   ${place("log_dir")}`,
  );
  if (!await screen.yes("Use other folders for these two?", false)) return changed;
  const before = changed;
  changed = await askFolder(screen, changed, folder, "spool_dir", "Folder of the spool");
  if (changed.spool_dir !== before.spool_dir) {
    screen.warn(
      `Images that wait in the old spool stay there: stop the forwarder, move the folder, then start it.`,
    );
  }
  return await askFolder(screen, changed, folder, "log_dir", "Folder of the logs");
}

async function askArchive(
  screen: Screen,
  settings: Settings,
  folder: string,
): Promise<Settings> {
  const before = valueOf(settings, "store_locally") === true;
  const keep = await screen.yes("Keep a copy of every image on this machine?", before);
  if (keep) {
    const on = withSetting(settings, "store_locally", true);
    return await askFolder(screen, on, folder, "storage_dir", "Folder of the copies");
  }
  const mended = before ? await mendRoutes(screen, settings, "archive") : settings;
  if (mended === undefined) return settings;
  return withSetting(mended, "store_locally", false);
}

async function askFolder(
  screen: Screen,
  settings: Settings,
  folder: string,
  key: keyof ConfigFile & ("spool_dir" | "log_dir" | "storage_dir"),
  message: string,
): Promise<Settings> {
  const answer = await screen.line(
    `${message} (a relative one begins at the settings file)`,
    textOf(settings, key),
    (typed) => wantedAt({ ...settings, [key]: typed }, folder, key),
  );
  const path = resolve(folder, answer);
  screen.say(`${path}: ${freeSpaceText(path)}`);
  return withSetting(settings, key, answer);
}
