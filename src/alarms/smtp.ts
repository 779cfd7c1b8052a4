/*
 * One mail to a mail server: the narrow part of the mail library that alarms use.
 *
 * Owns the library's options. It is loaded when the first mail is sent, and never where no mail is configured. It asks for
 * nothing that the program's permissions refuse: the name we greet with is given to it (it would ask the system for ours),
 * and files and addresses in a mail are refused. Certificates are verified; a server that offers no encryption where the
 * configuration asks for it gets no mail and no password.
 */

import type { EmailConfig } from "../config/alarms.ts";
import { readIssuer } from "./issuer.ts";

/** Waits for a mail server, in ms. */
const CONNECT_MS = 15_000;
const GREETING_MS = 15_000;
const SILENCE_MS = 30_000;
const NAME_MS = 10_000;

export interface Mail {
  readonly subject: string;
  readonly text: string;
}

/** What the server said. */
export interface MailAnswer {
  readonly response: string;
  /** Addresses that it does not take, where it takes others. */
  readonly rejected: readonly string[];
}

/** What a failure carries that the words are made of. */
export interface MailTrouble {
  /** `EAUTH`, `ECONNECTION`, `CERT_HAS_EXPIRED`. */
  readonly code: string;
  readonly message: string;
  /** What the server said; empty where it said nothing. */
  readonly response: string;
}

export type SendMail = (
  config: EmailConfig,
  mail: Mail,
  signal: AbortSignal,
) => Promise<MailAnswer>;

/** Sends by the mail library. Throws what it throws: `troubleOf` reads it. */
export const sendBySmtp: SendMail = async (config, { subject, text }, signal) => {
  const { createTransport } = await import("nodemailer");
  const { host, port, security, login, caFile, from, to } = config;
  const issuer = caFile === null ? {} : { ca: [await readIssuer(caFile)] };
  const transport = createTransport({
    host,
    port,
    // What stands behind the sender's @ is the name we greet with.
    name: from.slice(from.indexOf("@") + 1),
    secure: security === "tls",
    requireTLS: security === "starttls",
    ignoreTLS: security === "none",
    tls: { rejectUnauthorized: true, minVersion: "TLSv1.2", ...issuer },
    // A server that takes no login where one is configured is told apart from one that needs none.
    ...(login === null
      ? {}
      : { auth: { user: login.user, pass: login.password }, forceAuth: true }),
    connectionTimeout: CONNECT_MS,
    greetingTimeout: GREETING_MS,
    socketTimeout: SILENCE_MS,
    dnsTimeout: NAME_MS,
    socketCloseTimeout: 0,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    const { response, rejected } = await transport.sendMail({
      from,
      to: [...to],
      subject,
      text,
      headers: { "Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All" },
      signal,
    });
    return { response: response ?? "", rejected: (rejected ?? []).map(String) };
  } finally {
    transport.close();
  }
};

/** What a failure of the library says, read without trust in its shape. */
export function troubleOf(error: unknown): MailTrouble {
  const told = error as { code?: unknown; message?: unknown; response?: unknown } | null;
  const text = (value: unknown) => typeof value === "string" ? value : "";
  return { code: text(told?.code), message: text(told?.message), response: text(told?.response) };
}
