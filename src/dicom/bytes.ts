/*
 * Text to bytes and back for the fields of PDUs, command sets and file meta, which are all of the default character
 * repertoire (PS3.5 §6.1.1). One byte is one character both ways, so whatever a peer sends survives a round trip.
 */

/** Decodes bytes as ISO 8859-1, one character a byte; never fails. */
export function latin1(bytes: Uint8Array, start = 0, end = bytes.length): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

/**
 * Writes text one byte a character and returns the offset behind it. Characters over U+00FF become `?`: callers
 * pass UIDs and AE titles, which have none.
 */
export function putLatin1(into: Uint8Array, offset: number, text: string): number {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    into[offset + i] = code > 0xff ? 0x3f : code;
  }
  return offset + text.length;
}

/** Joins pieces into one new array. */
export function concat(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const piece of pieces) {
    joined.set(piece, offset);
    offset += piece.length;
  }
  return joined;
}
