/*
 * Folders on this machine: the local archive, the spool and the logs.
 */

import { resolve } from "node:path";
import type { ConfigFile } from "../config/schema.ts";
import { freeSpaceText } from "./free_space.ts";
import { mendRoutes } from "./route_questions.ts";
import type { Screen } from "./screen.ts";
import { spoolTrouble } from "./spool_volume.ts";
import { type Settings, textOf, valueOf, wantedAt, withSetting } from "./settings.ts";

/** Asks where things are kept. */
export async function askStorage(
  screen: Screen,
  settings: Settings,
  folder: string,
): Promise<Settings> {
  const archived = await askArchive(screen, settings, folder);
  const place = (key: "spool_dir" | "log_dir") => {
    const path = resolve(folder, textOf(archived, key));
    return `${path} (${freeSpaceText(path)})`;
  };
  screen.say(
    `Spool  ${place("spool_dir")}: images wait here until they are delivered.\n` +
      `Logs   ${place("log_dir")}`,
  );
  if (!await screen.yes("Use other folders for these two?", false)) {
    return await isSpoolFine(screen, archived, folder)
      ? archived
      : await askSpool(screen, archived, folder);
  }
  const changed = await askSpool(screen, archived, folder);
  return await askFolder(screen, changed, folder, "log_dir", "Folder of the logs");
}

async function askSpool(screen: Screen, settings: Settings, folder: string): Promise<Settings> {
  let changed = settings;
  do {
    changed = await askFolder(screen, changed, folder, "spool_dir", "Folder of the spool");
  } while (!await isSpoolFine(screen, changed, folder));
  if (valueOf(changed, "spool_dir") !== valueOf(settings, "spool_dir")) {
    screen.warn(
      "Images that wait in the old spool stay there: stop the forwarder, move the folder, then start it.",
    );
  }
  return changed;
}

/** Says what is wrong with the spool's place. False where the person wants another. */
async function isSpoolFine(screen: Screen, settings: Settings, folder: string): Promise<boolean> {
  const trouble = spoolTrouble(
    resolve(folder, textOf(settings, "spool_dir")),
    valueOf(settings, "allow_unsafe_spool_volume") === true,
  );
  if (trouble === undefined) return true;
  screen.warn(trouble.why);
  if (!trouble.refused) return true;
  return await screen.choose("The forwarder will not start with this spool. What now?", [
    { value: "other", label: "Use another folder" },
    { value: "keep", label: "Keep it all the same" },
  ]) === "keep";
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
