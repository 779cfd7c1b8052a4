/*
 * One connection as the upper layer uses it: pull reads into the caller's buffer, awaited writes, close.
 *
 * Owns the connection and the clock that watches it. A read takes no more from the network than the caller asked for, a
 * write is done when the system has taken every byte: both carry back-pressure to TCP. A time-out closes the connection,
 * and what was waiting then fails with a TransportError that says which time-out it was.
 */

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

/** What a connection failed of; `kind` is for decisions, the message for people. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  readonly kind: "timeout" | "closed" | "refused" | "unreachable" | "name-not-found" | "security";

  constructor(kind: TransportError["kind"], message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

/** The part of a connection that the transport needs; a TCP connection of the runtime, or anything like it. */
export interface Connection {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** How long the last words may take, in ms. */
const LAST_WORDS_MS = 250;

/** Closes the connection when an awaited step takes too long. Arming and disarming cost no timer of their own. */
class Watchdog {
  #deadline = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #firesAt = 0;
  #what = "";
  readonly #expired: (what: string) => void;

  constructor(expired: (what: string) => void) {
    this.#expired = expired;
  }

  arm(ms: number, what: string): void {
    this.#what = what;
    this.#deadline = performance.now() + ms;
    // A running timer that fires early enough looks at the deadline then, and is set again for the rest.
    if (this.#timer !== undefined && this.#firesAt <= this.#deadline) return;
    clearTimeout(this.#timer);
    this.#set(ms);
  }

  disarm(): void {
    this.#deadline = 0;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#deadline = 0;
  }

  #set(ms: number): void {
    this.#firesAt = performance.now() + ms;
    this.#timer = setTimeout(() => this.#check(), ms);
  }

  #check(): void {
    this.#timer = undefined;
    if (this.#deadline === 0) return;
    const left = this.#deadline - performance.now();
    if (left > 1) this.#set(left);
    else this.#expired(this.#what);
  }
}

export class Transport {
  readonly #connection: Connection;
  readonly #reads = new Watchdog((what) => this.#expire(what));
  readonly #writes = new Watchdog((what) => this.#expire(what));
  #failure: TransportError | undefined;
  #closed = false;
  #writing = false;

  /** Bytes to send, if they can be, before a read time-out closes the connection: an A-ABORT, say. */
  lastWords: Uint8Array | undefined;

  /** `host:port` of the other side, for people. */
  readonly peer: string;
  readonly peerHost: string;

