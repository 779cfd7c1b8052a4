/*
 * The flags of `setup` and the settings they stand for. Pure.
 */

import type { ConfigFault } from "../config/check.ts";
import type { ConfigFile } from "../config/schema.ts";
import { type Settings, typedNumber, withSetting } from "./settings.ts";

/** As they come from the command line; undefined where not given. */
export interface SetupFlags {
  readonly aet?: string;
  readonly port?: string;
  /** Empty = no PACS. */
  readonly pacsHost?: string;
  readonly pacsPort?: string;
  readonly pacsAet?: string;
  readonly storeLocally?: boolean;
  readonly storageDir?: string;
  readonly spoolDir?: string;
  readonly logDir?: string;
  /** Seconds. */
  readonly forwardWhenQuiet?: string;
  readonly forwardImmediately?: boolean;
  readonly retryAttempts?: string;
}

/** The setting each flag stands for, and how its text becomes a value. */
const SETTINGS: readonly {
  readonly flag: keyof SetupFlags;
  readonly option: string;
  readonly key: keyof ConfigFile;
  readonly number?: true;
}[] = [
  { flag: "aet", option: "--aet", key: "local_ae_title" },
  { flag: "port", option: "--port", key: "local_port", number: true },
  { flag: "pacsHost", option: "--pacs-host", key: "pacs_host" },
  { flag: "pacsPort", option: "--pacs-port", key: "pacs_port", number: true },
  { flag: "pacsAet", option: "--pacs-aet", key: "pacs_ae_title" },
  { flag: "storeLocally", option: "--store-locally", key: "store_locally" },
  { flag: "storageDir", option: "--storage-dir", key: "storage_dir" },
  { flag: "spoolDir", option: "--spool-dir", key: "spool_dir" },
  { flag: "logDir", option: "--log-dir", key: "log_dir" },
  {
    flag: "forwardWhenQuiet",
    option: "--forward-when-quiet",
    key: "study_quiet_seconds",
    number: true,
  },
  { flag: "retryAttempts", option: "--retry-attempts", key: "retry_attempts", number: true },
];

/**
 * The settings with the flags in their places. Nothing is checked: a wrong value is the schema's to find.
 *
 * Routes stay as they are. Where a flag takes away what one of them names, the settings are wrong after it.
 */
export function withFlags(settings: Settings, flags: SetupFlags): Settings {
  let changed = settings;
  for (const { flag, key, number = false } of SETTINGS) {
    const given = flags[flag];
    if (given === undefined) continue;
    const none = key === "pacs_host" && given === "";
    const value = number && typeof given === "string" ? typedNumber(given) : given;
    changed = withSetting(changed, key, none ? undefined : value);
  }
  if (flags.forwardWhenQuiet !== undefined) {
    changed = withSetting(changed, "forward_immediately", false);
  } else if (flags.forwardImmediately === true) {
    changed = withSetting(changed, "forward_immediately", true);
  }
  return changed;
}

/** A fault in a line, by the flag that brought it where one did: `--port 70000: wanted ...`. */
export function faultText(fault: ConfigFault, flags: SetupFlags): string {
  // What stands behind an unknown key may be a secret.
  if (fault.wanted.startsWith("no such key")) return `${fault.path}: ${fault.wanted}`;
  const from = SETTINGS.find(({ flag, key }) => key === fault.path && flags[flag] !== undefined);
  const what = from === undefined
    ? `${fault.path}: ${fault.value === undefined ? "missing" : shortJson(fault.value)}`
    : typeof flags[from.flag] === "boolean"
    ? from.option
    : `${from.option} ${shortJson(fault.value)}`;
  return `${what}: wanted ${fault.wanted}`;
}

/** A value on one line that no terminal obeys. */
export function shortJson(value: unknown): string {
  const text = (JSON.stringify(value) ?? "nothing").replace(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_C}\p{Cs}]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
