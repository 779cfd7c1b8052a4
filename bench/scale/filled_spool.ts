/*
 * A spool as a long outage leaves it: files under the spool's own names and in its form, and a ledger with the line of
 * each.
 *
 * Each is a file of its own: the program may write over what it has delivered.
 */

import { join } from "node:path";
import { crc32 } from "node:zlib";
import { concat } from "../../src/dicom/bytes.ts";
import { encodeFileMeta, PREAMBLE_LENGTH } from "../../src/dicom/part10.ts";
import { formatEvent } from "../../src/ledger/event.ts";
import { ledgerFileName } from "../../src/ledger/files.ts";
import { formatSlot, putCommitRecord } from "../../src/spool/commit_record.ts";
import {
  bucketOf,
  crcOf,
  type EntryIdentity,
  formatBase,
  formatName,
  hashStudy,
} from "../../src/spool/entry_name.ts";
import { realFileSystem } from "../../src/spool/file_system.ts";
import { makeSpool } from "../../src/spool/layout.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import { nthOf, smallDataSet, SOP_CLASS, TRANSFER_SYNTAX } from "./generated.ts";

/** Instances of a study. */
const PER_STUDY = 500;

/** Of a data set, in bytes. */
const SIZE = 1000;

/** Received this long before now, the first of them, and how long after each other, in ms. */
const AGO_MS = 4 * 86_400_000;
const APART_MS = 300;

export interface Filling {
  readonly entries: number;
  readonly destination: string;
  /** All in one study, and so in one folder; else five hundred each. */
  readonly oneStudy: boolean;
}

/** Makes a spool with so many entries in its queue. */
export async function fillSpool(directory: string, filling: Filling): Promise<void> {
  const { entries, destination, oneStudy } = filling;
  await makeSpool(realFileSystem, directory, false);
  const { queue, ledger } = spoolPaths(directory);
  const began = Date.now() - AGO_MS;
  let day = "";
  let lines: string[] = [];
  const write = () => {
    if (day === "") return;
    Deno.writeTextFileSync(join(ledger, ledgerFileName(day, 1)), lines.join(""), { append: true });
    lines = [];
  };
  const dataSet = smallDataSet(nthOf(0, 0), SIZE);
  for (let n = 1; n <= entries; n++) {
    const { sopInstanceUid, studyInstanceUid } = nthOf(
      oneStudy ? 1 : Math.ceil(n / PER_STUDY),
      n,
    );
    const studyHash = hashStudy(studyInstanceUid);
    const receivedMs = began + n * APART_MS;
    const identity = { receivedMs, sequence: n, studyHash, crc32: crc32(dataSet) };
    const base = formatBase(identity);
    const path = join(
      queue,
      bucketOf(studyHash),
      formatName(base, [{ destination, tries: 0 }]),
    );
    Deno.writeFileSync(path, instanceFile(dataSet, { sopInstanceUid, ...identity }));
    const at = new Date(receivedMs).toISOString();
    const today = at.slice(0, 10).replaceAll("-", "");
    if (today !== day || lines.length >= 1000) {
      write();
      day = today;
    }
    lines.push(formatEvent({
      event: "accepted",
      id: base,
      at,
      sop: sopInstanceUid,
      class: SOP_CLASS,
      syntax: TRANSFER_SYNTAX,
      study: studyInstanceUid,
      from: "MODALITY",
      peer: "10.0.0.7:50000",
      bytes: dataSet.length,
      crc32: crcOf(base),
      for: [destination],
    }));
  }
  write();
}

function instanceFile(
  dataSet: Uint8Array,
  { sopInstanceUid, ...identity }: EntryIdentity & { readonly sopInstanceUid: string },
): Uint8Array {
  const meta = encodeFileMeta({
    sopClassUid: SOP_CLASS,
    sopInstanceUid,
    transferSyntaxUid: TRANSFER_SYNTAX,
    sourceAeTitle: "MODALITY",
    receivingAeTitle: "DICOMFORWARDER",
  });
  const bytes = concat([new Uint8Array(PREAMBLE_LENGTH), meta, dataSet]);
  putCommitRecord(bytes, {
    ...identity,
    dataSetOffset: PREAMBLE_LENGTH + meta.length,
    dataSetLength: dataSet.length,
    metaCrc32: crc32(meta),
    slot: formatSlot(identity.receivedMs, identity.sequence),
  });
  return bytes;
}
