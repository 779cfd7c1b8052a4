/*
 * Names for the archive's folders and files, made of what a data set says.
 *
 * Pure. Whatever goes in, one path component comes out that is legal and harmless on every file system: no separator, no
 * drive, no device, no parent, no control character, at most 64 characters. Different texts give different names: where a
 * text had to be changed, a hash of it is part of the name.
 */

import { crc32 } from "node:zlib";

const LONGEST = 64;

/** Names that Windows gives to devices, alone or before a dot, with blanks between or not. */
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9]|lpt[0-9]) *(\.|$)/i;

/**
 * @param text from the network
 * @param absent the name where the text is empty
 */
export function safeName(text: string, absent: string): string {
  if (text === "") return absent;
  const plain = text.replace(/[^A-Za-z0-9._ -]/g, "_");
  const legal = plain === text && text.length <= LONGEST && !DEVICE.test(text) &&
    !/^[. -]|[. ]$/.test(text);
  if (legal) return text;
  const mark = `~${crc32(new TextEncoder().encode(text)).toString(16).padStart(8, "0")}`;
  const kept = plain.replace(/^[. -]+/, "_").replace(/[. ]+$/, "").slice(
    0,
    LONGEST - mark.length - 1,
  );
  return DEVICE.test(kept) ? `_${kept}${mark}` : `${kept}${mark}`;
}
