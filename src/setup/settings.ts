/*
 * The settings as they stand in the file: raw, in snake_case, in the order a person gave them.
 *
 * Owns what it means to change one of them and what is wrong with them as a whole. Never resolves a path and never reads
 * a file; the rules are the schema's and the loader's, not repeated here. Pure.
 */

import { type ConfigFault, isSettings } from "../config/check.ts";
import { ConfigError, configFrom } from "../config/load.ts";
import { type ConfigFile, configSchema } from "../config/schema.ts";

/** What the file's braces hold. */
export type Settings = Readonly<Record<string, unknown>>;

/** What counts where a key is missing. */
export const DEFAULTS: ConfigFile = configSchema.parse({});

/** Keys in the order of the documentation. */
const KEYS: readonly string[] = Object.keys(configSchema.shape);

/** What a file that the program writes itself always says, so that a person sees what there is. */
const ALWAYS_WRITTEN = [
  "local_ae_title",
  "local_port",
  "local_host",
  "pacs_port",
  "pacs_ae_title",
  "store_locally",
  "storage_dir",
  "log_dir",
  "forward_immediately",
  "retry_attempts",
] as const;

/** The settings to start from where there is no file. */
export function newSettings(): Settings {
  return Object.fromEntries(ALWAYS_WRITTEN.map((key) => [key, DEFAULTS[key]]));
}

/** The text of a new file. */
export function newText(settings: Settings): string {
  const known = KEYS.filter((key) => settings[key] !== undefined);
  const kept = settings.pacs_host === undefined
    ? known.filter((key) => !key.startsWith("pacs_"))
    : known;
  return JSON.stringify(Object.fromEntries(kept.map((key) => [key, settings[key]])), null, 2) +
    "\n";
}

/**
 * Sets one setting; undefined takes it away.
 *
 * A default is not written where the key was missing: the person who left it out keeps a short file.
 */
export function withSetting(settings: Settings, key: keyof ConfigFile, value: unknown): Settings {
  if (value === undefined) {
    return Object.fromEntries(Object.entries(settings).filter(([name]) => name !== key));
  }
  if (settings[key] === undefined && value === DEFAULTS[key]) return settings;
  return { ...settings, [key]: value };
}

/** What counts for a key: the file's value, whatever it is, or the default. */
export function valueOf(settings: Settings, key: keyof ConfigFile): unknown {
  return settings[key] ?? DEFAULTS[key];
}

/** A setting as a person would type it; see `typed`. */
export function textOf(settings: Settings, key: keyof ConfigFile): string {
  return typed(valueOf(settings, key));
}

/** A value as a person would type it; empty where it is none that can be typed, or a terminal might obey it. */
export function typed(value: unknown): string {
  const text = typeof value === "string" || typeof value === "number" ? String(value) : "";
  return /\p{Cc}/u.test(text) ? "" : text;
}

/** What a person typed where a number is wanted; a text that is none stays one, for the schema to refuse. */
export function typedNumber(text: string): number | string {
  return /^-?[0-9]{1,15}(\.[0-9]{1,9})?$/.test(text.trim()) ? Number(text.trim()) : text;
}

/** The raw destinations; an entry that is no object is left out of what can be edited. */
export function destinationsOf(settings: Settings): readonly Settings[] {
  return Array.isArray(settings.destinations) ? settings.destinations.filter(isSettings) : [];
}

/** Everything wrong with the settings, keys that do not exist included. */
export function faultsOf(settings: Settings, folder: string): readonly ConfigFault[] {
  try {
    configFrom(settings, folder);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

/** What is wanted at one place of the settings; undefined where it is right. */
export function wantedAt(settings: Settings, folder: string, path: string): string | undefined {
  return faultsOf(settings, folder).find((fault) => fault.path === path)?.wanted;
}

/** A key that means nothing to the program, and what stands there. */
export interface Extra {
  readonly path: string;
  readonly value: unknown;
}

/** Keys the program does not know, at every depth. It refuses a file that has one. */
export function unknownExtras(settings: Settings): readonly Extra[] {
  return extraPlaces(settings).map((place) => ({
    path: place.map((part, index) =>
      typeof part === "number" ? `[${part}]` : (index === 0 ? "" : ".") + String(part)
    ).join(""),
    value: place.reduce<unknown>(
      (at, part) => (at as Record<PropertyKey, unknown>)?.[part],
      settings,
    ),
  }));
}

/** The settings without the keys the program does not know. */
export function withoutExtras(settings: Settings): Settings {
  const left = structuredClone(settings);
  for (const place of extraPlaces(settings)) {
    const holder = place.slice(0, -1).reduce<unknown>(
      (at, part) => (at as Record<PropertyKey, unknown>)?.[part],
      left,
    );
    delete (holder as Record<PropertyKey, unknown>)[place.at(-1)!];
  }
  return left;
}

function extraPlaces(settings: Settings): readonly (readonly PropertyKey[])[] {
  const checked = configSchema.safeParse(settings);
  if (checked.success) return [];
  return checked.error.issues.flatMap((issue) =>
    issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...issue.path, key]) : []
  );
}
