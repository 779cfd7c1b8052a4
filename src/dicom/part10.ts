/*
 * The head of a DICOM file (PS3.10 §7.1): 128 bytes of preamble, "DICM", the file meta information.
 *
 * Owns writing our own file meta and reading anybody's. The preamble's content is the caller's. It never looks into
 * the data set behind it. A head that can't be read is a Part10Error that says what was found.
 */

import { latin1, putLatin1 } from "./bytes.ts";
import { IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, trimUid } from "./uid.ts";

/** Length of the preamble in bytes. */
export const PREAMBLE_LENGTH = 128;

/** More than any file meta met in the field needs, in bytes: how much of a file to read for its head. */
export const HEAD_READ_LENGTH = 16 * 1024;

/** The file meta elements that the forwarder writes and reads (PS3.10 Table 7.1-1). */
export interface FileMeta {
  /** (0002,0002) */
  readonly sopClassUid: string;
  /** (0002,0003) */
  readonly sopInstanceUid: string;
  /** (0002,0010) */
  readonly transferSyntaxUid: string;
  /** (0002,0016), the AE title that sent the instance to us; empty where unknown. */
  readonly sourceAeTitle: string;
  /** (0002,0018), the AE title it was sent to; empty where unknown. */
  readonly receivingAeTitle: string;
}

/** The head of a file was not what PS3.10 wants. */
export class Part10Error extends Error {
  override readonly name = "Part10Error";
}

/**
 * Encodes "DICM" and the file meta information: all that stands between the preamble and the data set.
 * Always explicit VR little endian (PS3.10 §7.1).
 */
export function encodeFileMeta(meta: FileMeta): Uint8Array {
  const elements: [number, string, string][] = [
    [0x0002, "UI", meta.sopClassUid],
    [0x0003, "UI", meta.sopInstanceUid],
    [0x0010, "UI", meta.transferSyntaxUid],
    [0x0012, "UI", IMPLEMENTATION_CLASS_UID],
    [0x0013, "SH", IMPLEMENTATION_VERSION_NAME],
  ];
  if (meta.sourceAeTitle !== "") elements.push([0x0016, "AE", meta.sourceAeTitle]);
  if (meta.receivingAeTitle !== "") elements.push([0x0018, "AE", meta.receivingAeTitle]);
  let groupLength = 14; // (0002,0001): 12 bytes of header for OB, 2 of value
  for (const [, , value] of elements) groupLength += 8 + value.length + (value.length & 1);
  const bytes = new Uint8Array(4 + 12 + groupLength);
  const view = new DataView(bytes.buffer);
  putLatin1(bytes, 0, "DICM");
  view.setUint32(4, 0x00000002, true); // (0002,0000): group in the low, element in the high half
  putLatin1(bytes, 8, "UL");
  view.setUint16(10, 4, true);
  view.setUint32(12, groupLength, true);
  view.setUint16(16, 0x0002, true);
  view.setUint16(18, 0x0001, true);
  putLatin1(bytes, 20, "OB");
  view.setUint32(24, 2, true);
  bytes[28] = 0x00;
  bytes[29] = 0x01;
  let offset = 30;
  for (const [element, vr, value] of elements) {
    const padded = value.length + (value.length & 1);
    view.setUint16(offset, 0x0002, true);
    view.setUint16(offset + 2, element, true);
    putLatin1(bytes, offset + 4, vr);
    view.setUint16(offset + 6, padded, true);
    putLatin1(bytes, offset + 8, value);
    if (padded > value.length) bytes[offset + 7 + padded] = vr === "UI" ? 0 : 0x20; // PS3.5 §6.2
    offset += 8 + padded;
  }
  return bytes;
}

/**
 * Reads the file meta information from the first bytes of a file.
 *
 * @param head at least the preamble and the whole file meta; `HEAD_READ_LENGTH` bytes do, or the whole file.
 * @returns the elements, and the offset in bytes at which the data set begins.
 * @throws {Part10Error} where "DICM" or the transfer syntax is missing, or the head ends inside an element.
 */
export function readFileMeta(head: Uint8Array): { meta: FileMeta; dataSetOffset: number } {
  const mark = latin1(head, PREAMBLE_LENGTH, Math.min(head.length, PREAMBLE_LENGTH + 4));
  if (mark !== "DICM") {
    throw new Part10Error("No DICOM file: bytes 128 to 131 are not DICM (PS3.10 7.1)");
  }
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const values = new Map<number, string>();
  let offset = PREAMBLE_LENGTH + 4;
  // The group length is not relied on: files without it, or with a wrong one, are about. The group number ends the meta.
  while (offset + 8 <= head.length && view.getUint16(offset, true) === 0x0002) {
    const element = view.getUint16(offset + 2, true);
    const vr = latin1(head, offset + 4, offset + 6);
    const long = vr === "OB" || vr === "UN" || vr === "OW" || vr === "SQ" || vr === "UT";
    if (long && offset + 12 > head.length) break;
    const length = long ? view.getUint32(offset + 8, true) : view.getUint16(offset + 6, true);
    const start = offset + (long ? 12 : 8);
    if (start + length > head.length) {
      throw new Part10Error(
        `File meta element (0002,${hex4(element)}) claims ${length} bytes, ${
          head.length - start
        } are there`,
      );
    }
    values.set(element, latin1(head, start, start + length));
    offset = start + length;
  }
  const transferSyntaxUid = trimUid(values.get(0x0010) ?? "");
  if (transferSyntaxUid === "") {
    throw new Part10Error("File meta has no Transfer Syntax UID (0002,0010)");
  }
  return {
    meta: {
      sopClassUid: trimUid(values.get(0x0002) ?? ""),
      sopInstanceUid: trimUid(values.get(0x0003) ?? ""),
      transferSyntaxUid,
      sourceAeTitle: trimUid(values.get(0x0016) ?? ""),
      receivingAeTitle: trimUid(values.get(0x0018) ?? ""),
    },
    dataSetOffset: offset,
  };
}

function hex4(value: number): string {
  return value.toString(16).toUpperCase().padStart(4, "0");
}
