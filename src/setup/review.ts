/*
 * The end of the wizard: everything in plain words, what has changed, and where to go from here.
 */

import { dirname } from "node:path";
import { configFrom } from "../config/load.ts";
import { type ConfigFault, isSettings } from "../config/check.ts";
import type { Beginning } from "./opening.ts";
import type { Choice, Screen } from "./screen.ts";
import { type SectionName, sectionOf, SECTIONS, topKey } from "./sections.ts";
import { faultsOf, type Settings } from "./settings.ts";
import type { SettingsFile } from "./settings_file.ts";
import { changeLines, summaryLines } from "./summary.ts";

/** What the person wants. */
export type Next =
  | { readonly kind: "save" }
  | { readonly kind: "leave" }
  | { readonly kind: "section"; readonly section: SectionName }
  /** Go on with these. */
  | { readonly kind: "settings"; readonly settings: Settings };

/** Shows the settings and asks what to do with them; they can only be saved where nothing is wrong. */
export async function reviewSettings(
  screen: Screen,
  settings: Settings,
  start: Beginning,
  file: SettingsFile,
): Promise<Next> {
  const folder = dirname(file.path);
  const faults = faultsOf(settings, folder);
  const sections: readonly Choice<SectionName>[] = SECTIONS.map(({ name, title }) => ({
    value: name,
    label: `Change: ${title.split(":")[0]}`,
  }));
  const leave = { value: "leave" as const, label: "Leave without saving" };
  if (faults.length > 0) return await askToMend(screen, settings, faults, [...sections, leave]);

  screen.frame("These are the settings", summaryLines(configFrom(settings, folder)));
  const changes = changesSince(file, start, settings);
  if (changes.length > 0) screen.say(`Changed in the file:\n${changes.join("\n")}`);
  else if (file.bytes !== undefined) screen.say("Nothing has changed.");
  const nothing = file.bytes !== undefined && changes.length === 0;
  const next = await screen.choose<SectionName | "save" | "leave">("What now?", [
    { value: "save", label: nothing ? "Done" : "Save" },
    ...sections,
    ...(nothing ? [] : [leave]),
  ]);
  if (next === "save" || next === "leave") return { kind: next };
  return { kind: "section", section: next };
}

function changesSince(
  file: SettingsFile,
  start: Beginning,
  settings: Settings,
): readonly string[] {
  if (file.content.kind === "none") return [];
  if (file.content.kind === "broken" || start.text === undefined) {
    return ["all of it: it starts from the defaults"];
  }
  return [
    ...changeLines(start.settings, settings),
    ...start.leftOut.map((path) => `${path}: left out, the program does not know it`),
  ];
}

async function askToMend(
  screen: Screen,
  settings: Settings,
  faults: readonly ConfigFault[],
  choices: readonly Choice<SectionName | "leave">[],
): Promise<Next> {
  screen.bad(
    "This cannot be saved yet:\n" +
      faults.map(({ path, wanted }) => `${path || "the file"}: wanted ${wanted}`).join("\n"),
  );
  const wrong = new Set(faults.map(({ path }) => sectionOf(path)));
  const byHand = [
    ...new Set(
      faults.filter(({ path }) => sectionOf(path) === undefined).map(({ path }) => partOf(path)),
    ),
  ].filter((key) => key !== "");
  // What has to be changed comes first.
  const first = choices.filter(({ value }) => value !== "leave" && wrong.has(value));
  const next = await screen.choose<string>("What now?", [
    ...first,
    ...byHand.map((key) => ({
      value: `without ${key}`,
      label: key === "routes"
        ? "Take all routes out: every image then goes to every destination"
        : key === "destinations"
        ? "Take all destinations of the list out"
        : `Take "${key}" out: its default counts then`,
    })),
    ...choices.filter((choice) => !first.includes(choice)),
  ]);
  if (next === "leave") return { kind: "leave" };
  if (next.startsWith("without ")) {
    return { kind: "settings", settings: without(settings, next.slice("without ".length)) };
  }
  return { kind: "section", section: next as SectionName };
}

/** What is taken out where it is wrong: of the status page no more than that, or its password would go along. */
function partOf(path: string): string {
  return path.startsWith("web.") ? path : topKey(path);
}

function without(settings: Settings, path: string): Settings {
  const [key = "", ...rest] = path.split(".");
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) =>
      name !== key
        ? [[name, value]]
        : rest.length > 0 && isSettings(value)
        ? [[name, without(value, rest.join("."))]]
        : []
    ),
  );
}
