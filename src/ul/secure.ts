/*
 * TLS over a TCP connection, as the transport wants it: pull reads, awaited writes, close.
 *
 * Owns the bytes between the runtime's TLS and the network, because the runtime's own TLS socket takes every byte it is
 * given at once, whether or not the peer reads (measured with Deno 2.9.5). Nothing is read from the network but while
 * somebody waits to read, and a write is done when the system has taken the encrypted bytes.
 *
 * Fails closed: no byte of a peer goes up before the runtime has verified its certificate AND `distrust` has found nothing
 * against it. Profile: PS3.15 B.12 (BCP 195): TLS 1.2 with ECDHE and AEAD, TLS 1.3; the runtime knows nothing older.
 */

import { Buffer } from "node:buffer";
import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { Duplex } from "node:stream";
import { connect, createServer, type SecureVersion, type TLSSocket } from "node:tls";
import { distrust } from "../tls/chain.ts";
import type { Credentials } from "../tls/credentials.ts";
import { alertInWords, alertOf, looksLikeTls, verdictInWords } from "../tls/words.ts";
import type { Connection } from "./transport.ts";

/** Oldest version that is spoken, as a configuration has it. */
export type MinVersion = "1.2" | "1.3";

/** What a server wants of its clients. */
export interface ServerSide {
  readonly role: "server";
  readonly clientCertificate: "required" | "optional" | "none";
  readonly minVersion: MinVersion;
  /** 1.3 when absent. */
  readonly maxVersion?: MinVersion;
  /** Said to a peer that does not speak TLS, in clear, before it is left. */
  readonly plainAnswer?: Uint8Array;
}

/** What a client wants of its server. */
export interface ClientSide {
  readonly role: "client";
  /** The name its certificate has to be for. */
  readonly serverName: string;
  readonly verifyName: boolean;
  readonly minVersion: MinVersion;
  /** 1.3 when absent. */
  readonly maxVersion?: MinVersion;
  /** Only for a stranger that tests our own port and sends it nothing of anybody. */
  readonly trustsAnybody?: true;
}

/** TLS could not be agreed on, or was broken. The message is for people. */
export class SecurityError extends Error {
  override readonly name = "SecurityError";
  /** True where it says nothing of certificates and settings: the peer left, or was too slow. */
  readonly passes: boolean;

  constructor(message: string, passes: boolean, cause?: unknown) {
    super(message, { cause });
    this.passes = passes;
  }
}

/** Bytes that are taken from the network at once. */
const PIECE = 64 * 1024;

/** How soon after the end of the stream a handshake is given up, in ms: an alert before the end is told first. */
const AFTER_END_MS = 50;

/** How long an alert may take to leave before a connection that did not come about is closed, in ms. */
const ALERT_MS = 100;

/** How long the goodbye may take, in ms. */
const GOODBYE_MS = 500;

/** The TCP connection below. */
export interface PlainConnection extends Connection {
  closeWrite(): Promise<void>;
}

/** The encrypted side: what the runtime's TLS reads from and writes to. */
class Wire extends Duplex {
  readonly #connection: PlainConnection;
  #isAsked = false;
  #isReading = false;
  #isOpen = true;
  #drained: (() => void) | undefined;
  #underWay = 0;
  /** Whether nothing has been said to the peer. */
  isSilent = true;
  /** What the peer said first. */
  first: Uint8Array | undefined;

  constructor(connection: PlainConnection) {
    super({ readableHighWaterMark: 1, writableHighWaterMark: PIECE, allowHalfOpen: true });
    this.#connection = connection;
  }

  /** Whether the network is read. */
  set isOpen(open: boolean) {
    this.#isOpen = open;
    if (open) this.#pull();
  }

