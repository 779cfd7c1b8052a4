/*
 * The list of destinations besides the PACS: add, edit, remove, test.
 */

import { nodeOf, showTest } from "./connection.ts";
import { isForgotten, replacedInRoutes } from "./routes.ts";
import { mendRoutes } from "./route_questions.ts";
import type { Screen } from "./screen.ts";
import {
  destinationsOf,
  type Settings,
  typed,
  typedNumber,
  wantedAt,
  withSetting,
} from "./settings.ts";

/** Shows the list until the person has done with it. */
export async function askDestinations(
  screen: Screen,
  settings: Settings,
  folder: string,
): Promise<Settings> {
  let changed = settings;
  for (;;) {
    const list = destinationsOf(changed);
    const nodes = list.filter((one) => one.type !== "directory");
    const next = await screen.choose("Destinations besides the PACS", [
      { value: "done", label: "Done" },
      ...list.map((one, index) => ({ value: `${index}`, label: title(one) })),
      { value: "add-dicom", label: "Add a DICOM node" },
      { value: "add-folder", label: "Add a folder" },
      ...(nodes.length === 0 ? [] : [{ value: "test", label: "Test all DICOM nodes" }]),
    ]);
    if (next === "done") return changed;
    if (next === "test") {
      for (const one of nodes) await testOne(screen, changed, one, folder);
    } else if (next.startsWith("add")) {
      changed = await edit(screen, changed, folder, list.length, next === "add-folder");
    } else changed = await askOne(screen, changed, folder, Number(next));
  }
}

function title(one: Settings): string {
  const where = one.type === "directory"
    ? `folder ${typed(one.path)}`
    : `${typed(one.ae_title)} at ${typed(one.host)} port ${typed(one.port)}`;
  return `${typed(one.name)}: ${where}`;
}

async function askOne(
  screen: Screen,
  settings: Settings,
  folder: string,
  index: number,
): Promise<Settings> {
  const one = destinationsOf(settings)[index]!;
  const next = await screen.choose(title(one), [
    { value: "edit", label: "Change it" },
    ...(one.type === "directory" ? [] : [{ value: "test" as const, label: "Test it" }]),
    { value: "remove", label: "Remove it" },
    { value: "back", label: "Back" },
  ]);
  if (next === "edit") {
    return await edit(screen, settings, folder, index, one.type === "directory");
  }
  if (next === "test") await testOne(screen, settings, one, folder);
  if (next === "remove") return await remove(screen, settings, index);
  return settings;
}

async function testOne(
  screen: Screen,
  settings: Settings,
  one: Settings,
  folder: string,
): Promise<void> {
  const node = nodeOf(settings, { destination: one }, folder);
  if (node !== undefined) await showTest(screen, node);
  else screen.warn(`${title(one)}: the test waits until its settings are put right.`);
}

async function remove(screen: Screen, settings: Settings, index: number): Promise<Settings> {
  const list = destinationsOf(settings);
  const name = typed(list[index]?.name);
  if (!await screen.yes(`Remove "${name}"?`, false)) return settings;
  const mended = await mendRoutes(screen, settings, name);
  if (mended === undefined) return settings;
  screen.say(`Images that still wait for "${name}" stay in the spool; they are not deleted.`);
  return withList(mended, list.filter((_, at) => at !== index));
}

/** An empty list is none: the key goes where it was nothing else. */
function withList(settings: Settings, list: readonly Settings[]): Settings {
  return withSetting(settings, "destinations", list.length === 0 ? undefined : list);
}

interface Field {
  readonly key: string;
  readonly message: string;
  readonly number?: true;
  /** May be left empty: the key is then taken out. */
  readonly optional?: true;
}

const DICOM_FIELDS: readonly Field[] = [
  { key: "host", message: "Host name or IP address" },
  { key: "port", message: "DICOM port", number: true },
  { key: "ae_title", message: "AE title (upper and lower case count)" },
  {
    key: "calling_ae_title",
    message: "AE title we call it with (empty: our own; *: the sender's)",
    optional: true,
  },
];

const FOLDER_FIELDS: readonly Field[] = [
  { key: "path", message: "Folder (a relative one begins at the settings file)" },
];

/** Asks for one destination; `index` behind the end of the list makes a new one. */
async function edit(
  screen: Screen,
  settings: Settings,
  folder: string,
  index: number,
  isFolder: boolean,
): Promise<Settings> {
  const list = destinationsOf(settings);
  const old = list[index];
  let one: Settings = old ??
    (isFolder
      ? { name: "", type: "directory", path: "" }
      : { name: "", type: "dicom", host: "", port: 104, ae_title: "" });
  const fields: readonly Field[] = [
    { key: "name", message: "Name for it in logs and routes (a-z, 0-9, -)" },
    ...(isFolder ? FOLDER_FIELDS : DICOM_FIELDS),
  ];
  for (const { key, message, number = false, optional = false } of fields) {
    const changed = (answer: string): Settings => {
      if (optional && answer === "") {
        return Object.fromEntries(Object.entries(one).filter(([name]) => name !== key));
      }
      return { ...one, [key]: number ? typedNumber(answer) : answer };
    };
    const answer = await screen.line(
      message,
      typed(one[key]),
      (text) =>
        wantedAt(
          withList(settings, replaced(list, index, changed(text))),
          folder,
          `destinations[${index}].${key}`,
        ),
    );
    one = changed(answer);
  }
  const [before, now] = [typed(old?.name), typed(one.name)];
  let result = withList(settings, replaced(list, index, one));
  if (old !== undefined && before !== now) {
    result = replacedInRoutes(result, before, now);
    screen.say(`Images that still wait for "${before}" stay in the spool under that name.`);
  }
  if (isForgotten(result, now)) {
    screen.warn(
      `No route names "${now}" yet, so it gets nothing: add it to "routes" in the file (docs/configuration.md).`,
    );
  }
  if (!isFolder && await screen.yes("Test the connection now?", true)) {
    await testOne(screen, result, one, folder);
  }
  return result;
}

function replaced(list: readonly Settings[], index: number, one: Settings): readonly Settings[] {
  return [...list.slice(0, index), one, ...list.slice(index + 1)];
}
