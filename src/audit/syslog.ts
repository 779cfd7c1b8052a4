/*
 * Audit messages as syslog has them (RFC 5424), and how they are told apart on a connection (RFC 6587 §3.4.1, RFC 5425 §4.3).
 *
 * Pure. A message is one line of UTF-8 without a line feed.
 */

/** Security/authorization messages (PS3.15 A.6). */
const FACILITY = 10;

const SEVERITY = { notice: 5, warning: 4 } as const;

/** PS3.15 A.6: what messages of this kind are named by. */
const MESSAGE_ID = "DICOM+RFC3881";

/** RFC 5424 §6.4: what follows is UTF-8. */
const BYTE_ORDER_MARK = "\ufeff";

/** What a server has to take (PS3.15 A.6), in bytes. None of ours is longer. */
export const LONGEST_MESSAGE = 32_768;

/** Who sends, as a syslog header has it. */
export interface SyslogSender {
  /** Host name or address; "" where it is not known. */
  readonly host: string;
  readonly application: string;
  readonly process: number;
}

/** One message with its header, without an end of line. */
export function syslogMessage(
  xml: string,
  { host, application, process }: SyslogSender,
  at: number,
  severity: keyof typeof SEVERITY,
): string {
  const priority = FACILITY * 8 + SEVERITY[severity];
  const header = [
    `<${priority}>1`,
    new Date(at).toISOString(),
    printable(host, 255),
    printable(application, 48),
    printable(String(process), 128),
    MESSAGE_ID,
    "-",
  ];
  return `${header.join(" ")} ${BYTE_ORDER_MARK}${xml}`;
}

/** PRINTUSASCII of a bounded length; NILVALUE where nothing is left (RFC 5424 §6). */
function printable(text: string, most: number): string {
  return text.replaceAll(/[^!-~]/g, "").slice(0, most) || "-";
}

/** When a message was made, in ms since 1970; undefined where it is none. */
export function timeOfMessage(line: string): number | undefined {
  const time = /^<\d{1,3}>1 (\S{20,32}) /.exec(line)?.[1];
  const at = time === undefined ? NaN : Date.parse(time);
  return Number.isNaN(at) ? undefined : at;
}

/** A message as it goes over a connection: its length in bytes, a space, itself. */
export function framed(message: string): Uint8Array {
  const body = new TextEncoder().encode(message);
  const head = new TextEncoder().encode(`${body.length} `);
  const frame = new Uint8Array(head.length + body.length);
  frame.set(head);
  frame.set(body, head.length);
  return frame;
}