  /** Resolves when all that was written has been taken by the system. */
  drained(): Promise<void> {
    if (this.#underWay === 0 && this.writableLength === 0) return Promise.resolve();
    return new Promise((resolve) => this.#drained = resolve);
  }

  override _read(): void {
    this.#isAsked = true;
    this.#pull();
  }

  #pull(): void {
    if (!this.#isAsked || !this.#isOpen || this.#isReading) return;
    this.#isReading = true;
    this.#isAsked = false;
    const bytes = Buffer.allocUnsafeSlow(PIECE);
    this.#connection.read(bytes).then((count) => {
      this.#isReading = false;
      if (this.destroyed) return;
      if (count !== null) this.first ??= bytes.subarray(0, Math.min(count, 16));
      this.push(count === null ? null : bytes.subarray(0, count));
      if (count === null) this.emit("ended");
    }, (error) => {
      this.#isReading = false;
      this.destroy(error);
    });
  }

  override _write(chunk: Uint8Array, _: string, done: (error?: Error | null) => void): void {
    this.#underWay += chunk.length;
    this.isSilent = false;
    this.#send(chunk).then(() => {
      this.#underWay -= chunk.length;
      done();
      if (this.#underWay === 0 && this.writableLength === 0) this.#wake();
    }, done);
  }

  async #send(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#connection.closeWrite().then(() => done(), () => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // The runtime leaves before it says why.
    if (this.mayBeTold || this.isPlain) setTimeout(() => this.#leave(), ALERT_MS);
    else this.#leave();
    this.#wake();
    done(error);
  }

  #leave(): void {
    try {
      this.#connection.close();
    } catch {
      // It is closed already.
    }
  }

  /** Whether the peer speaks TLS and has heard nothing yet: an alert in clear is what it expects then. */
  get mayBeTold(): boolean {
    return this.isSilent && this.first !== undefined && looksLikeTls(this.first);
  }

  /** Whether the peer began with something else than TLS, and has heard nothing yet. */
  get isPlain(): boolean {
    return this.isSilent && this.first !== undefined && !looksLikeTls(this.first);
  }

  /** Says something in clear, and leaves. */
  tell(words: Uint8Array): void {
    this.isSilent = false;
    this.#send(words).catch(() => {}).finally(() =>
      this.destroyed ? this.#leave() : this.destroy()
    );
  }

  #wake(): void {
    this.#drained?.();
    this.#drained = undefined;
  }
}

/** A connection secured by TLS. Until `established` has resolved, reads and writes wait for it. */
export class SecureConnection implements Connection {
  readonly #wire: Wire;
  readonly #role: "server" | "client";
  #socket: TLSSocket | undefined;
  readonly #received: Uint8Array[] = [];
  #isEnded = false;
  #isClosed = false;
  #failure: Error | undefined;
  #wake: () => void = () => {};
  /** Resolves when both sides have agreed and the peer is trusted; rejects with a SecurityError. */
  readonly established: Promise<void>;

  /**
   * Begins the handshake.
   *
   * @param handshakeMs how long it may take
   * @param now ms since 1970, for certificates
   */
  constructor(
    connection: PlainConnection,
    side: ServerSide | ClientSide,
    credentials: Credentials,
    handshakeMs: number,
    now: () => number = Date.now,
  ) {
    this.#role = side.role;
    this.#wire = new Wire(connection);
    this.#wire.on("error", (error) => this.#fail(error));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let isOver = false;
    const refuse = (why: string, passes: boolean, cause?: unknown) => {
      if (isOver) return;
      isOver = true;
      const error = new SecurityError(why, passes, cause);
      this.#fail(error);
      reject(error);
      this.close();
    };
    const timer = setTimeout(
      () => refuse(`no TLS connection came about within ${handshakeMs / 1000} s`, true),
      handshakeMs,
    );
    const agreed = (socket: TLSSocket) => {
      // Also of one that is refused now: an error that nobody hears ends the program.
      if (side.role === "server") socket.on("error", (error) => this.#fail(error));
      const why = side.role === "server"
        ? clientTrouble(socket, side, credentials, now())
        : serverTrouble(socket, side, credentials, now());
      if (why !== undefined) return refuse(why, false);
      if (this.#isClosed) return refuse("closed here", true);
      if (isOver) return;
      isOver = true;
      this.#begin(socket);
      resolve();
    };
    const failed = (error: Error) => {
      const { first } = this.#wire;
      // What was closed before it said a word of TLS may be a node that restarts.
      if (side.role === "server") this.#sayWhy(error, side.plainAnswer);
      refuse(alertInWords(error, side.role, first), first === undefined, error);
    };
    // The runtime says nothing of a connection that ends in the middle of a handshake.
    this.#wire.once("ended", () => {
      setTimeout(() => failed(new Error("the connection was closed")), AFTER_END_MS);
    });
    this.established = promise.finally(() => {
      clearTimeout(timer);
      this.#wire.isOpen = false;
    });
    this.established.catch(() => {});
    try {
      if (side.role === "server") {
        this.#accept(side, credentials, agreed, failed);
      } else this.#connect(side, credentials, agreed, failed);
    } catch (error) {
      refuse(
        `TLS cannot be set up: ${error instanceof Error ? error.message : error}`,
        false,
        error,
      );
    }
  }

