/*
 * The way to the audit server: over UDP (RFC 5426), TCP (RFC 6587, octet counting) or TLS (RFC 5425).
 *
 * Syslog has no answers. Over a connection a batch counts as taken when the server has closed its side after we closed
 * ours: a server that closes has read what came before the end. Until then a write proves nothing, for the system takes
 * bytes for a peer that is long gone. Over UDP a message counts as taken when the system has taken it.
 */

import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import type { AuditConfig } from "../config/audit.ts";
import { concat } from "../dicom/bytes.ts";
import { framed } from "./syslog.ts";

/** To connect, TLS included; and for the server to take more bytes; in ms. */
const CONNECT_MS = 15_000;
const WRITE_MS = 30_000;
/** For the server to close its side after we have closed ours, in ms. */
const CLOSE_MS = 10_000;
/**
 * A connection is kept for so long before we close it, in ms. A server that does not want us (TLS 1.3 looks at our certificate
 * when we are done, RFC 8446 §4.4.2.4; others look at addresses after they have accepted) closes within that time, and what
 * was sent to it counts as not sent.
 */
const SETTLE_MS = 500;
/** Bytes handed over at a time. */
const PIECE = 64 * 1024;
/** Datagrams at a time, and the pause behind them, in ms: a server that reads one by one shall not lose them. */
const DATAGRAMS = 20;
const DATAGRAM_PAUSE_MS = 5;

/** The server could not be reached, or went away; the message says so to a person. */
export class AuditSendError extends Error {
  override readonly name = "AuditSendError";
}

/**
 * - `taken`: as far as can be known, the server has them.
 * - `unanswered`: they were handed over, and the server neither broke off nor closed.
 */
export type SendResult = "taken" | "unanswered";

/**
 * Sends messages, in order.
 *
 * @throws {AuditSendError} where the server may not have all of them
 */
export async function sendMessages(
  config: AuditConfig,
  messages: readonly string[],
  signal: AbortSignal,
): Promise<SendResult> {
  const where = `${config.host}, port ${config.port} (${config.protocol})`;
  try {
    if (config.protocol === "udp") {
      await sendDatagrams(config, messages, signal);
      return "taken";
    }
    return await sendStream(config, messages, signal);
  } catch (error) {
    if (signal.aborted) throw new AuditSendError("The forwarder is stopping");
    const reason = error instanceof Error ? error.message : String(error);
    throw new AuditSendError(`${where}: ${reason}`, { cause: error });
  }
}

async function sendStream(
  config: AuditConfig,
  messages: readonly string[],
  signal: AbortSignal,
): Promise<SendResult> {
  const connection = await connect(config, signal);
  const stop = () => close(connection);
  signal.addEventListener("abort", stop);
  try {
    signal.throwIfAborted();
    const began = performance.now();
    let closing = false;
    // Watched from the beginning: a server that closes early has not read what comes after.
    const over = readToEnd(connection).then((error) => ({ error, early: !closing }));
    over.catch(() => {});
    for (const piece of pieces(messages)) {
      for (let at = 0; at < piece.length;) {
        at += await within(connection.write(piece.subarray(at)), WRITE_MS, "it takes no data");
      }
    }
    const soon = await Promise.race([
      over,
      late(Math.max(0, began + SETTLE_MS - performance.now())),
    ]);
    if (soon !== "late") {
      throw soon.error ?? new Error("it closed the connection at once: does it let us in?");
    }
    closing = true;
    await within(connection.closeWrite(), CLOSE_MS, "the connection cannot be closed");
    const end = await Promise.race([over, late(CLOSE_MS)]);
    if (end === "late") return "unanswered";
    if (end.error !== undefined) throw end.error;
    if (end.early) throw new Error("it closed the connection before it had everything");
    return "taken";
  } finally {
    signal.removeEventListener("abort", stop);
    close(connection);
  }
}

/** A connection that can be closed in one direction. */
type Stream = Deno.Conn & { closeWrite(): Promise<void> };

