/*
 * Alarms by HTTP: each one a POST of JSON to an address of the configuration.
 *
 * Redirects are not followed, so that headers and alarms go where the configuration says and nowhere else. Only a status of
 * 200 to 299 counts as taken. The address beyond its origin, and the headers, are secret: no text has them.
 */

import type { WebhookConfig } from "../config/alarms.ts";
import { readIssuer } from "./issuer.ts";
import { type Channel, ChannelError, type Notice, type Sender } from "./channel.ts";

/** The body of a request. Times are ISO 8601, UTC. */
export interface WebhookMessage {
  readonly product: "DICOM Forwarder";
  readonly site: string;
  readonly event: Notice["event"];
  readonly key: string;
  readonly severity: Notice["severity"];
  readonly title: string;
  readonly text: string;
  readonly since: string;
  readonly at: string;
  readonly version: string;
  /** Messages before this one that were left out because too many waited; absent where there are none. */
  readonly left_out?: number;
}

/** The body for one message. */
export function messageOf(notice: Notice, left: number, { site, version }: Sender): WebhookMessage {
  const { event, key, severity, title, text, since, at } = notice;
  return {
    product: "DICOM Forwarder",
    site,
    event,
    key,
    severity,
    title,
    text,
    since: new Date(since).toISOString(),
    at: new Date(at).toISOString(),
    version,
    ...(left === 0 ? {} : { left_out: left }),
  };
}

export class Webhook implements Channel {
  readonly name = "webhook";
  readonly gatherMs = 0;
  readonly most = 1;
  readonly #config: WebhookConfig;
  readonly #sender: Sender;
  /** Without user and password, which fetch takes no address with. */
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #origin: string;

  constructor(config: WebhookConfig, sender: Sender) {
    this.#config = config;
    this.#sender = sender;
    const url = new URL(config.url);
    const { username, password } = url;
    url.username = "";
    url.password = "";
    this.#url = url.href;
    this.#origin = url.origin;
    const login = username === "" && password === "" ? {} : {
      "Authorization": basic(decodeURIComponent(username), decodeURIComponent(password)),
    };
    this.#headers = {
      "User-Agent": `DICOM-Forwarder/${sender.version}`,
      ...login,
      ...config.headers,
      "Content-Type": "application/json; charset=utf-8",
    };
  }

  async send(notices: readonly Notice[], left: number, signal: AbortSignal): Promise<string> {
    const body = JSON.stringify(messageOf(notices[0]!, left, this.#sender));
    const { timeoutMs, caFile } = this.#config;
    const client = caFile === null ? undefined : await clientFor(caFile);
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), timeoutMs);
    const begun = performance.now();
    let response: Response;
    try {
      response = await fetch(this.#url, {
        method: "POST",
        headers: this.#headers,
        body,
        redirect: "manual",
        signal: AbortSignal.any([signal, late.signal]),
        ...(client === undefined ? {} : { client }),
      });
      // What it says is nobody's business; a body left unread would keep the connection.
      await response.body?.cancel();
    } catch (error) {
      if (late.signal.aborted) {
        throw new ChannelError(
          `${this.#origin} did not answer within ${
            timeoutMs / 1000
          } s: check that it runs, or set another ` +
            `alarms.webhook.timeout`,
        );
      }
      throw new ChannelError(`${this.#origin}: ${failureText(error)}`);
    } finally {
      clearTimeout(timer);
      client?.close();
    }
    if (response.ok) {
      const ms = Math.round(performance.now() - begun);
      return `${this.#origin} answered ${response.status} within ${ms} ms`;
    }
    throw new ChannelError(`${this.#origin} answered ${statusText(response)}`);
  }
}

/** Trusts an issuer of this site besides the usual ones. */
async function clientFor(caFile: string): Promise<Deno.HttpClient> {
  const issuer = await readIssuer(caFile);
  try {
    return Deno.createHttpClient({ caCerts: [issuer] });
  } catch {
    throw new ChannelError(`${caFile} (alarms.webhook.ca_file) has a certificate that is damaged`);
  }
}

function basic(user: string, password: string): string {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

function statusText({ status, headers }: Response): string {
  if (status >= 300 && status < 400) {
    const location = headers.get("Location") ?? "";
    const where = URL.canParse(location) ? ` to ${new URL(location).origin}` : "";
    return `${status}, a redirect${where}, which is not followed: put the final address into alarms.webhook.url`;
  }
  if (status === 401 || status === 403) {
    return `${status}: it does not let us in; check alarms.webhook.headers and alarms.webhook.url`;
  }
  if (status === 404 || status === 410) {
    return `${status}: it knows no such address; check alarms.webhook.url`;
  }
  if (status === 405) return `${status}: it takes no POST there; check alarms.webhook.url`;
  if (status === 429) return `${status}: too many messages for it; they are sent again later`;
  if (status >= 500) return `${status}: it has trouble of its own; look at its log`;
  return `${status}: it does not take our message; look at its log`;
}

/** The library's words have the whole address in them; what is said here is what they mean. */
function failureText(error: unknown): string {
  const said = saidBy(error);
  const port = "check the host and the port in alarms.webhook.url";
  if (/refused|os error (111|10061|61)\b/i.test(said)) {
    return `nothing listens there: ${port}, and that it runs`;
  }
  if (/certificate|UnknownIssuer|NotValidForName|Expired|CaUsedAsEndEntity/i.test(said)) {
    const expired = /expired/i.test(said)
      ? " has expired"
      : /name/i.test(said)
      ? " is for another name"
      : " is of an issuer this computer does not trust";
    return `its certificate${expired}: have it renewed, or name its issuer's file in alarms.webhook.ca_file`;
  }
  if (/dns error|failed to lookup|not known|No such host/i.test(said)) {
    return "the host name cannot be resolved: check it in alarms.webhook.url, and the name server";
  }
  if (/tls|ssl|handshake|InvalidContentType|corrupt message/i.test(said)) {
    return "it speaks no TLS there: check https or http, and the port, in alarms.webhook.url";
  }
  if (/unreachable|os error (101|113|10051|10065)\b/i.test(said)) {
    return `the network does not reach it: ${port}, and the firewall`;
  }
  if (/blocked/i.test(said)) return `HTTP may not use that port: ${port}`;
  if (/AbortError/.test(said)) return "the attempt was broken off";
  if (/NotCapable/.test(said)) return "the program has not the permission to connect there";
  return "the connection broke off before an answer: look at its log";
}

/** An error's words and those of its cause, without the address: its host may be called anything. */
function saidBy(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { name, message, cause } = error;
  const inner = cause instanceof Error ? cause.message : "";
  return `${name} ${message} ${inner}`.replaceAll(/https?:\/\/[^\s)]*/g, "");
}