  constructor(connection: Connection, peerHost: string, peerPort: number) {
    this.#connection = connection;
    this.peerHost = peerHost;
    this.peer = peerHost.includes(":") ? `[${peerHost}]:${peerPort}` : `${peerHost}:${peerPort}`;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** True while a write is under way: other bytes sent now would land in the middle of it. */
  get writing(): boolean {
    return this.#writing;
  }

  /**
   * Reads what is there, at least one byte. 0 at the end of the stream.
   *
   * @param timeoutMs how long to wait for the first byte
   * @param what the time-out's name, for the message
   * @throws {TransportError}
   */
  async read(into: Uint8Array, timeoutMs: number, what: string): Promise<number> {
    this.#reads.arm(timeoutMs, what);
    try {
      return await this.#connection.read(into) ?? 0;
    } catch (error) {
      throw this.#fail(error, "reading from");
    } finally {
      this.#reads.disarm();
    }
  }

  /**
   * Writes all of `bytes`.
   *
   * @param stallMs how long the peer may take no byte at all
   * @throws {TransportError}
   */
  async write(bytes: Uint8Array, stallMs: number): Promise<void> {
    this.#writing = true;
    try {
      for (let at = 0; at < bytes.length;) {
        this.#writes.arm(stallMs, "peer takes no data");
        at += await this.#connection.write(at === 0 ? bytes : bytes.subarray(at));
      }
    } catch (error) {
      throw this.#fail(error, "writing to");
    } finally {
      this.#writing = false;
      this.#writes.disarm();
    }
  }

  /** Closes the connection at once; whatever waits on it fails. Harmless when it is closed. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reads.stop();
    this.#writes.stop();
    this.#connection.close();
  }

  #expire(what: string): void {
    this.#failure = new TransportError("timeout", `${this.peer}: time-out, ${what}`);
    if (this.lastWords === undefined || this.#writing) return this.close();
    const close = () => this.close();
    const timer = setTimeout(close, LAST_WORDS_MS);
    this.#connection.write(this.lastWords).catch(() => 0).finally(() => {
      clearTimeout(timer);
      close();
    });
  }

  #fail(error: unknown, doing: string): TransportError {
    if (this.#failure !== undefined) return this.#failure;
    const reason = this.#closed ? "connection closed here" : describeSystemError(error);
    return new TransportError("closed", `${doing} ${this.peer}: ${reason}`, error);
  }
}

/** The addresses of a host name, those to be tried first at the front. */
export type Resolve = (host: string) => Promise<readonly string[]>;

/** As the system resolves names; an address is its own. */
const systemResolve: Resolve = async (host) => {
  if (isIP(host) !== 0) return [host];
  return (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);
};

/**
 * Connects over TCP, to the first of a name's addresses that takes the connection.
 *
 * @param timeoutMs for all of it, looking the name up included
 * @throws {TransportError} refused, unreachable, name not found, or time-out
 */
export async function connectTcp(
  host: string,
  port: number,
  timeoutMs: number,
  signal: AbortSignal,
  resolve: Resolve = systemResolve,
): Promise<Transport> {
  return new Transport(await dialTcp(host, port, timeoutMs, signal, resolve), host, port);
}

/** The same, as the runtime's own connection. */
export async function dialTcp(
  host: string,
  port: number,
  timeoutMs: number,
  signal: AbortSignal,
  resolve: Resolve = systemResolve,
): Promise<Deno.TcpConn> {
  signal.throwIfAborted();
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), timeoutMs);
  const stop = AbortSignal.any([signal, timeout.signal]);
  const until = performance.now() + timeoutMs;
  let addresses: readonly string[] | undefined;
  try {
    addresses = await unlessAborted(resolve(host), stop);
    const connection = await connectToOne(addresses, port, until, stop);
    connection.setNoDelay(true);
    return connection;
  } catch (error) {
    signal.throwIfAborted();
    const where = `${host}:${port}`;
    if (timeout.signal.aborted) {
      const seconds = timeoutMs / 1000;
      throw new TransportError(
        "timeout",
        addresses === undefined
          ? `The host name ${host} could not be looked up within ${seconds} s`
          : `${where} did not answer within ${seconds} s`,
        error,
      );
    }
    const text = error instanceof Error ? error.message : String(error);
    if (error instanceof Deno.errors.ConnectionRefused) {
      throw new TransportError(
        "refused",
        `${where} refused the connection: nothing listens on that port`,
        error,
      );
    }
    if (/lookup address|name or service|no such host|getaddrinfo/i.test(text)) {
      throw new TransportError("name-not-found", `The host name ${host} is not known`, error);
    }
    throw new TransportError(
      "unreachable",
      `${where} is not reachable: ${describeSystemError(error)}`,
      error,
    );
  } finally {
    clearTimeout(timer);
  }
}

/** Tries one address after another, each with its share of the time: a node may listen on one of them only. */
async function connectToOne(
  addresses: readonly string[],
  port: number,
  until: number,
  stop: AbortSignal,
): Promise<Deno.TcpConn> {
  let failure: unknown = new Error("the name has no address");
  for (const [n, hostname] of addresses.entries()) {
    const share = new AbortController();
    const left = addresses.length - n;
    const timer = setTimeout(() => share.abort(), (until - performance.now()) / left);
    try {
      const signal = left === 1 ? stop : AbortSignal.any([stop, share.signal]);
      return await Deno.connect({ hostname, port, signal });
    } catch (error) {
      failure = error;
      stop.throwIfAborted();
    } finally {
      clearTimeout(timer);
    }
  }
  throw failure;
}

/** The promise's value, or the signal's reason as soon as it is aborted: looking a name up cannot be stopped, only left. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** The system's own words for an error, without the number behind them. */
function describeSystemError(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s*\(os error \d+\)/, "").toLowerCase();
}