async function connect(config: AuditConfig, signal: AbortSignal): Promise<Stream> {
  const { host: hostname, port, protocol } = config;
  const opening: Promise<Stream> = protocol === "tcp"
    ? Deno.connect({ hostname, port })
    : connectTls(config);
  const isLate = Promise.withResolvers<never>();
  isLate.promise.catch(() => {});
  const timer = setTimeout(
    () => isLate.reject(new Error(`no connection within ${CONNECT_MS / 1000} s`)),
    CONNECT_MS,
  );
  const stop = () => isLate.reject(new Error("stopped"));
  signal.addEventListener("abort", stop);
  try {
    return await Promise.race([opening, isLate.promise]);
  } catch (error) {
    opening.then(close, () => {});
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

async function connectTls(
  { host: hostname, port, caFile, certificate }: AuditConfig,
): Promise<Stream> {
  const connection = await Deno.connectTls({
    hostname,
    port,
    ...caFile === null ? {} : { caCerts: [await readPem(caFile, "audit.ca_file")] },
    ...certificate === null ? {} : {
      cert: await readPem(certificate.certificateFile, "audit.certificate_file"),
      key: await readPem(certificate.keyFile, "audit.key_file"),
    },
  });
  try {
    await connection.handshake();
  } catch (error) {
    close(connection);
    throw error;
  }
  // The types do not say so; the runtime sends close_notify and goes on reading.
  if (!("closeWrite" in connection)) throw new Error("this runtime cannot close one side of TLS");
  return connection as Deno.TlsConn & Stream;
}

async function readPem(path: string, key: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${path} (${key}) cannot be read: ${reason}`, { cause: error });
  }
}

/** Resolves when the server closes; to the error, where the connection breaks. What it says is nobody's business. */
async function readToEnd(connection: Deno.Conn): Promise<unknown> {
  const bytes = new Uint8Array(1024);
  try {
    while (await connection.read(bytes) !== null);
    return undefined;
  } catch (error) {
    // TLS without a close_notify, as rsyslog ends it: the end of the connection all the same (RFC 5425 §4.4).
    return error instanceof Deno.errors.UnexpectedEof ? undefined : error;
  }
}

function* pieces(messages: readonly string[]): Generator<Uint8Array> {
  let gathered: Uint8Array[] = [];
  let length = 0;
  for (const message of messages) {
    const frame = framed(message);
    gathered.push(frame);
    length += frame.length;
    if (length < PIECE) continue;
    yield concat(gathered);
    gathered = [];
    length = 0;
  }
  if (length > 0) yield concat(gathered);
}

async function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  const limit = late(ms);
  const result = await Promise.race([promise, limit]);
  limit.cancel();
  if (result !== "late") return result as T;
  promise.catch(() => {});
  throw new Error(`${what} for ${ms / 1000} s`);
}

function late(ms: number): Promise<"late"> & { cancel(): void } {
  const { promise, resolve } = Promise.withResolvers<"late">();
  const timer = setTimeout(() => resolve("late"), ms);
  return Object.assign(promise, { cancel: () => clearTimeout(timer) });
}

function close(connection: { close(): void }): void {
  try {
    connection.close();
  } catch (error) {
    // Closed by the other way already.
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

async function sendDatagrams(
  { host, port }: AuditConfig,
  messages: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { address, family } = await lookup(host);
  const socket = createSocket(family === 6 ? "udp6" : "udp4");
  // A server that is not there is told by nothing else, and not reliably.
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {});
  socket.on("error", (error) => broken.reject(error));
  try {
    for (const [index, message] of messages.entries()) {
      signal.throwIfAborted();
      const bytes = new TextEncoder().encode(message);
      await Promise.race([sendDatagram(socket, bytes, port, address), broken.promise]);
      if (index % DATAGRAMS === DATAGRAMS - 1) {
        await new Promise((resolve) => setTimeout(resolve, DATAGRAM_PAUSE_MS));
      }
    }
  } finally {
    socket.close();
  }
}

function sendDatagram(
  socket: Socket,
  bytes: Uint8Array,
  port: number,
  address: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(bytes, port, address, (error) => error === null ? resolve() : reject(error));
  });
}
