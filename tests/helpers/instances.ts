/*
 * Instances made for one test: small, valid, and with whatever text the test wants in the elements it is about.
 */

import { type Element, encodeDataSet } from "../../src/dicom/encode.ts";
import { EXPLICIT_VR_LE } from "../../src/dicom/uid.ts";
import { sha256 } from "./hashes.ts";

export const CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2";

/** Something to send: what the command says, and a data set in memory. */
export interface TestInstance {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
  readonly dataSet: Uint8Array;
}

export interface InstanceFields {
  readonly sopClassUid?: string;
  readonly sopInstanceUid?: string;
  readonly studyUid?: string;
  readonly seriesUid?: string;
  readonly patientId?: string;
  readonly modality?: string;
}

/** A data set of the identifying elements and a few pixels, explicit VR little endian. */
export function dataSetOf(fields: InstanceFields): Uint8Array {
  const elements: Element[] = [
    [0x00080016, "UI", fields.sopClassUid ?? CT_IMAGE_STORAGE],
    [0x00080018, "UI", fields.sopInstanceUid ?? "1.2.3.4"],
    [0x00080060, "CS", fields.modality ?? "CT"],
    [0x00100020, "LO", fields.patientId ?? "PATIENT"],
    [0x0020000d, "UI", fields.studyUid ?? "1.2.3"],
    [0x0020000e, "UI", fields.seriesUid ?? "1.2.3.1"],
    [0x00280010, "US", 2],
    [0x00280011, "US", 2],
    [0x7fe00010, "OW", Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)],
  ];
  return encodeDataSet(elements);
}

/** An instance whose command agrees with its data set. */
export function instanceOf(fields: InstanceFields): TestInstance {
  return {
    sopClassUid: fields.sopClassUid ?? CT_IMAGE_STORAGE,
    sopInstanceUid: fields.sopInstanceUid ?? "1.2.3.4",
    transferSyntaxUid: EXPLICIT_VR_LE,
    dataSet: dataSetOf(fields),
  };
}

/** UID to SHA-256 of the data set. */
export function hashesOf(instances: Iterable<TestInstance>): Map<string, string> {
  const hashes = new Map<string, string>();
  for (const { sopInstanceUid, dataSet } of instances) hashes.set(sopInstanceUid, sha256(dataSet));
  return hashes;
}
