/*
 * HTTPS: connections that have come through TLS, handed to an HTTP server as if they were its own.
 *
 * The runtime's own HTTPS server takes every byte of an answer at once, whether or not the browser reads it, and has no
 * limit of time on a handshake; so TLS here is that of the DICOM port. Owns the connections from the handshake on. An
 * address that begins with http:// on this port is told to use https://.
 */

import { Buffer } from "node:buffer";
import type { Server } from "node:http";
import { Duplex } from "node:stream";
import { networkOf } from "../access/address.ts";
import { RateLimit } from "../access/rate.ts";
import type { LiveCredentials } from "../tls/credentials.ts";
import type { MinVersion } from "../ul/secure.ts";
import { acceptAll, type Accepted, TlsListener } from "../ul/tls_listener.ts";

/** What a port is secured with. */
export interface Secured {
  readonly credentials: LiveCredentials;
  readonly minVersion: MinVersion;
}

/** Bytes that are read at once. */
const PIECE = 16 * 1024;

/**
 * Handshakes in a minute: each costs a millisecond or two of the thread that receives images. A page takes six at most, and a
 * command some.
 */
const HANDSHAKES = { perKey: 600, inAll: 1800 };

const SAY_HTTPS = new TextEncoder().encode(
  "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n" +
    "Connection: close\r\n\r\nThis page is served with TLS: use https://\n",
);

export class SecuredPort {
  readonly #server: Server;
  readonly #listener: TlsListener;
  readonly #most: number;
  readonly #failed: (error: unknown) => void;
  readonly #streams = new Set<SecureStream>();
  readonly #serving: Promise<void>;

  /**
   * Listens, and hands on from now.
   *
   * @param most connections at a time; more are closed at once
   * @param failed told of connections that could not be taken
   * @throws where the port cannot be had
   */
  constructor(
    server: Server,
    at: { readonly hostname: string; readonly port: number },
    { credentials, minVersion }: Secured,
    most: number,
    failed: (error: unknown) => void,
  ) {
    const tcp = Deno.listen(at);
    const wanted = { clientCertificate: "none", minVersion, plainAnswer: SAY_HTTPS } as const;
    this.#listener = new TlsListener(tcp, wanted, credentials, "web");
    this.#listener.tellsFailures = true;
    const handshakes = new RateLimit(HANDSHAKES, () => performance.now());
    this.#listener.admits = (from) => handshakes.take(networkOf(from));
    this.#server = server;
    this.#most = most;
    this.#failed = failed;
    // It keeps connections open, and looks for those that are too slow, only while it listens; we do that for it.
    Object.defineProperty(server, "listening", { value: true, configurable: true });
    server.emit("listening");
    this.#serving = acceptAll(this.#listener, (accepted) => this.#take(accepted), failed);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Stops listening, and resolves when every connection is closed. */
  async close(): Promise<void> {
    Object.defineProperty(this.#server, "listening", { value: false, configurable: true });
    this.#listener.close();
    await this.#serving;
    await Promise.all([...this.#streams].map((stream) => stream.gone));
  }

  #take(accepted: Accepted): void {
    if (this.#streams.size >= this.#most) return accepted.close();
    const stream = new SecureStream(accepted);
    this.#streams.add(stream);
    void stream.gone.then(() => this.#streams.delete(stream));
    try {
      this.#server.emit("connection", stream);
    } catch (error) {
      stream.destroy();
      this.#failed(error);
    }
  }
}

/** A connection in the shape that an HTTP server wants: a stream that is read no faster than its reader takes it. */
class SecureStream extends Duplex {
  readonly #connection: Accepted;
  readonly #gone = Promise.withResolvers<void>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly encrypted = true;
  readonly remoteAddress: string;

  constructor(connection: Accepted) {
    super({ allowHalfOpen: true, readableHighWaterMark: PIECE, writableHighWaterMark: PIECE });
    this.#connection = connection;
    this.remoteAddress = connection.remoteAddr.hostname;
  }

  /** Resolves when it is closed. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  override _read(): void {
    const bytes = Buffer.allocUnsafeSlow(PIECE);
    this.#connection.read(bytes)
      .then((count) => this.push(count === null ? null : bytes.subarray(0, count)))
      .catch((error) => this.destroy(error));
  }

  override _write(chunk: Uint8Array, _: string, done: (error?: Error | null) => void): void {
    this.#send(chunk).then(() => done(), done);
  }

  async #send(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += await this.#connection.write(bytes.subarray(at));
    }
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    this.#connection.close();
    this.#gone.resolve();
    done(error);
  }

  /** Closes once everything that was written has left. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }

  /** The server sets it between two requests alone, so that nothing has to be counted as a sign of life. */
  setTimeout(ms: number): this {
    clearTimeout(this.#timer);
    if (ms > 0 && !this.destroyed) this.#timer = setTimeout(() => this.emit("timeout"), ms);
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}
