/*
 * Unique identifiers (PS3.5 §9, PS3.6 Annex A) that the forwarder decides by.
 *
 * Owns the few well-known UIDs with a meaning here, and the questions "is this a UID", "is this a storage SOP class"
 * and "how is a data set of this transfer syntax encoded". It never decides what to accept: that is negotiation.
 */

/** Verification SOP Class, PS3.4 Annex A. */
export const VERIFICATION = "1.2.840.10008.1.1";

/** DICOM Application Context Name, PS3.7 Annex A.2.1. */
export const APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1";

export const IMPLICIT_VR_LE = "1.2.840.10008.1.2";
export const EXPLICIT_VR_LE = "1.2.840.10008.1.2.1";
export const DEFLATED_EXPLICIT_VR_LE = "1.2.840.10008.1.2.1.99";
export const EXPLICIT_VR_BE = "1.2.840.10008.1.2.2";

/** Identifies this implementation in associations and files (PS3.7 §D.3.3.2); a UUID-derived UID, PS3.5 Annex B.2. */
export const IMPLEMENTATION_CLASS_UID = "2.25.207596418358014833450579450552889714602";

/** At most 16 characters (PS3.7 §D.3.3.2.3). */
export const IMPLEMENTATION_VERSION_NAME = "DICOMFORWARD_010";

const TRANSFER_SYNTAX_NAMES: ReadonlyMap<string, string> = new Map([
  [IMPLICIT_VR_LE, "Implicit VR Little Endian"],
  [EXPLICIT_VR_LE, "Explicit VR Little Endian"],
  ["1.2.840.10008.1.2.1.98", "Encapsulated Uncompressed Explicit VR Little Endian"],
  [DEFLATED_EXPLICIT_VR_LE, "Deflated Explicit VR Little Endian"],
  [EXPLICIT_VR_BE, "Explicit VR Big Endian"],
  ["1.2.840.10008.1.2.4.50", "JPEG Baseline"],
  ["1.2.840.10008.1.2.4.51", "JPEG Extended"],
  ["1.2.840.10008.1.2.4.57", "JPEG Lossless, Non-Hierarchical"],
  ["1.2.840.10008.1.2.4.70", "JPEG Lossless"],
  ["1.2.840.10008.1.2.4.80", "JPEG-LS Lossless"],
  ["1.2.840.10008.1.2.4.81", "JPEG-LS Near-lossless"],
  ["1.2.840.10008.1.2.4.90", "JPEG 2000 Lossless"],
  ["1.2.840.10008.1.2.4.91", "JPEG 2000"],
  ["1.2.840.10008.1.2.4.92", "JPEG 2000 Multi-component Lossless"],
  ["1.2.840.10008.1.2.4.93", "JPEG 2000 Multi-component"],
  ["1.2.840.10008.1.2.4.100", "MPEG2 Main Profile / Main Level"],
  ["1.2.840.10008.1.2.4.101", "MPEG2 Main Profile / High Level"],
  ["1.2.840.10008.1.2.4.102", "MPEG-4 AVC/H.264 High Profile / Level 4.1"],
  ["1.2.840.10008.1.2.4.103", "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1"],
  ["1.2.840.10008.1.2.4.107", "HEVC/H.265 Main Profile / Level 5.1"],
  ["1.2.840.10008.1.2.4.108", "HEVC/H.265 Main 10 Profile / Level 5.1"],
  ["1.2.840.10008.1.2.4.110", "JPEG XL Lossless"],
  ["1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression"],
  ["1.2.840.10008.1.2.4.112", "JPEG XL"],
  ["1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000 Lossless"],
  ["1.2.840.10008.1.2.4.202", "High-Throughput JPEG 2000 with RPCL Lossless"],
  ["1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000"],
  ["1.2.840.10008.1.2.5", "RLE Lossless"],
]);

/** The name of a transfer syntax as PS3.6 Table A-1 calls it, shortened; the UID itself where it has none here. */
export function transferSyntaxName(uid: string): string {
  return TRANSFER_SYNTAX_NAMES.get(uid) ?? uid;
}

/** How the elements of a data set are encoded under a transfer syntax (PS3.5 Annex A). */
export interface DataSetEncoding {
  readonly explicitVr: boolean;
  readonly littleEndian: boolean;
  readonly deflated: boolean;
}

/** Transfer syntaxes whose whole data set is deflated (PS3.5 §A.5, §A.7, §A.12). Those that deflate frames are not. */
const DEFLATED: ReadonlySet<string> = new Set([
  DEFLATED_EXPLICIT_VR_LE,
  "1.2.840.10008.1.2.4.95", // JPIP Referenced Deflate
  "1.2.840.10008.1.2.4.205", // JPIP HTJ2K Referenced Deflate
]);

