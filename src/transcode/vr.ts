/*
 * The VR of an element where the encoding carries none: the way out of Implicit VR (PS3.5 §6.2, PS3.6 §6).
 *
 * Owns the choice where the dictionary allows two, and UN for whatever it does not know (PS3.5 §6.2.2): a private
 * element keeps its bytes and nobody invents a type for it. The dictionary itself is dcmjs's, loaded on first use.
 */

import { isKnownVr } from "./parse.ts";

/** The VR of a tag, given whether Pixel Representation says signed. */
export type VrLookup = (tag: number, signed: boolean) => string;

/** Loads the data dictionary of PS3.6. */
export async function loadVrLookup(): Promise<VrLookup> {
  const { default: dcmjs } = await import("dcmjs");
  const dictionary = dcmjs.data.DicomMetaDictionary.dictionary as Record<
    string,
    { vr?: string } | undefined
  >;
  return (tag, signed) => {
    const group = tag >>> 16;
    const element = tag & 0xffff;
    if (element === 0) return "UL"; // Group Length, PS3.5 §7.2
    // Private Creator, PS3.5 §7.8.1; all else in an odd group is the vendor's secret.
    if (group % 2 === 1) return element >= 0x10 && element <= 0xff ? "LO" : "UN";
    const vr = dictionary[dictionaryKey(group, element)]?.vr ?? "UN";
    return settle(vr, signed);
  };
}

/** The repeating groups 50xx and 60xx stand in the dictionary under their first group (PS3.5 §7.6). */
function dictionaryKey(group: number, element: number): string {
  const first = group >>> 8 === 0x50 || group >>> 8 === 0x60 ? group & 0xff00 : group;
  return `(${hex(first)},${hex(element)})`;
}

function hex(value: number): string {
  return value.toString(16).toUpperCase().padStart(4, "0");
}

/** Settles the dictionary's "US or SS", "OB or OW" and "US or OW", as PS3.5 Annex A.2 has it for little endian. */
function settle(vr: string, signed: boolean): string {
  if (vr === "xs") return signed ? "SS" : "US";
  if (vr === "ox" || vr === "lt") return "OW";
  if (vr === "up") return "UL";
  return isKnownVr(vr) ? vr : "UN";
}
