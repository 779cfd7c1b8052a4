/*
 * What a destination said, as an overview may tell it: without what leads to a patient.
 *
 * Pure. Two things do: the comment of a peer, which stands behind the status of its answer, and paths in an archive, whose
 * folders are named after patients and studies. The log and the ledger have them where `log_patient_info` lets them.
 */

import { resolve } from "node:path";

/**
 * The text without them.
 *
 * @param said as delivery tells it: `Cannot understand (C000): NAME OF A PATIENT`, `stored as /archive/PATIENT-ID/...`
 * @param folder of the archive it is about; undefined where it is about a DICOM node
 */
export function withoutPatient(said: string, folder?: string): string {
  if (folder === undefined) return said.replace(/(\([0-9A-F]{4}\)):.*$/s, "$1");
  const top = resolve(folder);
  for (let from = said.indexOf(top); from >= 0; from = said.indexOf(top, from + 1)) {
    const end = from + top.length;
    if (/^[/\\]/.test(said.slice(end)) || /[/\\]$/.test(top)) {
      return `${said.slice(0, end).replace(/[/\\]$/, "")}/...`;
    }
  }
  return said;
}
