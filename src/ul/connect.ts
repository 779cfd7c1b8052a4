/*
 * A connection to a node: plain TCP, or TLS over it where the destination wants that.
 *
 * Owns the credentials of each destination's TLS, so that certificates are read once and followed when their files change.
 */

import type { ClientTlsConfig } from "../config/tls.ts";
import { LiveCredentials, TlsError } from "../tls/credentials.ts";
import { SecureConnection, SecurityError } from "./secure.ts";
import { connectTcp, dialTcp, Transport, TransportError } from "./transport.ts";

/** Where to connect to. */
export interface Peer {
  readonly host: string;
  readonly port: number;
  /** Null or absent = plain. */
  readonly tls?: ClientTlsConfig | null;
}

/** By the settings' identity: a configuration that is read again makes new ones. */
const known = new WeakMap<ClientTlsConfig, LiveCredentials>();

/**
 * The credentials of a destination.
 *
 * @throws {TlsError} where its files cannot be used
 */
export function credentialsOf(tls: ClientTlsConfig): LiveCredentials {
  let live = known.get(tls);
  if (live === undefined) known.set(tls, live = new LiveCredentials(tls));
  return live;
}

/**
 * Connects.
 *
 * @param timeoutMs for all of it, TLS included
 * @throws {TransportError} as `connectTcp` does, and of kind `security` where certificates or settings are in the way of TLS
 */
export async function connectTo(
  { host, port, tls }: Peer,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Transport> {
  if (tls === undefined || tls === null) return await connectTcp(host, port, timeoutMs, signal);
  const until = performance.now() + timeoutMs;
  const tcp = await dialTcp(host, port, timeoutMs, signal);
  const secure = await secureTo(tcp, { host, port, tls }, until - performance.now(), signal);
  return new Transport(secure, host, port);
}

/**
 * Secures a TCP connection to a node.
 *
 * @throws {TransportError} `security`, or `unreachable` where the node left or was too slow; the connection is closed then
 */
export async function secureTo(
  tcp: Deno.TcpConn,
  { host, port, tls }: {
    readonly host: string;
    readonly port: number;
    readonly tls: ClientTlsConfig;
  },
  timeoutMs: number,
  signal: AbortSignal,
): Promise<SecureConnection> {
  const fail = (error: Error) => {
    signal.throwIfAborted();
    const kind = error instanceof SecurityError && error.passes ? "unreachable" : "security";
    return new TransportError(kind, `TLS to ${host}:${port} failed: ${error.message}`, error);
  };
  let secure: SecureConnection;
  try {
    secure = new SecureConnection(
      tcp,
      {
        role: "client",
        serverName: tls.serverName ?? host,
        verifyName: tls.verifyName,
        minVersion: tls.minVersion,
      },
      credentialsOf(tls).get(),
      Math.max(1, timeoutMs),
    );
  } catch (error) {
    tcp.close();
    if (error instanceof TlsError) throw fail(error);
    throw error;
  }
  const stop = () => secure.close();
  signal.addEventListener("abort", stop);
  try {
    if (signal.aborted) stop();
    await secure.established;
    return secure;
  } catch (error) {
    if (error instanceof SecurityError) throw fail(error);
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
