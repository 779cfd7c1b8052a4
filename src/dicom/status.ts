/*
 * C-STORE statuses (PS3.7 Annex C, PS3.4 Annex B.2.3) and what they mean for an instance.
 *
 * Owns the numbers and their classification; what is done about a class is delivery's business.
 */

export const SUCCESS = 0x0000;
export const PROCESSING_FAILURE = 0x0110;
export const INVALID_SOP_INSTANCE = 0x0117;
export const SOP_CLASS_NOT_SUPPORTED = 0x0122;
export const UNRECOGNIZED_OPERATION = 0x0211;
export const OUT_OF_RESOURCES = 0xa700;
export const DATA_SET_MISMATCH = 0xa900;
export const CANNOT_UNDERSTAND = 0xc000;

/** What the answer to one C-STORE request says about the instance and about the peer. */
export type StatusClass =
  | "stored"
  | "stored-with-warning"
  | "out-of-resources"
  | "refused"
  | "duplicate"
  | "not-authorised"
  | "protocol-error"
  | "not-an-answer";

/** Refusals among the general statuses of PS3.7 Annex C; the ranges A9xx and Cxxx come from PS3.4 Table B.2-1. */
const REFUSALS: ReadonlySet<number> = new Set([
  0x0105,
  0x0106,
  0x0112,
  0x0114,
  0x0115,
  0x0117,
  0x0118,
  0x0119,
  0x0120,
  0x0121,
  0x0122,
]);

/**
 * Classifies a C-STORE response status.
 *
 * Only `stored` and `stored-with-warning` say that the peer has the instance; a code that no table knows never does.
 *
 * @param status (0000,0900), 0 to 65535; undefined where the response carried none.
 */
export function classifyStoreStatus(status: number | undefined): StatusClass {
  if (status === undefined) return "not-an-answer";
  if (status === SUCCESS) return "stored";
  if ((status & 0xf000) === 0xb000) return "stored-with-warning";
  if (status === 0x0001 || status === 0x0107 || status === 0x0116) return "stored-with-warning";
  if ((status & 0xff00) === 0xa700 || status === 0x0110 || status === 0x0213) {
    return "out-of-resources";
  }
  if ((status & 0xff00) === 0xa900 || (status & 0xf000) === 0xc000) return "refused";
  if (REFUSALS.has(status)) return "refused";
  if (status === 0x0111) return "duplicate";
  if (status === 0x0124) return "not-authorised";
  if (status === 0x0210 || status === 0x0211 || status === 0x0212) return "protocol-error";
  return "not-an-answer";
}

const MEANINGS: ReadonlyMap<number, string> = new Map([
  [0x0000, "Success"],
  [0x0001, "Requested optional attributes are not supported"],
  [0x0105, "No such attribute"],
  [0x0106, "Invalid attribute value"],
  [0x0107, "Attribute list error"],
  [0x0110, "Processing failure"],
  [0x0111, "Duplicate SOP instance"],
  [0x0112, "No such SOP instance"],
  [0x0114, "No such argument"],
  [0x0115, "Invalid argument value"],
  [0x0116, "Attribute value out of range"],
  [0x0117, "Invalid SOP instance"],
  [0x0118, "No such SOP class"],
  [0x0119, "Class-instance conflict"],
  [0x0120, "Missing attribute"],
  [0x0121, "Missing attribute value"],
  [0x0122, "SOP class not supported"],
  [0x0124, "Not authorised"],
  [0x0210, "Duplicate invocation"],
  [0x0211, "Unrecognised operation"],
  [0x0212, "Mistyped argument"],
  [0x0213, "Resource limitation"],
  [0xb000, "Stored, with data elements coerced"],
  [0xb006, "Stored, with elements discarded"],
  [0xb007, "Stored, although the data set does not match the SOP class"],
]);

/** A status in words with its number, such as `Out of resources (A700)`. */
export function describeStatus(status: number | undefined): string {
  if (status === undefined) return "an answer without a status";
  const code = status.toString(16).toUpperCase().padStart(4, "0");
  const known = MEANINGS.get(status);
  if (known !== undefined) return `${known} (${code})`;
  if ((status & 0xff00) === 0xa700) return `Out of resources (${code})`;
  if ((status & 0xff00) === 0xa900) return `Data set does not match SOP class (${code})`;
  if ((status & 0xf000) === 0xc000) return `Cannot understand (${code})`;
  if ((status & 0xf000) === 0xb000) return `Stored, with a warning (${code})`;
  return `Status ${code}`;
}
