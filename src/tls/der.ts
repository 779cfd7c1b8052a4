/*
 * DER, as far as certificates need it (X.690 §8, §10): writing objects, and reading them one after the other.
 *
 * Pure. What is read came from a peer: a length that does not fit is an error, never more bytes than there are.
 */

/** An object of DER: tag, length, content. */
export function der(tag: number, ...parts: Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = length < 128
    ? [tag, length]
    : length < 256
    ? [tag, 0x81, length]
    : [tag, 0x82, length >> 8, length & 255];
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  let at = head.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Tags, X.690 and X.680 §8.6. */
export const Tag = {
  Boolean: 0x01,
  Integer: 0x02,
  BitString: 0x03,
  OctetString: 0x04,
  ObjectIdentifier: 0x06,
  Utf8String: 0x0c,
  UtcTime: 0x17,
  GeneralizedTime: 0x18,
  Sequence: 0x30,
  Set: 0x31,
} as const;

export function sequence(...parts: Uint8Array[]): Uint8Array {
  return der(Tag.Sequence, ...parts);
}

export function octets(...parts: Uint8Array[]): Uint8Array {
  return der(Tag.OctetString, ...parts);
}

export function derText(tag: number, value: string): Uint8Array {
  return der(tag, new TextEncoder().encode(value));
}

/** An object identifier from its dotted form. */
export function identifier(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 127];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      groups.unshift((left & 127) | 128);
    }
    bytes.push(...groups);
  }
  return der(Tag.ObjectIdentifier, Uint8Array.from(bytes));
}

/** A non-negative integer from its bytes, the most significant first. */
export function integer(bytes: Uint8Array): Uint8Array {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  const value = bytes.subarray(from);
  return value[0]! >= 0x80 ? der(Tag.Integer, Uint8Array.of(0), value) : der(Tag.Integer, value);
}

/** One object read. */
export interface DerObject {
  readonly tag: number;
  readonly content: Uint8Array;
}

/**
 * The objects that some bytes are, one after the other.
 *
 * @throws {RangeError} where the bytes are not that
 */
export function readDer(bytes: Uint8Array): DerObject[] {
  const found: DerObject[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at]!;
    let length = bytes[at + 1] ?? NaN;
    let head = 2;
    if (length > 127) {
      const count = length & 127;
      head += count;
      if (count === 0 || count > 4) throw new RangeError("a DER length that is not one");
      length = 0;
      for (let n = 0; n < count; n++) length = length * 256 + (bytes[at + 2 + n] ?? NaN);
    }
    const end = at + head + length;
    if (!(end <= bytes.length)) throw new RangeError("a DER object that is cut off");
    found.push({ tag, content: bytes.subarray(at + head, end) });
    at = end;
  }
  return found;
}
