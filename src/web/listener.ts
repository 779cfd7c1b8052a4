/*
 * HTTP/1.1 on a socket: from connections to `Request`, and from `Response` back.
 *
 * Every answer leaves with the security headers. Owns the limits that keep strangers from using up what the forwarder needs
 * for images: connections, time for a head and for a whole request, sizes of head and body, time that a reader may take
 * nothing. `Deno.serve` has neither a limit on connections nor one on time (measured with 2.9.5: a connection that sends
 * nothing, or half a head, is never closed), so this stands on node:http, whose parser is the runtime's own.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { SECURITY_HEADERS } from "./guard.ts";
import { errorResponse, HttpError } from "./http_error.ts";
import { type Secured, SecuredPort } from "./secured.ts";

/** Largest body that is read, bytes. */
export const MAX_BODY = 64 * 1024;

/** What one server lets happen. */
export interface ListenerLimits {
  readonly connections: number;
  /** ms from the connection, or the end of the last request, to the end of a head. */
  readonly headMs: number;
  /** ms to the end of a body. */
  readonly requestMs: number;
  /** ms a connection may be idle between two requests. */
  readonly keepAliveMs: number;
  /** ms a reader may take nothing of an answer. */
  readonly stallMs: number;
}

export const USUAL_LIMITS: ListenerLimits = {
  connections: 100,
  headMs: 10_000,
  requestMs: 20_000,
  keepAliveMs: 15_000,
  stallMs: 30_000,
};

/** Head of a request, all of it; bytes. */
const MAX_HEAD = 16 * 1024;
const MAX_ADDRESS = 2048;
/** What is read and thrown away of a body that was refused, so that the sender sees the answer: bytes, and ms. */
const LINGER_BYTES = 256 * 1024;
const LINGER_MS = 1000;

/**
 * Requests of one connection that are not answered yet. Browsers send one after the other; who sends many ahead (RFC 9112
 * §9.3.2) and takes no answers would have them all made and kept: measured, 1.7 GB in 9 s from one connection.
 */
const MOST_AHEAD = 4;

/** What a running request has at a stop, ms: the answer to the one that asked for a reload, for example. */
const LAST_WORDS_MS = 500;

/** What answers. */
export interface Answering {
  /** Refuses by the head, before a body is read. */
  refuse(head: Request): Response | undefined;
  /** @param peer address of the connection */
  answer(request: Request, peer: string): Promise<Response>;
}

export class HttpListener {
  readonly #server: Server;
  readonly #app: Answering;
  readonly #limits: ListenerLimits;
  readonly #failed: (error: unknown) => void;
  #secured: SecuredPort | undefined;
  /** Requests under way, by connection. */
  readonly #unanswered = new WeakMap<Socket, number>();

