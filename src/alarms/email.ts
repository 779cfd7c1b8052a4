/*
 * Alarms by e-mail: plain text, several of them in one mail where they come together.
 *
 * Owns what a mail says, and what a technician is told where it cannot be sent. How mail is sent is smtp.ts.
 */

import type { EmailConfig } from "../config/alarms.ts";
import { type Channel, ChannelError, type Notice, type Sender } from "./channel.ts";
import { type Mail, type MailTrouble, sendBySmtp, type SendMail, troubleOf } from "./smtp.ts";
import { counted, timeText } from "./words.ts";

/** What comes within this goes in one mail, ms. */
const GATHER_MS = 30_000;
/** Messages in one mail, at most. */
const MOST_IN_ONE = 50;
const LONGEST_ANSWER = 200;

export class Email implements Channel {
  readonly name = "e-mail";
  readonly gatherMs: number;
  readonly most = MOST_IN_ONE;
  readonly #config: EmailConfig;
  readonly #sender: Sender;
  readonly #sendMail: SendMail;

  /** @param sendMail sends a mail; another one in tests */
  constructor(
    config: EmailConfig,
    sender: Sender,
    { sendMail = sendBySmtp, gatherMs = GATHER_MS }: { sendMail?: SendMail; gatherMs?: number } =
      {},
  ) {
    this.#config = config;
    this.#sender = sender;
    this.#sendMail = sendMail;
    this.gatherMs = gatherMs;
  }

  async send(notices: readonly Notice[], left: number, signal: AbortSignal): Promise<string> {
    const { host, port, to } = this.#config;
    const where = `mail server ${host}:${port}`;
    try {
      const mail = mailOf(notices, left, this.#sender);
      const { response, rejected } = await this.#sendMail(this.#config, mail, signal);
      const not = rejected.length === 0
        ? ""
        : `, but not for ${rejected.join(", ")}: check alarms.email.to`;
      const taken = to.filter((address) => !rejected.includes(address)).join(", ");
      return `${where} took the mail for ${taken} (${oneLine(response)})${not}`;
    } catch (error) {
      if (error instanceof ChannelError) throw error;
      throw new ChannelError(`${where}: ${troubleText(troubleOf(error), this.#config)}`);
    }
  }
}

/** The mail that tells these messages. */
export function mailOf(notices: readonly Notice[], left: number, sender: Sender): Mail {
  const worst = notices.find((one) => one.event !== "end" && one.severity === "critical") ??
    notices.find((one) => one.event !== "end") ?? notices[0]!;
  const others = notices.length - 1;
  const more = others === 0 ? "" : ` and ${others} more`;
  const subject = `[DICOM Forwarder ${sender.site}] ${headingOf(worst)}${more}`;
  const paragraphs = notices.map((one) =>
    `${headingOf(one)}\n  ${one.text}\n  ${timeText(one.at)}, ${one.severity}`
  );
  if (left > 0) {
    paragraphs.push(`${counted(left, "older message")} could not be sent and were left out.`);
  }
  paragraphs.push(
    `--\nDICOM Forwarder ${sender.version} at ${sender.site}. Times are local. ` +
      `dicomforwarder status shows how it is now.`,
  );
  return { subject, text: paragraphs.join("\n\n") + "\n" };
}

function headingOf({ event, title }: Notice): string {
  const text = title.charAt(0).toUpperCase() + title.slice(1);
  if (event === "end") return `Over: ${title}`;
  return event === "repeat" ? `Still: ${title}` : text;
}

/** What a failure means, and what to do. */
export function troubleText(
  { code, message, response }: MailTrouble,
  { security, login }: Pick<EmailConfig, "security" | "login">,
): string {
  const said = response === "" ? "" : ` (it said: ${oneLine(response)})`;
  const all = `${code} ${message}`;
  if (code === "EAUTH" || code === "ENOAUTH") {
    return login === null
      ? `it wants a login: set alarms.email.user and password${said}`
      : `it does not take user and password: check alarms.email.user and password${said}`;
  }
  if (/^5[0-9]0[^0-9]/.test(response) && /auth/i.test(response) && login === null) {
    return `it wants a login: set alarms.email.user and password${said}`;
  }
  if (/expired/i.test(all)) return "its certificate has expired: have it renewed";
  if (/altname|not valid for name|NotValidForName/i.test(all)) {
    return "its certificate is for another name: write the host as the certificate has it";
  }
  if (/self.?signed|unable to (get|verify)|UnknownIssuer|CERT|certificate/i.test(all)) {
    return "its certificate is of an issuer this computer does not trust: name that issuer's file in alarms.email.ca_file";
  }
  if (/ECONNREFUSED|refused/i.test(all)) {
    return "nothing listens there: check alarms.email.host and port, and that the mail server runs";
  }
  if (code === "EDNS" || /ENOTFOUND|EAI_AGAIN|getaddrinfo|DNS/i.test(all)) {
    return "the host name cannot be resolved: check alarms.email.host, and the name server";
  }
  if (code === "ETLS" || /wrong version|SSL|TLS|STARTTLS|handshake|InvalidContentType/i.test(all)) {
    return `no encrypted connection comes about: check port and security ("${security}" is set)${said}`;
  }
  if (code === "EENVELOPE") {
    return `it does not take sender or recipient: check alarms.email.from and to${said}`;
  }
  if (code === "EMESSAGE") return `it does not take the mail: look at its log${said}`;
  if (code === "ETIMEDOUT" || /timeout|timed out/i.test(all)) {
    return `it did not answer in time: check host and port (465 needs "tls", 587 "starttls"), and the firewall`;
  }
  if (/EHOSTUNREACH|ENETUNREACH|unreachable/i.test(all)) {
    return "the network does not reach it: check alarms.email.host, and the firewall";
  }
  if (/Abort/i.test(all)) return "the attempt was broken off";
  if (/NotCapable|permission/i.test(all)) {
    return `the program has not the permission it needs (${oneLine(message)})`;
  }
  return `the connection broke off: look at the mail server's log${said}`;
}

function oneLine(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_C}\s]+/gu, " ").trim();
  return line.length <= LONGEST_ANSWER ? line : `${line.slice(0, LONGEST_ANSWER)}...`;
}
