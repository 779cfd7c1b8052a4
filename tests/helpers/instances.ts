/*
 * Instances made for one test: small, valid, and with whatever text the test wants in the elements it is about.
 */

import { concat } from "../../src/dicom/bytes.ts";
import { encodeDataSet } from "../../src/dicom/encode.ts";
import { EXPLICIT_VR_LE } from "../../src/dicom/uid.ts";
import { sha256 } from "./hashes.ts";
import { noise } from "./hex.ts";

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
  /** Absent unless given. */
  readonly patientName?: string;
  /** Absent unless given. */
  readonly accessionNumber?: string;
  /** Bytes as characters of ISO 8859-1. */
  readonly characterSet?: string;
}

/** A data set of the identifying elements and a few pixels, explicit VR little endian. */
export function dataSetOf(fields: InstanceFields): Uint8Array {
  const given = (tag: number, vr: string, text: string | undefined) =>
    text === undefined ? [] : [textElement(tag, vr, text)];
  return concat([
    ...given(0x00080005, "CS", fields.characterSet),
    textElement(0x00080016, "UI", fields.sopClassUid ?? CT_IMAGE_STORAGE),
    textElement(0x00080018, "UI", fields.sopInstanceUid ?? "1.2.3.4"),
    ...given(0x00080050, "SH", fields.accessionNumber),
    textElement(0x00080060, "CS", fields.modality ?? "CT"),
    ...given(0x00100010, "PN", fields.patientName),
    textElement(0x00100020, "LO", fields.patientId ?? "PATIENT"),
    textElement(0x0020000d, "UI", fields.studyUid ?? "1.2.3"),
    textElement(0x0020000e, "UI", fields.seriesUid ?? "1.2.3.1"),
    encodeDataSet([
      [0x00280010, "US", 2],
      [0x00280011, "US", 2],
      [0x7fe00010, "OW", Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)],
    ]),
  ]);
}

/** A text as its UTF-8, a character for each byte: that is how it travels. */
export function asBytes(text: string): string {
  return [...new TextEncoder().encode(text)].map((byte) => String.fromCharCode(byte)).join("");
}

/** One element of any text, of any length up to 65,534 characters, legal or not; a character a byte (PS3.5 §7.1.2). */
function textElement(tag: number, vr: string, text: string): Uint8Array {
  const length = text.length + (text.length & 1);
  const bytes = new Uint8Array(8 + length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, tag >>> 16, true);
  view.setUint16(2, tag & 0xffff, true);
  view.setUint16(6, length, true);
  const encoded = `${vr}  ${text}`;
  for (let at = 0; at < encoded.length; at++) {
    if (at !== 2 && at !== 3) bytes[4 + at] = encoded.charCodeAt(at);
  }
  if (length > text.length) bytes[7 + length] = vr === "UI" ? 0 : 0x20;
  return bytes;
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

/** An instance with so many bytes of pixels. */
export function instanceOfSize(sopInstanceUid: string, pixels: number): TestInstance {
  const dataSet = encodeDataSet([
    [0x00080016, "UI", CT_IMAGE_STORAGE],
    [0x00080018, "UI", sopInstanceUid],
    [0x00080060, "CS", "CT"],
    [0x00100020, "LO", "PATIENT"],
    [0x0020000d, "UI", "1.2.3"],
    [0x0020000e, "UI", "1.2.3.1"],
    [0x7fe00010, "OW", noise(pixels)],
  ]);
  return {
    sopClassUid: CT_IMAGE_STORAGE,
    sopInstanceUid,
    transferSyntaxUid: EXPLICIT_VR_LE,
    dataSet,
  };
}

/** UID to SHA-256 of the data set. */
export function hashesOf(instances: Iterable<TestInstance>): Map<string, string> {
  const hashes = new Map<string, string>();
  for (const { sopInstanceUid, dataSet } of instances) hashes.set(sopInstanceUid, sha256(dataSet));
  return hashes;
}