  /** @param failed told of what no answer could be given to */
  constructor(
    app: Answering,
    failed: (error: unknown) => void,
    limits: ListenerLimits = USUAL_LIMITS,
  ) {
    this.#app = app;
    this.#limits = limits;
    this.#failed = failed;
    const server = createServer({
      headersTimeout: limits.headMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: Math.min(1000, limits.headMs),
      maxHeaderSize: MAX_HEAD,
    });
    server.maxConnections = limits.connections;
    const handle = (message: IncomingMessage, response: ServerResponse) => {
      if (!this.#mayBegin(message.socket, response)) return;
      this.#handle(message, response).catch((error) => {
        response.destroy();
        this.#failed(error);
      });
    };
    server.on("request", handle);
    server.on("checkContinue", handle);
    server.on("clientError", (error: Error & { code?: string }, socket: Socket) => {
      refuseRaw(socket, error.code);
    });
    this.#server = server;
  }

  /**
   * Begins to listen.
   *
   * @param secured what with; undefined = without TLS
   * @returns the port
   * @throws where it cannot be had
   */
  listen(host: string, port: number, secured?: Secured): Promise<number> {
    const server = this.#server;
    if (secured !== undefined) return Promise.resolve(this.#secure(host, port, secured));
    return new Promise((resolve, reject) => {
      const refused = (error: Error) => reject(error);
      server.once("error", refused);
      server.listen({ host, port, exclusive: true }, () => {
        server.off("error", refused);
        server.on("error", this.#failed);
        resolve((server.address() as AddressInfo).port);
      });
    });
  }

  #secure(hostname: string, port: number, secured: Secured): number {
    const most = this.#limits.connections;
    const at = { hostname, port };
    this.#secured = new SecuredPort(this.#server, at, secured, most, this.#failed);
    return this.#secured.port;
  }

  /** Stops listening, lets running requests finish for a moment, and closes every connection. */
  async close(): Promise<void> {
    const secured = this.#secured?.close();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), LAST_WORDS_MS);
    await closed;
    await secured;
    clearTimeout(timer);
  }

  /** False, and the connection is closed, where too many of its requests wait for their answers. */
  #mayBegin(socket: Socket, response: ServerResponse): boolean {
    const count = this.#unanswered.get(socket) ?? 0;
    if (count >= MOST_AHEAD) {
      socket.destroy();
      return false;
    }
    this.#unanswered.set(socket, count + 1);
    response.once("close", () => {
      this.#unanswered.set(socket, (this.#unanswered.get(socket) ?? 1) - 1);
    });
    return true;
  }

  async #handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const head = requestOf(message, gone.signal);
    if (head instanceof HttpError) {
      return await this.#refuse(message, response, errorResponse(head));
    }
    const refused = this.#app.refuse(head);
    if (refused !== undefined) return await this.#refuse(message, response, refused);
    const body = await bodyOf(message, () => {
      if (message.headers.expect !== undefined) response.writeContinue();
    });
    if (body === "gone") return;
    if (body === "too large") {
      const error = new HttpError(413, `The body is too large: wanted ${MAX_BODY} bytes at most.`);
      return await this.#refuse(message, response, errorResponse(error));
    }
    const request = body === undefined ? head : new Request(head, { method: head.method, body });
    const answer = await this.#app.answer(request, peerOf(message));
    await this.#send(response, answer, message.method === "HEAD");
  }

  /** Answers without having read the body, and closes the connection: what is still to come is no request. */
  async #refuse(
    message: IncomingMessage,
    response: ServerResponse,
    answer: Response,
  ): Promise<void> {
    answer.headers.set("Connection", "close");
    await this.#send(response, answer, message.method === "HEAD");
    if (message.complete) return;
    let left = LINGER_BYTES;
    const timer = setTimeout(() => message.destroy(), LINGER_MS);
    message.once("close", () => clearTimeout(timer));
    message.on("error", () => message.destroy());
    message.on("data", (piece: Uint8Array) => {
      left -= piece.length;
      if (left < 0) message.destroy();
    });
  }

  async #send(response: ServerResponse, answer: Response, headOnly: boolean): Promise<void> {
    const { body } = answer;
    for (const [name, value] of answer.headers) {
      if (name !== "set-cookie") response.setHeader(name, value);
    }
    for (const name in SECURITY_HEADERS) response.setHeader(name, SECURITY_HEADERS[name]!);
    const cookies = answer.headers.getSetCookie();
    if (cookies.length > 0) response.setHeader("Set-Cookie", cookies);
    response.writeHead(answer.status);
    if (body === null || headOnly) {
      await body?.cancel();
      this.#end(response);
      return;
    }
    await this.#pump(body, response);
  }

  /** Reads no faster than it is taken. */
  async #pump(body: ReadableStream<Uint8Array>, response: ServerResponse): Promise<void> {
    const reader = body.getReader();
    const gone = () => void reader.cancel().catch(() => {});
    response.once("close", gone);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        if (response.destroyed) return gone();
        if (!response.write(value)) await this.#drained(response);
      }
      this.#end(response);
    } catch {
      // The source failed, or dropped the reader: a whole answer is not possible any more, and half a one must not look whole.
      response.destroy();
    } finally {
      response.off("close", gone);
      reader.releaseLock();
    }
  }

  /** Ends an answer. Its last bytes wait for the reader, too, and what counts idle time begins after them. */
  #end(response: ServerResponse): void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const watch = () => {
      timer = setTimeout(() => response.destroy(), this.#limits.stallMs);
    };
    // Its turn comes after those that were asked for before it on the same connection.
    if (response.socket === null) response.once("socket", watch);
    else watch();
    response.once("close", () => {
      response.off("socket", watch);
      clearTimeout(timer);
    });
    response.end();
  }

  #drained(response: ServerResponse): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => response.destroy(), this.#limits.stallMs);
      const done = () => {
        clearTimeout(timer);
        response.off("drain", done);
        response.off("close", done);
        resolve();
      };
      response.once("drain", done);
      response.once("close", done);
    });
  }
}

