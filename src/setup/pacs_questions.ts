/*
 * The PACS that images go to, and whether it answers.
 */

import { nodeOf, showTest } from "./connection.ts";
import { mendRoutes } from "./route_questions.ts";
import type { Screen } from "./screen.ts";
import {
  destinationsOf,
  type Settings,
  textOf,
  typedNumber,
  valueOf,
  wantedAt,
  withSetting,
} from "./settings.ts";

/** Asks for the PACS, and tests it. */
export async function askPacs(
  screen: Screen,
  settings: Settings,
  folder: string,
): Promise<Settings> {
  let changed = settings;
  const others = destinationsOf(settings).length;
  if (settings.pacs_host === undefined && others > 0) {
    screen.say(
      `No PACS is set here: images go to ${
        others === 1 ? "a destination" : `${others} destinations`
      } of the list (see the advanced settings).`,
    );
    if (!await screen.yes("Add a PACS as well?", false)) return settings;
  }
  for (;;) {
    changed = await askAddress(screen, changed, folder);
    if (changed.pacs_host === undefined) return changed;
    if (!await screen.yes("Test the connection now?", true)) return changed;
    const next = await test(screen, changed);
    if (next === "go") return changed;
  }
}

async function askAddress(screen: Screen, settings: Settings, folder: string): Promise<Settings> {
  const host = await askHost(screen, settings, folder);
  if (host === undefined) return await withoutPacs(screen, settings);
  // In the order of the documentation where they are new.
  let changed = withSetting(settings, "pacs_host", host);
  const port = await screen.line(
    "DICOM port of the PACS",
    textOf(changed, "pacs_port"),
    (typed) => wantedAt({ ...changed, pacs_port: typedNumber(typed) }, folder, "pacs_port"),
  );
  changed = withSetting(changed, "pacs_port", typedNumber(port));
  const aeTitle = await screen.line(
    "AE title of the PACS (upper and lower case count)",
    textOf(changed, "pacs_ae_title"),
    (typed) => wantedAt({ ...changed, pacs_ae_title: typed }, folder, "pacs_ae_title"),
  );
  return withSetting(changed, "pacs_ae_title", aeTitle);
}

/** Undefined = no PACS. */
async function askHost(
  screen: Screen,
  settings: Settings,
  folder: string,
): Promise<string | undefined> {
  for (;;) {
    const host = await screen.line(
      "PACS: host name or IP address (empty: none)",
      textOf(settings, "pacs_host"),
      (typed) =>
        typed === "" ? undefined : wantedAt({ ...settings, pacs_host: typed }, folder, "pacs_host"),
    );
    if (host !== "") return host;
    const others = destinationsOf(settings).length > 0;
    const question = others
      ? "No PACS: send to the other destinations only?"
      : "No PACS: only keep the images on this machine?";
    const already = settings.pacs_host === undefined &&
      (others || valueOf(settings, "store_locally") === true);
    if (await screen.yes(question, already)) return undefined;
  }
}

/** Without a PACS and anything else, images are kept here: something has to become of them. */
async function withoutPacs(screen: Screen, settings: Settings): Promise<Settings> {
  const mended = await mendRoutes(screen, settings, "pacs");
  if (mended === undefined) return settings;
  let left = mended;
  for (const key of ["pacs_host", "pacs_port", "pacs_ae_title"] as const) {
    left = withSetting(left, key, undefined);
  }
  return destinationsOf(left).length > 0 ? left : withSetting(left, "store_locally", true);
}

async function test(screen: Screen, settings: Settings): Promise<"change" | "go"> {
  const node = nodeOf(settings, { pacs: true });
  if (node === undefined) {
    screen.warn("The test waits until the other settings are put right.");
    return "go";
  }
  for (;;) {
    if (await showTest(screen, node)) return "go";
    const next = await screen.choose("What now?", [
      { value: "again", label: "Try again" },
      { value: "change", label: "Change the PACS settings" },
      { value: "go", label: "Go on all the same" },
    ]);
    if (next !== "again") return next;
  }
}
