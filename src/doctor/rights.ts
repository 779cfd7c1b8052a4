/*
 * Who else may see what is nobody's business: the configuration where it holds secrets, the spool and the log with their
 * patients.
 *
 * By the mode of files, which says something on Linux and macOS only; on Windows the service's installation sets the rights,
 * and there is nothing in a mode to see them by.
 */

import { dirname } from "node:path";
import type { Config } from "../config/load.ts";
import { fileHoldsSecrets } from "../config/secrets.ts";
import { type Finding, ok, Rank, type Tell, unknown, warning } from "./finding.ts";

/** Looks at the rights of files and folders. Never throws for what may not be looked at. */
export async function probeRights(config: Config, tell: Tell): Promise<void> {
  if (Deno.build.os === "windows") {
    tell(
      unknown(
        "rights",
        "on Windows `service install` sets who may see settings and images; that is not looked at here",
      ),
    );
    return;
  }
  const { file, spoolDir, logDir, logPatientInfo } = config;
  if (file !== null) {
    tell(judgeConfigRights(file, await modeOf(file), await fileHoldsSecrets(file)));
    tell(judgeFolderRights(dirname(file), await modeOf(dirname(file)), "settings"));
  }
  tell(judgeFolderRights(spoolDir, await modeOf(spoolDir), "images"));
  tell(judgeFolderRights(logDir, await modeOf(logDir), logPatientInfo ? "patients" : "log"));
}

/** The permission bits; undefined where it is not there or may not be looked at. */
async function modeOf(path: string): Promise<number | undefined> {
  try {
    return (await Deno.stat(path)).mode ?? undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param mode permission bits (st_mode)
 * @param secrets whether the file holds any
 */
export function judgeConfigRights(
  file: string,
  mode: number | undefined,
  secrets: boolean,
): Finding {
  if (mode === undefined) return unknown("rights", `the rights of ${file} are not known`);
  if ((mode & 0o002) !== 0) {
    return warning("rights", `everybody on this machine may change ${file}`, {
      text: `Take that right away: chmod o-w ${file}`,
      rank: Rank.Comfort,
    });
  }
  if (secrets && (mode & 0o004) !== 0) {
    return warning("rights", `everybody on this machine may read ${file}, which holds secrets`, {
      text: `Take that right away: chmod o-r ${file}`,
      rank: Rank.Comfort,
    });
  }
  return ok("rights", `${file} can be changed by nobody else${secrets ? ", nor be read" : ""}`);
}

/** @param holds what is in the folder, which decides what others must not do */
export function judgeFolderRights(
  folder: string,
  mode: number | undefined,
  holds: "settings" | "images" | "patients" | "log",
): Finding {
  // Not there yet, most often: the forwarder makes its folders for itself alone.
  if (mode === undefined) return unknown("rights", `the rights of ${folder} are not known yet`);
  const sticky = (mode & 0o1000) !== 0;
  if ((mode & 0o002) !== 0 && !sticky) {
    return warning("rights", `everybody on this machine may put files into ${folder}`, {
      text: `Take that right away: chmod o-w ${folder}`,
      rank: Rank.Comfort,
    });
  }
  // To look into a folder takes the right to search it.
  if ((holds === "images" || holds === "patients") && (mode & 0o005) === 0o005) {
    const what = holds === "images" ? "the images in" : "the patients' names in the log in";
    return warning("rights", `everybody on this machine may see ${what} ${folder}`, {
      text: `Take that right away: chmod o-rx ${folder}`,
      rank: Rank.Comfort,
    });
  }
  return ok("rights", `${folder} is closed to others as far as it has to be`);
}