  #accept(
    { clientCertificate, minVersion, maxVersion }: ServerSide,
    { certificate, key, ca }: Credentials,
    agreed: (socket: TLSSocket) => void,
    failed: (error: Error) => void,
  ): void {
    const server = createServer({
      ...certificate === undefined || key === undefined ? {} : { cert: certificate, key },
      ...clientCertificate === "none" ? {} : { ca: [...ca ?? []] },
      requestCert: clientCertificate !== "none",
      // The runtime verifies all the same and says what it found, and the certificate is still there to be told of.
      rejectUnauthorized: false,
      ...versions(minVersion, maxVersion),
    });
    server.on("secureConnection", agreed);
    server.on("tlsClientError", failed);
    server.emit("connection", this.#wire);
  }

  #connect(
    { serverName, minVersion, maxVersion }: ClientSide,
    { certificate, key, ca }: Credentials,
    agreed: (socket: TLSSocket) => void,
    failed: (error: Error) => void,
  ): void {
    const socket = connect({
      socket: this.#wire,
      // An address is no server name (RFC 6066 §3).
      ...isIP(serverName) === 0 ? { servername: serverName } : { host: serverName },
      ...certificate === undefined || key === undefined ? {} : { cert: certificate, key },
      ...ca === undefined ? {} : { ca: [...ca] },
      // As in #accept; the name is looked at in `serverTrouble`.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ...versions(minVersion, maxVersion),
    });
    socket.on("error", (error) => {
      failed(error);
      this.#fail(error);
    });
    socket.once("secureConnect", () => agreed(socket));
    socket.once("close", () => failed(new Error("the connection was closed")));
  }

  /** To a client with which nothing is agreed on yet: over a stream of ours the runtime sends it no alert. */
  #sayWhy(error: Error, plainAnswer: Uint8Array | undefined): void {
    const wire = this.#wire;
    if (wire.mayBeTold) wire.tell(alertOf(error));
    else if (plainAnswer !== undefined && wire.isPlain) wire.tell(plainAnswer);
  }

  #begin(socket: TLSSocket): void {
    this.#socket = socket;
    socket.on("data", (bytes: Uint8Array) => {
      this.#received.push(bytes);
      this.#wake();
    });
    const ended = () => {
      this.#isEnded = true;
      this.#wake();
    };
    socket.on("end", ended);
    socket.on("close", ended);
  }

  /** `TLSv1.2` or `TLSv1.3`, once agreed on. */
  get version(): string | undefined {
    return this.#socket?.getProtocol() ?? undefined;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  async read(into: Uint8Array): Promise<number | null> {
    await this.established;
    this.#wire.isOpen = this.#received.length === 0;
    while (this.#received.length === 0) {
      if (this.#isClosed) throw new SecurityError("closed here", true);
      if (this.#failure !== undefined) throw this.#inWords(this.#failure);
      if (this.#isEnded) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    this.#wire.isOpen = false;
    const [bytes] = this.#received as [Uint8Array];
    const count = Math.min(bytes.length, into.length);
    into.set(bytes.subarray(0, count));
    if (count === bytes.length) this.#received.shift();
    else this.#received[0] = bytes.subarray(count);
    return count;
  }

  async write(bytes: Uint8Array): Promise<number> {
    await this.established;
    const socket = this.#socket;
    if (this.#isClosed || socket === undefined) throw new SecurityError("closed here", true);
    // The caller may use its buffer again.
    const piece = bytes.slice(0, PIECE);
    await new Promise<void>((resolve, reject) =>
      socket.write(piece, (error) => error ? reject(error) : resolve())
    );
    await this.#wire.drained();
    if (this.#failure !== undefined) throw this.#inWords(this.#failure);
    if (this.#isClosed) throw new SecurityError("closed here", true);
    return piece.length;
  }

  /** Says goodbye (close_notify, RFC 8446 §6.1) where that is possible, and closes. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#wake();
    const wire = this.#wire;
    const socket = this.#socket;
    if (socket === undefined) {
      // An alert that says why may just be on its way.
      const over = () => wire.destroy();
      setTimeout(over, ALERT_MS);
      setTimeout(() => void wire.drained().then(over), 0);
      return;
    }
    if (socket.destroyed || wire.destroyed || wire.writableLength > 0) {
      socket.destroy();
      wire.destroy();
      return;
    }
    const timer = setTimeout(() => wire.destroy(), GOODBYE_MS);
    wire.once("finish", () => wire.destroy());
    wire.once("close", () => {
      clearTimeout(timer);
      socket.destroy();
    });
    socket.end();
  }

  #inWords(error: Error): Error {
    if (error instanceof SecurityError) return error;
    return new SecurityError(alertInWords(error, this.#role, this.#wire.first), true, error);
  }
}

function versions(
  least: MinVersion,
  most: MinVersion = "1.3",
): { readonly minVersion: SecureVersion; readonly maxVersion: SecureVersion } {
  return { minVersion: `TLSv${least}`, maxVersion: `TLSv${most}` };
}

/** Why a client is not let in. */
function clientTrouble(
  socket: TLSSocket,
  { clientCertificate }: ServerSide,
  { trusted }: Credentials,
  now: number,
): string | undefined {
  if (clientCertificate === "none") return undefined;
  const shown = chainOf(socket);
  if (shown.length === 0 && clientCertificate === "optional") return undefined;
  return distrust(shown, trusted, "client", now) ?? unauthorized(socket);
}

/** Why a server is not talked to. */
function serverTrouble(
  socket: TLSSocket,
  { serverName, verifyName, trustsAnybody }: ClientSide,
  { trusted, ca }: Credentials,
  now: number,
): string | undefined {
  if (trustsAnybody) return undefined;
  const shown = chainOf(socket);
  // Public issuers are the runtime's, and a certificate by none of them is looked at for words alone.
  const isLeftToRuntime = ca === undefined && socket.authorized && shown.length > 0;
  const why = isLeftToRuntime ? undefined : distrust(shown, trusted, "server", now);
  if (why !== undefined) return why;
  const refused = unauthorized(socket);
  if (refused !== undefined || !verifyName) return refused;
  const [own] = shown;
  const isNamed = isIP(serverName) === 0 ? own!.checkHost(serverName) : own!.checkIP(serverName);
  if (isNamed !== undefined) return undefined;
  const names = own!.subjectAltName ?? "none";
  return `its certificate is not for ${serverName} but for another name (${names.slice(0, 200)})`;
}

/** What the runtime found, whatever we did. */
function unauthorized(socket: TLSSocket): string | undefined {
  if (socket.authorized) return undefined;
  return verdictInWords(socket.authorizationError);
}

/** What the peer showed, its own certificate first. */
function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next = socket.getPeerX509Certificate();
  while (next !== undefined && chain.length < 10 && !chain.includes(next)) {
    chain.push(next);
    next = (next as { issuerCertificate?: X509Certificate }).issuerCertificate;
  }
  return chain;
}
