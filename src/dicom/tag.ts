/*
 * Data element tags as people read them (PS3.5 §7.1.1).
 */

/** `(0008,0018)` for 0x00080018. */
export function tagText(tag: number): string {
  const digits = (tag >>> 0).toString(16).toUpperCase().padStart(8, "0");
  return `(${digits.slice(0, 4)},${digits.slice(4)})`;
}
