/*
 * PDUs from a connection, P-DATA-TF as a stream (PS3.8 §9.3.1, §9.3.5).
 *
 * Owns one buffer and the place in it. Fragments are handed out as views of that buffer, as they arrive and valid until
 * the next call, so a PDU of any length passes without being held. Lengths are checked before anything is made of them.
 */

import {
  AbortReason,
  type ControlPdu,
  PDU_HEADER_LENGTH,
  PduType,
  PDV_HEADER_LENGTH,
} from "./pdu.ts";
import { decodeControlPdu, isKnownPduType, MalformedPdu } from "./pdu_decode.ts";
import type { Transport } from "./transport.ts";

/** First byte of a TLS handshake (RFC 8446 §5.1), which is no type of PDU. */
const TLS_HANDSHAKE = 0x16;

/** The longest PDU other than P-DATA-TF, in bytes: 128 contexts of 100 transfer syntaxes each fit. */
const LONGEST_CONTROL_PDU = 1024 * 1024;

/** A piece of a fragment. The object and its bytes are valid until the next call of `next`. */
export interface DataPiece {
  readonly type: typeof PduType.Data;
  contextId: number;
  /** True for a command set, false for a data set (PS3.8 Annex E.2, bit 0). */
  command: boolean;
  /** True where this piece ends the command set or data set (bit 1). */
  last: boolean;
  bytes: Uint8Array;
}

/** The peer closed the connection: `midway` where it did so inside a PDU. */
export interface Closed {
  readonly type: "closed";
  readonly midway: boolean;
}

const EMPTY = new Uint8Array(0);

/**
 * The slowest a message may come once it has begun, in bytes per second, over a whole read time-out: a hundredth of what
 * the slowest line in use carries, and more than a peer sends that means to keep its association for ever.
 */
export const SLOWEST_RATE = 64;

