/*
 * Set-up without questions: the file as it is, or the defaults, with the flags in their places.
 *
 * Saves only what the loader accepts. A file that is not right stays as it is, and so does one with a key the program
 * does not know: nobody is there to agree to leaving it out.
 */

import { dirname } from "node:path";
import { type Config, parseConfig } from "../config/load.ts";
import { faultText, type SetupFlags, withFlags } from "./flags.ts";
import { editJson } from "./json_edit.ts";
import { faultsOf, newSettings, newText } from "./settings.ts";
import { readSettingsFile, saveSettingsFile } from "./settings_file.ts";
import { spoolTrouble } from "./spool_volume.ts";
import { changeLines } from "./summary.ts";

/** What came of it. */
export type ScriptedEnd =
  /** The file was not touched; a line each. */
  | { readonly kind: "wrong"; readonly lines: readonly string[] }
  | {
    readonly kind: "done";
    readonly config: Config;
    readonly lines: readonly string[];
    readonly warnings: readonly string[];
  };

/**
 * Applies flags to a settings file.
 *
 * @param path absolute
 * @throws SettingsFileError where the file cannot be read or replaced; it is then as it was
 */
export async function setUpByFlags(path: string, flags: SetupFlags): Promise<ScriptedEnd> {
  const file = await readSettingsFile(path);
  const { content } = file;
  if (content.kind === "broken") {
    return { kind: "wrong", lines: [content.why, "It was left as it is."] };
  }
  const before = content.kind === "none" ? newSettings() : content.settings;
  const settings = withFlags(before, flags);
  const faults = faultsOf(settings, dirname(path));
  if (faults.length > 0) {
    const untouched = content.kind === "none" ? `${path} was not made:` : `${path} is as it was:`;
    return {
      kind: "wrong",
      lines: [untouched, ...faults.map((fault) => `  ${faultText(fault, flags)}`)],
    };
  }
  const text = content.kind === "none" ? newText(settings) : editJson(content.text, settings);
  const config = parseConfig(text, path);
  const saved = await saveSettingsFile(file, text);
  const trouble = spoolTrouble(config.spoolDir, config.allowUnsafeSpoolVolume);
  const warnings = trouble === undefined ? [] : [trouble.why];
  if (saved === undefined) {
    return {
      kind: "done",
      config,
      lines: [`${path} says all this already: nothing was changed.`],
      warnings,
    };
  }
  const kept = saved.backup === undefined ? "" : ` As it was before: ${saved.backup}.`;
  return {
    kind: "done",
    config,
    lines: [
      content.kind === "none" ? `Made ${path}.` : `Changed ${path}.${kept}`,
      ...(content.kind === "none" ? [] : changeLines(before, settings).map((line) => `  ${line}`)),
    ],
    warnings: [...saved.warnings, ...warnings],
  };
}
