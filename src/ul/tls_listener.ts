/*
 * A TLS port: TCP connections in, secured ones out.
 *
 * Owns the handshakes. Only who has come through one is handed on, so that a slow one holds nothing but its own place, of
 * which there are few for each address. Failures are logged here, a line a minute for each address.
 */

import { getLog } from "../log.ts";
import type { LiveCredentials } from "../tls/credentials.ts";
import { SecureConnection, type ServerSide } from "./secure.ts";
import type { Connection } from "./transport.ts";

/** How long a handshake may take, in ms. */
const HANDSHAKE_MS = 10_000;
/** Handshakes at a time: in all, and from one address. More connections are closed at once. */
const MOST_HANDSHAKES = 64;
const MOST_FROM_ONE = 16;
/** How often failures of one address are logged, in ms. */
const LOG_MS = 60_000;
/** Addresses whose failures are remembered. */
const MOST_REMEMBERED = 256;

/** A connection that came in. */
export interface Accepted extends Connection {
  readonly remoteAddr: { readonly hostname: string; readonly port: number };
  setNoDelay(noDelay?: boolean): void;
}

/** Where connections come in. As with the runtime's own, `accept` rejects with BadResource once it is closed. */
export interface Listener {
  accept(): Promise<Accepted>;
  close(): void;
}

/** After a connection that could not be taken (no file descriptors, say), ms. */
const AGAIN_MS = 200;

/**
 * Takes connections until the listener is closed.
 *
 * @param failed told of each that could not be taken; that passes, so it goes on a little later
 */
export async function acceptAll(
  listener: Listener,
  take: (connection: Accepted) => void,
  failed: (error: unknown) => void,
): Promise<void> {
  for (;;) {
    let connection: Accepted;
    try {
      connection = await listener.accept();
    } catch (error) {
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
        return;
      }
      failed(error);
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      continue;
    }
    take(connection);
  }
}

/** What is wanted of those who come. */
export type Wanted = Omit<ServerSide, "role">;

export class TlsListener implements Listener {
  readonly #tcp: Deno.TcpListener;
  readonly #log: ReturnType<typeof getLog>;
  #settings: Wanted;
  #credentials: LiveCredentials;
  readonly #handshakes = new Map<SecureConnection, string>();
  readonly #ready: Accepted[] = [];
  #waiting: PromiseWithResolvers<Accepted> | undefined;
  #isClosed = false;
  #isPumping = false;
  /** Whether failed handshakes are told: not those of our own test. */
  tellsFailures = false;
  /** Whether a connection from an address may begin its handshake; else it is closed at once. */
  admits: (from: string) => boolean = () => true;
  /** Told of each one that failed, and why. */
  failed: (from: string, reason: string) => void = () => {};
  readonly #failures = new Map<string, { at: number; unsaid: number }>();

  /** @param category under which failures are logged */
  constructor(
    tcp: Deno.TcpListener,
    settings: Wanted,
    credentials: LiveCredentials,
    category = "receiver",
  ) {
    this.#tcp = tcp;
    this.#log = getLog(category);
    this.#settings = settings;
    this.#credentials = credentials;
  }

  get addr(): Deno.NetAddr {
    return this.#tcp.addr;
  }

  get credentials(): LiveCredentials {
    return this.#credentials;
  }

  /** Goes on by other settings; who is connected stays so. */
  configure(settings: Wanted, credentials: LiveCredentials): void {
    this.#settings = settings;
    this.#credentials = credentials;
  }

  async accept(): Promise<Accepted> {
    const ready = this.#ready.shift();
    if (ready !== undefined) return ready;
    if (this.#isClosed) throw new Deno.errors.BadResource("the listener is closed");
    const waiting = this.#waiting = Promise.withResolvers<Accepted>();
    void this.#pump(waiting);
    return await waiting.promise;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#tcp.close();
    for (const handshake of this.#handshakes.keys()) handshake.close();
  }

  /** Takes connections for as long as somebody waits for a secured one. */
  async #pump(waiting: PromiseWithResolvers<Accepted>): Promise<void> {
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      for (;;) {
        const tcp = await this.#tcp.accept();
        this.#begin(tcp);
      }
    } catch (error) {
      (this.#waiting ?? waiting).reject(error);
      this.#waiting = undefined;
    } finally {
      this.#isPumping = false;
    }
  }

  #begin(tcp: Deno.TcpConn): void {
    const { hostname } = tcp.remoteAddr;
    if (!this.admits(hostname)) {
      tcp.close();
      return this.#tell(hostname, "too many TLS connections a minute");
    }
    let same = 0;
    for (const host of this.#handshakes.values()) if (host === hostname) same++;
    if (same >= MOST_FROM_ONE || this.#handshakes.size >= MOST_HANDSHAKES) {
      tcp.close();
      return this.#tell(hostname, "too many TLS handshakes at a time");
    }
    const { remoteAddr } = tcp;
    let secure: SecureConnection;
    try {
      tcp.setNoDelay(true);
      secure = new SecureConnection(
        tcp,
        { ...this.#settings, role: "server" },
        this.#credentials.get(),
        HANDSHAKE_MS,
      );
    } catch (error) {
      tcp.close();
      return this.#tell(hostname, error instanceof Error ? error.message : String(error));
    }
    this.#handshakes.set(secure, hostname);
    secure.established.then(() => {
      const accepted = {
        remoteAddr,
        setNoDelay: () => {},
        read: (into: Uint8Array) => secure.read(into),
        write: (bytes: Uint8Array) => secure.write(bytes),
        close: () => secure.close(),
      };
      if (this.#isClosed) return secure.close();
      if (this.#waiting === undefined) this.#ready.push(accepted);
      else this.#waiting.resolve(accepted);
      this.#waiting = undefined;
    }, (error) => {
      if (!this.#isClosed) this.#tell(hostname, error.message);
    }).finally(() => this.#handshakes.delete(secure));
  }

  #tell(from: string, reason: string): void {
    if (!this.tellsFailures) return;
    this.failed(from, reason);
    const now = performance.now();
    const before = this.#failures.get(from);
    if (before !== undefined && now - before.at < LOG_MS) {
      before.unsaid++;
      return;
    }
    this.#failures.delete(from);
    this.#failures.set(from, { at: now, unsaid: 0 });
    if (this.#failures.size > MOST_REMEMBERED) {
      this.#failures.delete(this.#failures.keys().next().value!);
    }
    const more = before === undefined || before.unsaid === 0 ? {} : { moreSince: before.unsaid };
    this.#log.warn("No TLS connection: {reason}", { reason, from, ...more });
  }
}
