/*
 * The wizard: from what the file holds, by questions, to a file that is right.
 *
 * Owns the order of the sections and what leaving means. Until the person chooses to save, nothing is written; whoever
 * leaves before finds the file byte for byte as it was. What is saved has passed the loader the forwarder starts with.
 */

import { basename, dirname } from "node:path";
import { type Config, ConfigError, configFrom, parseConfig } from "../config/load.ts";
import { spoolIsLocked } from "../spool/lock.ts";
import { askAdvanced } from "./advanced_questions.ts";
import { type SetupFlags, withFlags } from "./flags.ts";
import { editJson } from "./json_edit.ts";
import { beginWith } from "./opening.ts";
import { askPacs } from "./pacs_questions.ts";
import type { Running } from "./port.ts";
import { askReceiver } from "./receiver_questions.ts";
import { Cancelled, Screen } from "./screen.ts";
import { type SectionName, SECTIONS } from "./sections.ts";
import type { ServiceControl } from "./service_control.ts";
import { newText, type Settings } from "./settings.ts";
import {
  readSettingsFile,
  type Saved,
  saveSettingsFile,
  type SettingsFile,
  SettingsFileError,
} from "./settings_file.ts";
import { askStorage } from "./storage_questions.ts";
import { reviewSettings } from "./review.ts";

export interface WizardOptions {
  /** Absolute path of the settings file. */
  readonly path: string;
  /** What the questions start with, over what the file says. */
  readonly flags: SetupFlags;
  /** Ends the wizard as Ctrl-C does. */
  readonly signal: AbortSignal;
  readonly service?: ServiceControl;
}

/** How it ended: `left` by choice, `cancelled` by Ctrl-C; both leave the file as it was. */
export type WizardEnd = "saved" | "unchanged" | "left" | "cancelled" | "failed";

/**
 * Runs the wizard on this terminal. Colours have been decided before this module was loaded.
 *
 * @throws SettingsFileError where the file is there and cannot be read
 */
export async function runWizard(options: WizardOptions): Promise<WizardEnd> {
  const file = await readSettingsFile(options.path);
  using screen = new Screen(options.signal);
  screen.start("DICOM Forwarder set-up");
  let settings: Settings | undefined;
  let text = "";
  try {
    const start = await beginWith(screen, file);
    if (start === undefined) return left(screen, file, "left");
    const first = withFlags(start.settings, options.flags);
    settings = await askAll(screen, first, file);
    for (;;) {
      const next = await reviewSettings(screen, settings, start, file);
      if (next.kind === "leave") return left(screen, file, "left");
      if (next.kind === "settings") settings = next.settings;
      else if (next.kind === "section") settings = await ask(next.section, screen, settings, file);
      else {
        text = start.text === undefined ? newText(settings) : editJson(start.text, settings);
        break;
      }
    }
  } catch (error) {
    if (error instanceof Cancelled) return left(screen, file, "cancelled");
    throw error;
  }
  return await save(screen, file, text, options.service);
}

function left(screen: Screen, file: SettingsFile, end: "left" | "cancelled"): WizardEnd {
  screen.finish(
    file.bytes === undefined
      ? `Left without saving: ${file.path} was not made.`
      : `Left without saving: ${file.path} is as it was.`,
  );
  return end;
}

async function askAll(screen: Screen, first: Settings, file: SettingsFile): Promise<Settings> {
  let settings = first;
  for (const [index, { name, title }] of SECTIONS.entries()) {
    screen.section(`${index + 1} of ${SECTIONS.length}  ${title}`);
    if (name === "advanced") {
      const question = "Look at the advanced settings? Most sites need none of them";
      if (!await screen.yes(question, false)) break;
    }
    settings = await ask(name, screen, settings, file);
  }
  return settings;
}

async function ask(
  name: SectionName,
  screen: Screen,
  settings: Settings,
  file: SettingsFile,
): Promise<Settings> {
  const folder = dirname(file.path);
  switch (name) {
    case "receiver":
      return await askReceiver(screen, settings, folder, runningBy(file));
    case "pacs":
      return await askPacs(screen, settings, folder);
    case "storage":
      return await askStorage(screen, settings, folder);
    case "advanced":
      return await askAdvanced(screen, settings, folder);
  }
}

function configOf(file: SettingsFile): Config | undefined {
  if (file.content.kind !== "settings" || file.content.faults.length > 0) return undefined;
  return configFrom(file.content.settings, dirname(file.path), file.path);
}

function runningBy(file: SettingsFile): Running | undefined {
  const config = configOf(file);
  return config === undefined ? undefined : { port: config.localPort, spoolDir: config.spoolDir };
}

async function save(
  screen: Screen,
  file: SettingsFile,
  text: string,
  service: ServiceControl | undefined,
): Promise<WizardEnd> {
  let saved: Saved | undefined;
  let config: Config;
  try {
    config = parseConfig(text, file.path);
    saved = await saveSettingsFile(file, text);
  } catch (error) {
    if (!(error instanceof SettingsFileError || error instanceof ConfigError)) throw error;
    screen.bad(error.message);
    screen.finish("Nothing was saved.");
    return "failed";
  }
  if (saved === undefined) {
    screen.finish(`Nothing to save: ${file.path} says all this already.`);
    return "unchanged";
  }
  screen.good(
    `Saved ${file.path}.${
      saved.backup === undefined ? "" : ` It was before: ${basename(saved.backup)}, beside it.`
    }`,
  );
  for (const warning of saved.warnings) screen.warn(warning);
  return await afterwards(screen, file, config, service);
}

/** What makes the new settings count. */
async function afterwards(
  screen: Screen,
  file: SettingsFile,
  config: Config,
  service: ServiceControl | undefined,
): Promise<WizardEnd> {
  try {
    const state = await service?.state() ?? "absent";
    if (service === undefined || state === "absent") {
      const before = configOf(file);
      screen.finish(
        before !== undefined && isRunning(before)
          ? "The forwarder is running: it takes the new settings when it is started again."
          : `Done. Start it with: dicomforwarder --config "${file.path}"`,
      );
      return "saved";
    }
    for (const note of await service.apply(config)) screen.warn(note);
    const question = state === "running"
      ? "Restart the service now, so that the new settings count?"
      : "The service is stopped. Start it now?";
    if (await screen.yes(question, true)) {
      screen.say("One moment ...");
      await service.restart();
      screen.finish("Done. The service is running with the new settings.");
    } else screen.finish("Done. The new settings count when the service is started again.");
    return "saved";
  } catch (error) {
    if (error instanceof Cancelled) {
      screen.finish("The settings are saved; the service was left as it is.");
      return "saved";
    }
    screen.bad(error instanceof Error ? error.message : String(error));
    screen.finish("The settings are saved, but the service does not run with them yet.");
    return "failed";
  }
}

function isRunning(config: Config): boolean {
  try {
    return spoolIsLocked(config.spoolDir);
  } catch (error) {
    // A spool this user may not look into is the service's, which is most likely running.
    if (error instanceof Deno.errors.PermissionDenied) return true;
    throw error;
  }
}
