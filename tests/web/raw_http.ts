/*
 * Requests as no browser and no `fetch` would send them: every byte of the head is the test's own.
 */

import { Buffer } from "node:buffer";

/** A whole answer. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface RawRequest {
  readonly method?: string;
  readonly path?: string;
  /** Beyond Host, which is that of the server unless it is here, too. */
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string;
}

/** Where a server is: a port of this machine, with TLS where a certificate (PEM) is to be trusted. */
export type Place = number | { readonly port: number; readonly ca: string };

/** Connects. */
export function open(place: Place): Promise<Deno.Conn> {
  const hostname = "127.0.0.1";
  return typeof place === "number"
    ? Deno.connect({ hostname, port: place })
    : Deno.connectTls({ hostname, port: place.port, caCerts: [place.ca] });
}

function portOf(place: Place): number {
  return typeof place === "number" ? place : place.port;
}

const encoder = new TextEncoder();

/** Asks once, on a connection of its own. */
export async function ask(place: Place, request: RawRequest = {}): Promise<RawAnswer> {
  const { method = "GET", path = "/", headers = [], body } = request;
  const own = headers.some(([name]) => name.toLowerCase() === "host");
  const lines = [
    `${method} ${path} HTTP/1.1`,
    ...(own ? [] : [`Host: 127.0.0.1:${portOf(place)}`]),
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined ? [] : [`Content-Length: ${encoder.encode(body).length}`]),
    "Connection: close",
  ];
  return await send(place, `${lines.join("\r\n")}\r\n\r\n${body ?? ""}`);
}

/** Sends bytes as they are, and reads to the end of the connection. */
export async function send(place: Place, bytes: string): Promise<RawAnswer> {
  using connection = await open(place);
  const whole = encoder.encode(bytes);
  for (let at = 0; at < whole.length;) at += await connection.write(whole.subarray(at));
  return parse(await readAll(connection));
}

/** Everything until the other side closes, a character for each byte. */
export async function readAll(connection: Deno.Conn): Promise<string> {
  const pieces: string[] = [];
  const piece = new Uint8Array(65_536);
  for (;;) {
    const length = await connection.read(piece);
    if (length === null) return pieces.join("");
    pieces.push(Buffer.from(piece.subarray(0, length)).toString("latin1"));
  }
}

/** An answer's parts, from what `readAll` gives. */
export function parse(text: string): RawAnswer {
  const end = text.indexOf("\r\n\r\n");
  const [first = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const chunked = headers.get("transfer-encoding") === "chunked";
  const body = text.slice(end + 4);
  return {
    status: Number(first.split(" ")[1]),
    headers,
    text: Buffer.from(chunked ? dechunked(body) : body, "latin1").toString(),
  };
}

function dechunked(body: string): string {
  let rest = body;
  let text = "";
  for (;;) {
    const end = rest.indexOf("\r\n");
    const length = parseInt(rest.slice(0, end), 16);
    if (!(length > 0)) return text;
    text += rest.slice(end + 2, end + 2 + length);
    rest = rest.slice(end + 4 + length);
  }
}

/** The token that a change needs, by GET session. */
export async function csrfOf(place: Place, headers: RawRequest["headers"] = []): Promise<string> {
  const { text } = await ask(place, { path: "/api/v1/session", headers });
  return JSON.parse(text).csrf;
}

/** A change as the pages make it. */
export async function change(
  place: Place,
  path: string,
  body: unknown = {},
  headers: RawRequest["headers"] = [],
): Promise<RawAnswer> {
  return await ask(place, {
    method: "POST",
    path: `/api/v1${path}`,
    headers: [
      ["Content-Type", "application/json"],
      ["Origin", `${typeof place === "number" ? "http" : "https"}://127.0.0.1:${portOf(place)}`],
      ["Sec-Fetch-Site", "same-origin"],
      ["X-CSRF-Token", await csrfOf(place, headers)],
      ...headers,
    ],
    body: JSON.stringify(body),
  });
}
