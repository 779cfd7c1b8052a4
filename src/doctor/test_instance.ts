/*
 * The image that `--send-test` sends: a small Secondary Capture (PS3.3 §A.8.1) that says by itself what it is, and a data
 * set for it in either uncompressed little endian encoding.
 *
 * Pure; UIDs and time are handed in. The patient is TEST^DICOM FORWARDER, whom nobody treats.
 */

import { concat } from "../dicom/bytes.ts";
import { type Element, encodeDataSet, encodeElement } from "../dicom/encode.ts";
import { SECONDARY_CAPTURE } from "../dicom/sop_class.ts";
import { EXPLICIT_VR_LE, IMPLICIT_VR_LE } from "../dicom/uid.ts";

export const TEST_PATIENT_NAME = "TEST^DICOM FORWARDER";
export const TEST_PATIENT_ID = "DICOM-FORWARDER-TEST";

/** Rows and columns. */
const SIDE = 64;

/** VRs with a header of 12 bytes (PS3.5 Table 7.1-1), of those used here. */
const LONG_HEADER: ReadonlySet<string> = new Set(["OB", "OW", "SQ", "UT"]);

/** A test image. */
export interface TestInstance {
  readonly sopInstanceUid: string;
  readonly studyUid: string;
  readonly elements: readonly Element[];
}

/**
 * Makes a test image.
 *
 * @param now when, in ms since 1970; shown in its description
 * @param uuid gives a random UUID, one after another
 */
export function testInstance(now: number, uuid: () => string): TestInstance {
  const [sopInstanceUid, studyUid, seriesUid] = [uid(uuid()), uid(uuid()), uid(uuid())];
  const [date = "", time = ""] = new Date(now).toISOString().split("T");
  const da = date.replaceAll("-", "");
  const tm = time.replaceAll(":", "").slice(0, 6);
  const elements: Element[] = [
    [0x00080008, "CS", ["DERIVED", "SECONDARY"]],
    [0x00080016, "UI", SECONDARY_CAPTURE],
    [0x00080018, "UI", sopInstanceUid],
    [0x00080020, "DA", da],
    [0x00080023, "DA", da],
    [0x00080030, "TM", tm],
    [0x00080033, "TM", tm],
    [0x00080050, "SH", ""],
    [0x00080060, "CS", "OT"],
    [0x00080064, "CS", "SYN"],
    [0x00080070, "LO", "DICOM Forwarder"],
    [0x00080090, "PN", ""],
    [0x00081030, "LO", "Connection test, may be deleted"],
    [0x0008103e, "LO", "Connection test, may be deleted"],
    [0x00100010, "PN", TEST_PATIENT_NAME],
    [0x00100020, "LO", TEST_PATIENT_ID],
    [0x00100030, "DA", ""],
    [0x00100040, "CS", "O"],
    [0x0020000d, "UI", studyUid],
    [0x0020000e, "UI", seriesUid],
    [0x00200010, "SH", "TEST"],
    [0x00200011, "IS", 1],
    [0x00200013, "IS", 1],
    [0x00200020, "CS", ""],
    [0x00280002, "US", 1],
    [0x00280004, "CS", "MONOCHROME2"],
    [0x00280010, "US", SIDE],
    [0x00280011, "US", SIDE],
    [0x00280100, "US", 8],
    [0x00280101, "US", 8],
    [0x00280102, "US", 7],
    [0x00280103, "US", 0],
    [0x7fe00010, "OW", pixels()],
  ];
  return { sopInstanceUid, studyUid, elements };
}

/**
 * Its data set.
 *
 * @param transferSyntaxUid Explicit or Implicit VR Little Endian
 * @throws {RangeError} for any other
 */
export function encodeTest({ elements }: TestInstance, transferSyntaxUid: string): Uint8Array {
  if (transferSyntaxUid === EXPLICIT_VR_LE) return encodeDataSet(elements);
  if (transferSyntaxUid === IMPLICIT_VR_LE) return concat(elements.map(implicit));
  throw new RangeError(`A test image cannot be encoded in ${transferSyntaxUid}`);
}

/** Tag and 32-bit length instead of VR and length (PS3.5 §7.1.3); the value is the same. */
function implicit(element: Element): Uint8Array {
  const bytes = encodeElement(element);
  const value = bytes.subarray(LONG_HEADER.has(element[1]) ? 12 : 8);
  const header = new Uint8Array(8);
  header.set(bytes.subarray(0, 4));
  new DataView(header.buffer).setUint32(4, value.length, true);
  return concat([header, value]);
}

/** A grey wedge with a frame: seen at once as what it is. */
function pixels(): Uint8Array {
  const bytes = new Uint8Array(SIDE * SIDE);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const edge = x < 2 || y < 2 || x >= SIDE - 2 || y >= SIDE - 2;
      bytes[y * SIDE + x] = edge ? 255 : x * 3;
    }
  }
  return bytes;
}

/** 2.25. and the UUID as an integer (PS3.5 §B.2). */
function uid(uuid: string): string {
  return `2.25.${BigInt(`0x${uuid.replaceAll("-", "")}`)}`;
}
