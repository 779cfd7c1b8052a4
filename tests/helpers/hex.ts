/*
 * Bytes as tests write and show them.
 */

/** Bytes of a text of hexadecimal digits; spaces, line ends and `// comments` are passed over. */
export function bytes(text: string): Uint8Array {
  const digits = text.replace(/\/\/.*$/gm, "").replace(/\s+/g, "");
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new Error(`not hexadecimal: ${digits}`);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** The other way round: `01 00 0a`. */
export function hex(of: Uint8Array): string {
  return Array.from(of, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** ASCII characters to bytes, padded with `fill` to `length`. */
export function ascii(text: string, length = text.length, fill = 0x20): Uint8Array {
  const out = new Uint8Array(length).fill(fill);
  for (let n = 0; n < text.length; n++) out[n] = text.charCodeAt(n);
  return out;
}

/** A repeatable sequence of bytes: no test depends on chance it cannot name. */
export function noise(length: number, seed = 1): Uint8Array {
  const out = new Uint8Array(length);
  let state = seed >>> 0 || 1;
  for (let n = 0; n < length; n++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    out[n] = state & 0xff;
  }
  return out;
}

/** Cuts bytes at the given offsets, or into pieces of lengths taken in turn. */
export function* cut(whole: Uint8Array, lengths: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, n = 0; at < whole.length; n++) {
    const length = Math.max(1, lengths[n % lengths.length] ?? 1);
    yield whole.subarray(at, at + length);
    at += length;
  }
}
