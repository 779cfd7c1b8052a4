/*
 * Which configuration file is meant where none is named: the one here, beside the program, or where the system keeps it.
 */

import { dirname, join } from "node:path";
import { ConfigError } from "../config/load.ts";
import { DISPLAY_NAME } from "../service/definition.ts";

/** Where a configuration is looked for, in order. */
function usualPlaces(): string[] {
  return ["config.json", join(dirname(Deno.execPath()), "config.json"), systemConfigFile()];
}

/** Where an installed forwarder has its configuration. */
export function systemConfigFile(): string {
  if (Deno.build.os !== "windows") return "/etc/dicomforwarder/config.json";
  const data = Deno.env.get("ProgramData") ?? "C:\\ProgramData";
  return join(data, DISPLAY_NAME, "config.json");
}

/** The first of the usual places that has one; undefined where none has. */
export async function existingConfigFile(): Promise<string | undefined> {
  for (const path of usualPlaces()) {
    const there = await look(path);
    // What this user may not see is meant where it is the installed one, which is closed to all but administrators: reading
    // it says so. Elsewhere, in another person's folder, it is nobody's concern.
    if (there === "yes" || (there === "hidden" && path === systemConfigFile())) return path;
  }
  return undefined;
}

/** Where a configuration is made that is nowhere yet: where an installer has prepared the place, else here. */
export async function configFileToMake(): Promise<string> {
  const installed = systemConfigFile();
  return await look(dirname(installed)) === "no" ? "config.json" : installed;
}

/**
 * The file that is meant.
 *
 * @param named on the command line, if any
 * @throws {ConfigError} where there is none
 */
export async function findConfigFile(named: string | undefined): Promise<string> {
  const path = named ?? await existingConfigFile();
  if (path !== undefined) return path;
  throw new ConfigError(
    `There is no config.json here (${Deno.cwd()}), nor beside the program, nor at ${systemConfigFile()}: say --config FILE.`,
  );
}

async function look(path: string): Promise<"yes" | "no" | "hidden"> {
  try {
    await Deno.stat(path);
    return "yes";
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) return "hidden";
    if (error instanceof Deno.errors.NotFound) return "no";
    throw error;
  }
}
