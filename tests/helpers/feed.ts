/*
 * A connection in memory that gives prepared chunks, each read at most one of them, and then ends.
 */

import type { Connection } from "../../src/ul/transport.ts";
import { Transport } from "../../src/ul/transport.ts";

export class Feed implements Connection {
  readonly #chunks: Iterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  /** Bytes given so far. */
  given = 0;
  /** The largest buffer a read offered, in bytes. */
  largestOffer = 0;
  closed = false;
  readonly written: Uint8Array[] = [];

  constructor(chunks: Iterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.iterator]();
  }

  read(into: Uint8Array): Promise<number | null> {
    if (into.length === 0) throw new Error("a read was offered no room");
    this.largestOffer = Math.max(this.largestOffer, into.length);
    while (this.#chunk.length === 0) {
      const next = this.#chunks.next();
      if (next.done) return Promise.resolve(null);
      this.#chunk = next.value;
    }
    const length = Math.min(into.length, this.#chunk.length);
    into.set(this.#chunk.subarray(0, length));
    this.#chunk = this.#chunk.subarray(length);
    this.given += length;
    return Promise.resolve(length);
  }

  write(bytes: Uint8Array): Promise<number> {
    this.written.push(bytes.slice());
    return Promise.resolve(bytes.length);
  }

  close(): void {
    this.closed = true;
  }
}

export function transportOf(feed: Connection): Transport {
  return new Transport(feed, "peer.test", 104);
}