/**
 * The encoding of a transfer syntax. Everything but the four of PS3.5 §A.1 to §A.3 and §A.5 is explicit VR little
 * endian (PS3.5 §A.4); a private one is taken for the same, which a reader has to be prepared to find untrue.
 */
export function encodingOf(transferSyntaxUid: string): DataSetEncoding {
  return {
    explicitVr: transferSyntaxUid !== IMPLICIT_VR_LE,
    littleEndian: transferSyntaxUid !== EXPLICIT_VR_BE,
    deflated: DEFLATED.has(transferSyntaxUid),
  };
}

/** True for the transfer syntaxes whose pixel data are neither compressed nor deflated (PS3.5 §A.1 to §A.3). */
export function isUncompressed(transferSyntaxUid: string): boolean {
  return transferSyntaxUid === IMPLICIT_VR_LE || transferSyntaxUid === EXPLICIT_VR_LE ||
    transferSyntaxUid === EXPLICIT_VR_BE;
}

/** Storage SOP classes of the standard, current and retired, that do not lie under 1.2.840.10008.5.1.4.1.1 (PS3.6 Table A-1). */
const STORAGE_ELSEWHERE: ReadonlySet<string> = new Set([
  "1.2.840.10008.5.1.1.27", // Stored Print Storage (retired)
  "1.2.840.10008.5.1.1.29", // Hardcopy Grayscale Image Storage (retired)
  "1.2.840.10008.5.1.1.30", // Hardcopy Color Image Storage (retired)
  "1.2.840.10008.5.1.4.34.1", // RT Beams Delivery Instruction Storage - Trial (retired)
  "1.2.840.10008.5.1.4.34.7", // RT Beams Delivery Instruction Storage
  "1.2.840.10008.5.1.4.34.10", // RT Brachy Application Setup Delivery Instruction Storage
  "1.2.840.10008.5.1.4.38.1", // Hanging Protocol Storage
  "1.2.840.10008.5.1.4.39.1", // Color Palette Storage
  "1.2.840.10008.5.1.4.43.1", // Generic Implant Template Storage
  "1.2.840.10008.5.1.4.44.1", // Implant Assembly Template Storage
  "1.2.840.10008.5.1.4.45.1", // Implant Template Group Storage
]);

/** Services of the standard that lie under the root of storage all the same (PS3.6 Table A-1). */
const NO_STORAGE: ReadonlySet<string> = new Set([
  "1.2.840.10008.5.1.4.1.1.200.4", // Protocol Approval Information Model - FIND
  "1.2.840.10008.5.1.4.1.1.200.5", // Protocol Approval Information Model - MOVE
  "1.2.840.10008.5.1.4.1.1.200.6", // Protocol Approval Information Model - GET
  "1.2.840.10008.5.1.4.1.1.201.2", // Inventory - FIND
  "1.2.840.10008.5.1.4.1.1.201.3", // Inventory - MOVE
  "1.2.840.10008.5.1.4.1.1.201.4", // Inventory - GET
  "1.2.840.10008.5.1.4.1.1.201.5", // Inventory Creation
  "1.2.840.10008.5.1.4.1.1.201.6", // Repository Query
]);

/**
 * True where an abstract syntax can only be stored: every storage SOP class of the standard, present and future
 * (they lie under one root, but for the few above), and every private one. The standard's other services
 * (query, worklist, print, commitment ...) are not.
 */
export function isStorageClass(abstractSyntaxUid: string): boolean {
  if (!isUid(abstractSyntaxUid)) return false;
  if (!abstractSyntaxUid.startsWith("1.2.840.10008.")) return true;
  return abstractSyntaxUid.startsWith("1.2.840.10008.5.1.4.1.1.")
    ? !NO_STORAGE.has(abstractSyntaxUid)
    : STORAGE_ELSEWHERE.has(abstractSyntaxUid);
}

/**
 * True for a UID as found in the field: 1 to 64 characters of digits and dots, with at least one digit. Leading zeros
 * in a component, which PS3.5 §9.1 forbids, are let through: devices in use write them.
 */
export function isUid(text: string): boolean {
  return text.length <= 64 && /^[0-9.]*[0-9][0-9.]*$/.test(text);
}

/** A UID without its padding: trailing NULs (PS3.5 §9.1) and the spaces that some devices write instead. */
export function trimUid(text: string): string {
  let end = text.length;
  while (end > 0 && (text.charCodeAt(end - 1) === 0 || text.charCodeAt(end - 1) === 0x20)) end--;
  return end === text.length ? text : text.slice(0, end);
}
