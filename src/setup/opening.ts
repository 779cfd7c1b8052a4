/*
 * The start of the wizard: what the file holds, in words, and what to begin with where it is not right.
 */

import { basename, dirname } from "node:path";
import { shortJson } from "./flags.ts";
import type { Screen } from "./screen.ts";
import { faultsOf, newSettings, type Settings, unknownExtras, withoutExtras } from "./settings.ts";
import type { SettingsFile } from "./settings_file.ts";

/** What the questions begin with. */
export interface Beginning {
  readonly settings: Settings;
  /** The text to be changed; undefined where a new one is written. */
  readonly text: string | undefined;
  /** Keys of the file that are left out, by their paths: the person has agreed. */
  readonly leftOut: readonly string[];
}

const NEW: Beginning = { settings: newSettings(), text: undefined, leftOut: [] };

/** Says what there is. Undefined where the person would rather leave. */
export async function beginWith(
  screen: Screen,
  file: SettingsFile,
): Promise<Beginning | undefined> {
  const keys = "Arrow keys move, Enter keeps what is shown, Ctrl-C leaves without saving.";
  const { content, path } = file;
  if (content.kind === "none") {
    screen.say(`${path} is new: it is made when you save.\n${keys}`);
    return NEW;
  }
  screen.say(`${path}\n${keys}`);
  if (content.kind === "broken") {
    screen.bad(content.why);
    return await newOrLeave(screen, file);
  }
  const extras = unknownExtras(content.settings);
  if (extras.length > 0 && !await agreeToLeaveOut(screen, file, extras.map(({ path }) => path))) {
    return undefined;
  }
  const settings = withoutExtras(content.settings);
  const faults = faultsOf(settings, dirname(path));
  const begin = { settings, text: content.text, leftOut: extras.map(({ path }) => path) };
  if (faults.length === 0) return begin;
  screen.bad(
    "The forwarder does not start with this file:\n" +
      faults.map(({ path, value, wanted }) =>
        `${path || "the file"}: ${
          value === undefined ? "missing" : shown(path, value)
        }: wanted ${wanted}`
      ).join("\n"),
  );
  const next = await screen.choose("What now?", [
    { value: "mend", label: "Go on: put it right in the questions" },
    { value: "new", label: "Start from the defaults", hint: kept(file) },
    { value: "leave", label: "Leave, and put it right by hand" },
  ]);
  return next === "mend" ? begin : next === "new" ? NEW : undefined;
}

async function newOrLeave(screen: Screen, file: SettingsFile): Promise<Beginning | undefined> {
  const next = await screen.choose("What now?", [
    { value: "leave", label: "Leave, and put it right by hand" },
    { value: "new", label: "Start from the defaults", hint: kept(file) },
  ]);
  return next === "new" ? NEW : undefined;
}

async function agreeToLeaveOut(
  screen: Screen,
  file: SettingsFile,
  extras: readonly string[],
): Promise<boolean> {
  const faults = file.content.kind === "settings" ? file.content.faults : [];
  const lines = extras.map((path) => {
    const hint = /did you mean .*/.exec(faults.find((one) => one.path === path)?.wanted ?? "")?.[0];
    return `  ${path}${hint === undefined ? "" : `: ${hint}`}`;
  });
  screen.warn(
    "The file has keys the program does not know, and it does not start with them:\n" +
      lines.join("\n"),
  );
  return await screen.choose("What now?", [
    { value: "go", label: "Leave them out when saving", hint: kept(file) },
    { value: "leave", label: "Leave the wizard, and put it right by hand" },
  ]) === "go";
}

function kept(file: SettingsFile): string {
  return `yours is kept as ${basename(file.path)}.bak`;
}

/** A wrong value may be a secret that got into the wrong line. */
function shown(path: string, value: unknown): string {
  return /pass|secret|token|credential|private|key/i.test(path) || typeof value === "object"
    ? "not right"
    : shortJson(value);
}