export class PduReader {
  readonly #transport: Transport;
  readonly #buffer: Uint8Array<ArrayBuffer>;
  #start = 0;
  #end = 0;
  /** Bytes of the current P-DATA-TF behind `#start`. */
  #pduLeft = 0;
  /** Bytes of the current fragment behind `#start`. */
  #pdvLeft = 0;
  #pdvLast = false;
  readonly #piece: DataPiece = {
    type: PduType.Data,
    contextId: 0,
    command: false,
    last: false,
    bytes: EMPTY,
  };

  /** The longest variable field of a P-DATA-TF taken, in bytes: what we announced; 0 for no limit. */
  maxPduLength: number;

  /** Time allowed for the next PDU to begin, in ms, and its name in the message. */
  #idleMs = 60_000;
  #idleName = "nothing received";
  /** When what is awaited must have come as a whole, by performance.now(). */
  #wholeBy = Infinity;
  /** Time spent waiting inside a message since it last came on by as much as `SLOWEST_RATE` asks for, in ms. */
  #waited = 0;
  /** Bytes that came in that time. */
  #gained = 0;
  /** Time allowed inside a PDU or message to come on by `SLOWEST_RATE`, in ms: silence ends in it, too. */
  readMs = 60_000;

  constructor(transport: Transport, maxPduLength: number, bufferLength = 256 * 1024) {
    this.#transport = transport;
    this.maxPduLength = maxPduLength;
    this.#buffer = new Uint8Array(bufferLength);
  }

  /** Messages may come at any time: how long the next may take to begin, in ms, and the name of its absence. */
  expectBegin(ms: number, name: string): void {
    this.#idleMs = ms;
    this.#idleName = name;
    this.#wholeBy = Infinity;
  }

  /** One message is due, and has to be there as a whole within `ms` from now: a peer may not put its end off by trickling. */
  expectWhole(ms: number, name: string): void {
    this.#idleMs = ms;
    this.#idleName = name;
    this.#wholeBy = performance.now() + ms;
  }

  /**
   * The next PDU or piece of a fragment.
   *
   * @param midMessage true while a command set or data set is unfinished: then the shorter time-out counts
   * @throws {MalformedPdu} for a PDU that PS3.8 does not allow; nothing can be read after it
   * @throws {TransportError}
   */
  async next(midMessage: boolean): Promise<ControlPdu | DataPiece | Closed> {
    if (!midMessage) this.#waited = this.#gained = 0;
    for (;;) {
      if (this.#pdvLeft > 0) {
        if (this.#end === this.#start && !await this.#fill(1, true)) return CLOSED_MIDWAY;
        return this.#takePiece();
      }
      if (this.#pduLeft > 0) {
        if (!await this.#fill(PDV_HEADER_LENGTH, true)) return CLOSED_MIDWAY;
        this.#beginPdv();
        if (this.#pdvLeft === 0) return this.#takePiece();
        continue;
      }
      if (!await this.#fill(PDU_HEADER_LENGTH, midMessage)) {
        return midMessage || this.#end > this.#start ? CLOSED_MIDWAY : CLOSED;
      }
      const type = this.#buffer[this.#start]!;
      const length = this.#u32(this.#start + 2);
      if (!isKnownPduType(type)) {
        throw new MalformedPdu(
          type === TLS_HANDSHAKE
            ? "it speaks TLS, and this port is one without TLS (tls.port is the other)"
            : `PDU type 0x${type.toString(16).padStart(2, "0")} is none of PS3.8`,
          AbortReason.UnrecognizedPdu,
        );
      }
      if (type === PduType.Data) {
        this.#beginData(length);
        continue;
      }
      if (length > LONGEST_CONTROL_PDU) {
        throw new MalformedPdu(
          `PDU of type ${type} claims ${length} bytes, ${LONGEST_CONTROL_PDU} is the most`,
        );
      }
      this.#start += PDU_HEADER_LENGTH;
      const body = await this.#takeWhole(length);
      return body === undefined ? CLOSED_MIDWAY : decodeControlPdu(type, body);
    }
  }

  #beginData(length: number): void {
    if (this.maxPduLength !== 0 && length > this.maxPduLength) {
      throw new MalformedPdu(
        `P-DATA-TF of ${length} bytes, ${this.maxPduLength} was announced as the most`,
      );
    }
    if (length < PDV_HEADER_LENGTH) {
      throw new MalformedPdu(`P-DATA-TF of ${length} bytes has no room for a PDV`);
    }
    this.#start += PDU_HEADER_LENGTH;
    this.#pduLeft = length;
  }

  /** PS3.8 Table 9-23 and Annex E.2: 1-4 item length, 5 context id, 6 message control header. */
  #beginPdv(): void {
    const itemLength = this.#u32(this.#start);
    if (itemLength < 2 || itemLength + 4 > this.#pduLeft) {
      throw new MalformedPdu(
        `PDV claims ${itemLength} bytes, ${this.#pduLeft - 4} are left in its P-DATA-TF`,
      );
    }
    const control = this.#buffer[this.#start + 5]!;
    this.#piece.contextId = this.#buffer[this.#start + 4]!;
    this.#piece.command = (control & 1) === 1;
    this.#pdvLast = (control & 2) === 2;
    this.#start += PDV_HEADER_LENGTH;
    this.#pdvLeft = itemLength - 2;
    this.#pduLeft -= PDV_HEADER_LENGTH;
    if (this.#pduLeft - this.#pdvLeft > 0 && this.#pduLeft - this.#pdvLeft < PDV_HEADER_LENGTH) {
      throw new MalformedPdu("Stray bytes behind the last PDV of a P-DATA-TF");
    }
  }

  #takePiece(): DataPiece {
    const length = Math.min(this.#pdvLeft, this.#end - this.#start);
    this.#piece.bytes = length === 0
      ? EMPTY
      : this.#buffer.subarray(this.#start, this.#start + length);
    this.#start += length;
    this.#pdvLeft -= length;
    this.#pduLeft -= length;
    this.#piece.last = this.#pdvLast && this.#pdvLeft === 0;
    return this.#piece;
  }

  /** A control PDU's body in one array of its own, or undefined where the connection ends before. */
  async #takeWhole(length: number): Promise<Uint8Array | undefined> {
    const here = Math.min(length, this.#end - this.#start);
    // Grown as bytes arrive, not by what the header claims.
    let body = new Uint8Array(Math.min(length, Math.max(here, 4096)));
    body.set(this.#buffer.subarray(this.#start, this.#start + here));
    this.#start += here;
    for (let at = here; at < length;) {
      if (at === body.length) {
        const larger = new Uint8Array(Math.min(length, body.length * 2));
        larger.set(body);
        body = larger;
      }
      const got = await this.#read(body.subarray(at), true);
      if (got === 0) return undefined;
      at += got;
    }
    return body;
  }

  /** Waits until `wanted` bytes (at most a header's worth) are in the buffer. False where the connection ended before. */
  async #fill(wanted: number, midway: boolean): Promise<boolean> {
    while (this.#end - this.#start < wanted) {
      if (this.#start === this.#end) this.#start = this.#end = 0;
      else if (this.#buffer.length - this.#start < wanted) {
        this.#buffer.copyWithin(0, this.#start, this.#end);
        this.#end -= this.#start;
        this.#start = 0;
      }
      const inside = midway || this.#end > this.#start;
      const got = await this.#read(this.#buffer.subarray(this.#end), inside);
      if (got === 0) return false;
      this.#end += got;
    }
    return true;
  }

  /** Only the time spent waiting counts: what this program is slow in is not the peer's fault. */
  async #read(into: Uint8Array, inside: boolean): Promise<number> {
    const began = performance.now();
    const tillWhole = this.#wholeBy - began;
    if (!inside) {
      const ms = Math.max(1, Math.min(this.#idleMs, tillWhole));
      return await this.#transport.read(into, ms, this.#idleName);
    }
    const tillSlow = this.readMs - this.#waited;
    const got = await this.#transport.read(
      into,
      Math.max(1, Math.min(tillSlow, tillWhole)),
      tillWhole < tillSlow ? this.#idleName : "message not finished",
    );
    this.#waited += performance.now() - began;
    this.#gained += got;
    if (this.#gained >= SLOWEST_RATE * this.readMs / 1000) this.#waited = this.#gained = 0;
    return got;
  }

  #u32(at: number): number {
    const b = this.#buffer;
    return b[at]! * 0x1000000 + (b[at + 1]! << 16 | b[at + 2]! << 8 | b[at + 3]!);
  }
}

const CLOSED: Closed = { type: "closed", midway: false };
const CLOSED_MIDWAY: Closed = { type: "closed", midway: true };
