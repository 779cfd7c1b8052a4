/*
 * Text of a data set as people read it: from the bytes and what Specific Character Set (0008,0005) says of them
 * (PS3.3 §C.12.1.1.2).
 *
 * For showing only. What cannot be told is shown as ISO 8859-1, which loses nothing; code extensions (ISO 2022) stay as
 * their escape sequences.
 */

/** Defined terms of PS3.3 Tables C.12-2 to C.12-5, by the names that the Encoding Standard has for them. */
const ENCODINGS: ReadonlyMap<string, string> = new Map([
  ["ISO_IR 101", "iso-8859-2"],
  ["ISO_IR 109", "iso-8859-3"],
  ["ISO_IR 110", "iso-8859-4"],
  ["ISO_IR 144", "iso-8859-5"],
  ["ISO_IR 127", "iso-8859-6"],
  ["ISO_IR 126", "iso-8859-7"],
  ["ISO_IR 138", "iso-8859-8"],
  ["ISO_IR 148", "windows-1254"],
  ["ISO_IR 203", "iso-8859-15"],
  ["ISO_IR 13", "shift_jis"],
  ["ISO_IR 166", "windows-874"],
  ["ISO_IR 192", "utf-8"],
  ["GB18030", "gb18030"],
  ["GBK", "gbk"],
]);

/**
 * Reads a text.
 *
 * @param text the bytes as characters of ISO 8859-1
 * @param characterSet value of (0008,0005), several separated by backslashes
 */
export function readText(text: string, characterSet: string): string {
  const encoding = ENCODINGS.get(characterSet.trim());
  if (encoding === undefined || isPlain(text)) return text;
  return new TextDecoder(encoding).decode(Uint8Array.from(text, (char) => char.charCodeAt(0)));
}

function isPlain(text: string): boolean {
  for (let n = 0; n < text.length; n++) if (text.charCodeAt(n) > 0x7e) return false;
  return true;
}