/** An IPv4 address is told as one also where the socket is for both. */
function peerOf({ socket }: IncomingMessage): string {
  return (socket.remoteAddress ?? "unknown").replace(/^::ffff:(?=[0-9.]+$)/i, "");
}

/** The head of a request, or why it is none. */
function requestOf(message: IncomingMessage, signal: AbortSignal): Request | HttpError {
  const { method = "", url = "", rawHeaders } = message;
  const headers = new Headers();
  let hosts = 0;
  for (let n = 0; n + 1 < rawHeaders.length; n += 2) {
    const name = rawHeaders[n]!;
    if (/^host$/i.test(name)) hosts++;
    try {
      headers.append(name, rawHeaders[n + 1]!);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return new HttpError(400, "A header of the request is not one.");
    }
  }
  if (hosts !== 1) return new HttpError(400, "Wanted one Host header.");
  if (url.length > MAX_ADDRESS) return new HttpError(400, "The address is too long.");
  // Only the origin form (RFC 9112 §3.2.1): the others are for proxies.
  if (!/^\/(?!\/)[\x21-\x7e]*$/.test(url)) {
    return new HttpError(400, "The address is none: wanted a path.");
  }
  if (!["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].includes(method)) {
    return new HttpError(405, "No such method here.");
  }
  // The name is in Host, which is looked at; here any will do. An answer to HEAD is that to GET without its body.
  return new Request(`http://forwarder${url}`, {
    method: method === "HEAD" ? "GET" : method,
    headers,
    signal,
  });
}

async function bodyOf(
  message: IncomingMessage,
  goOn: () => void,
): Promise<Uint8Array<ArrayBuffer> | undefined | "too large" | "gone"> {
  const announced = Number(message.headers["content-length"] ?? 0);
  const chunked = message.headers["transfer-encoding"] !== undefined;
  if (announced > MAX_BODY) return "too large";
  if ((announced === 0 && !chunked) || message.method === "GET" || message.method === "HEAD") {
    return undefined;
  }
  goOn();
  const body = new Uint8Array(MAX_BODY);
  let length = 0;
  return await new Promise((resolve) => {
    message.on("data", (piece: Uint8Array) => {
      if (length + piece.length > MAX_BODY) {
        message.pause();
        message.removeAllListeners("data");
        resolve("too large");
        return;
      }
      body.set(piece, length);
      length += piece.length;
    });
    message.once("end", () => resolve(body.slice(0, length)));
    message.once("error", () => resolve("gone"));
    message.once("close", () => resolve("gone"));
  });
}

/** What never became a request. */
function refuseRaw(socket: Socket, code: string | undefined): void {
  const status = code === "HPE_HEADER_OVERFLOW"
    ? "431 Request Header Fields Too Large"
    : code === "ERR_HTTP_REQUEST_TIMEOUT"
    ? "408 Request Timeout"
    : "400 Bad Request";
  if (!socket.writable || code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => {
    socket.destroy();
  });
}
