/*
 * An audit server in the test's own process: takes syslog over UDP, TCP or TLS, checks the framing and the header, and keeps
 * the messages. It can go away in the middle and come back on the same port.
 */

import { createSocket, type Socket } from "node:dgram";
import type { CertificateFiles } from "./certificates.ts";
import { auditOf, type ReadAudit } from "./audit_schema.ts";
import { until } from "./until.ts";

/** A message as it came. */
export interface SyslogMessage {
  readonly priority: number;
  readonly host: string;
  readonly application: string;
  readonly messageId: string;
  /** Behind the byte order mark. */
  readonly xml: string;
}

export interface SyslogServerOptions {
  readonly protocol: "udp" | "tcp" | "tls";
  /** 0 or absent for any. */
  readonly port?: number;
  readonly tls?: CertificateFiles;
  /** Never closes its side of a connection. */
  readonly keepsOpen?: boolean;
  /** Cuts each connection when it has read so many bytes of it. */
  readonly cutsAfter?: number;
}

export class SyslogServer implements AsyncDisposable {
  readonly port: number;
  readonly messages: SyslogMessage[] = [];
  /** What was wrong with what came. */
  readonly faults: string[] = [];
  /** Connections that were accepted. */
  connections = 0;
  readonly #options: SyslogServerOptions;
  readonly #listener: Deno.Listener | undefined;
  readonly #socket: Socket | undefined;
  readonly #open = new Set<Deno.Conn>();
  #ended: Promise<unknown> = Promise.resolve();
  readonly #stopping = Promise.withResolvers<void>();
  #stopped = false;

  private constructor(
    options: SyslogServerOptions,
    port: number,
    listener: Deno.Listener | undefined,
    socket: Socket | undefined,
  ) {
    this.#options = options;
    this.port = port;
    this.#listener = listener;
    this.#socket = socket;
    socket?.on("message", (bytes: Uint8Array) => this.#take(bytes));
    if (listener !== undefined) this.#ended = this.#accept(listener);
  }

  static async start(options: SyslogServerOptions): Promise<SyslogServer> {
    const { protocol, port = 0, tls } = options;
    const hostname = "127.0.0.1";
    if (protocol === "udp") {
      const socket = createSocket({ type: "udp4", recvBufferSize: 4 * 1024 * 1024 });
      await new Promise<void>((resolve) => socket.bind(port, hostname, resolve));
      return new SyslogServer(options, socket.address().port, undefined, socket);
    }
    const listener = protocol === "tcp" ? Deno.listen({ hostname, port }) : Deno.listenTls({
      hostname,
      port,
      cert: Deno.readTextFileSync(tls!.certificate),
      key: Deno.readTextFileSync(tls!.key),
    });
    return new SyslogServer(options, (listener.addr as Deno.NetAddr).port, listener, undefined);
  }

  /** The messages, read as audit messages; throws where one is not valid. */
  audits(): ReadAudit[] {
    return this.messages.map(({ xml }) => auditOf(xml));
  }

  /** Waits for so many messages. */
  async has(count: number, withinMs = 15_000): Promise<void> {
    await until(
      () => this.messages.length >= count,
      withinMs,
      () => `${count} messages, ${this.messages.length} are there: ${this.faults.join("; ")}`,
    );
  }

  /** Waits for a message. */
  async says(what: (audit: ReadAudit) => boolean, withinMs = 20_000): Promise<ReadAudit> {
    await until(
      () => this.audits().some(what),
      withinMs,
      () => `a message: ${JSON.stringify(this.audits().map(({ event, types }) => [event, types]))}`,
    );
    return this.audits().find(what)!;
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#stopping.resolve();
    this.#socket?.close();
    this.#listener?.close();
    for (const connection of this.#open) close(connection);
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #accept(listener: Deno.Listener): Promise<void> {
    const served: Promise<void>[] = [];
    for (;;) {
      try {
        const connection = await listener.accept();
        this.connections++;
        served.push(this.#serve(connection));
      } catch (error) {
        if (this.#stopped) break;
        // A handshake that failed is one connection's matter.
        if (error instanceof Deno.errors.BadResource) break;
        this.faults.push(String(error));
      }
    }
    await Promise.all(served);
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    const { keepsOpen = false, cutsAfter = Infinity } = this.#options;
    this.#open.add(connection);
    let bytes = new Uint8Array(0);
    let total = 0;
    try {
      const piece = new Uint8Array(64 * 1024);
      for (let n; (n = await connection.read(piece)) !== null;) {
        total += n;
        const all = new Uint8Array(bytes.length + n);
        all.set(bytes);
        all.set(piece.subarray(0, n), bytes.length);
        bytes = this.#frames(all);
        if (total > cutsAfter) return;
      }
      if (bytes.length > 0) this.faults.push(`${bytes.length} bytes of half a message at the end`);
      if (keepsOpen) await this.#stopping.promise;
    } catch (error) {
      if (!this.#stopped) this.faults.push(String(error));
    } finally {
      this.#open.delete(connection);
      close(connection);
    }
  }

  /** RFC 6587 §3.4.1; returns what is left. */
  #frames(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    for (;;) {
      const space = bytes.indexOf(0x20);
      if (space < 0) return bytes;
      const digits = new TextDecoder().decode(bytes.subarray(0, space));
      if (!/^[1-9]\d{0,6}$/.test(digits)) {
        this.faults.push(`no length of a message: ${JSON.stringify(digits.slice(0, 40))}`);
        return new Uint8Array(0);
      }
      const end = space + 1 + Number(digits);
      if (bytes.length < end) return bytes;
      this.#take(bytes.subarray(space + 1, end));
      bytes = bytes.slice(end);
    }
  }

  #take(bytes: Uint8Array): void {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    const parts =
      /^<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) - \ufeff([^]*)$/
        .exec(text);
    if (parts === null) {
      this.faults.push(`no syslog message: ${JSON.stringify(text.slice(0, 200))}`);
      return;
    }
    this.messages.push({
      priority: Number(parts[1]),
      host: parts[3]!,
      application: parts[4]!,
      messageId: parts[6]!,
      xml: parts[7]!,
    });
  }
}

function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
