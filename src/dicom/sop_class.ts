/*
 * Names of storage SOP classes (PS3.6 Table A-1), for people.
 *
 * Owns the short names of those that are met in the field. What is not here is called by its UID, and treated the same.
 */

const ROOT = "1.2.840.10008.5.1.4.1.1.";

/** Behind the common root: a short name as an administrator says it. The order is that of how often they are met. */
const NAMES: readonly (readonly [end: string, name: string])[] = [
  ["2", "CT"],
  ["4", "MR"],
  ["1", "CR"],
  ["1.1", "DX"],
  ["1.1.1", "DX for processing"],
  ["1.2", "MG"],
  ["1.2.1", "MG for processing"],
  ["13.1.3", "Breast tomosynthesis"],
  ["6.1", "US"],
  ["3.1", "US multi-frame"],
  ["12.1", "XA"],
  ["12.2", "RF"],
  ["20", "NM"],
  ["128", "PET"],
  ["7", "Secondary capture"],
  ["7.2", "SC multi-frame grayscale byte"],
  ["7.4", "SC multi-frame colour"],
  ["2.1", "Enhanced CT"],
  ["4.1", "Enhanced MR"],
  ["4.3", "Enhanced MR colour"],
  ["12.1.1", "Enhanced XA"],
  ["130", "Enhanced PET"],
  ["1.3", "Intra-oral X-ray"],
  ["11.1", "Presentation state"],
  ["88.11", "Basic text SR"],
  ["88.22", "Enhanced SR"],
  ["88.33", "Comprehensive SR"],
  ["88.59", "Key object selection"],
  ["88.67", "Radiation dose SR"],
  ["104.1", "Encapsulated PDF"],
  ["66.4", "Segmentation"],
  ["481.1", "RT image"],
  ["481.2", "RT dose"],
  ["481.3", "RT structure set"],
  ["481.5", "RT plan"],
  ["77.1.1", "VL endoscopic"],
  ["77.1.2", "VL microscopic"],
  ["77.1.4", "VL photographic"],
  ["77.1.1.1", "Endoscopic video"],
  ["77.1.4.1", "Photographic video"],
  ["77.1.6", "VL whole slide"],
  ["77.1.5.1", "Ophthalmic photography"],
  ["77.1.5.4", "Ophthalmic tomography"],
  ["9.1.1", "12-lead ECG"],
  ["66", "Raw data"],
];

const BY_UID: ReadonlyMap<string, string> = new Map(NAMES.map(([end, name]) => [ROOT + end, name]));

/** Secondary Capture Image Storage, PS3.4 Table B.5-1. */
export const SECONDARY_CAPTURE = `${ROOT}7`;

/** The storage SOP classes with a name here, those met most often at the front. */
export const COMMON_STORAGE_CLASSES: readonly string[] = [...BY_UID.keys()];

/** The short name of a storage SOP class; the UID itself where it has none here. */
export function sopClassName(uid: string): string {
  return BY_UID.get(uid) ?? uid;
}
