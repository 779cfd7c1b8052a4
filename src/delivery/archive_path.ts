/*
 * Where an instance lies below the folder of a directory destination.
 *
 * Pure: what the data set says in, a path out, whose every part is made safe (`safe_name.ts`). It never looks whether
 * anything is there; what to do then is `directory.ts`'s business.
 */

import { join } from "node:path";
import { safeName } from "./safe_name.ts";

/** The elements that the path is made of, as they came from the network. */
export interface PathParts {
  readonly patientId: string;
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
}

/** `<folder>/<Patient ID>/<Study Instance UID>/<Series Instance UID>/<SOP Instance UID>.dcm`, each made safe. */
export function archivePath(folder: string, parts: PathParts, sopInstanceUid: string): string {
  return join(
    folder,
    safeName(parts.patientId, "NO-PATIENT-ID"),
    safeName(parts.studyInstanceUid, "NO-STUDY-UID"),
    safeName(parts.seriesInstanceUid, "NO-SERIES-UID"),
    `${safeName(sopInstanceUid, "NO-INSTANCE-UID")}.dcm`,
  );
}
