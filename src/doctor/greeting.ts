/*
 * What answers on a port that does not speak DICOM: recognised by the first bytes it sends.
 *
 * Owns the one TLS ClientHello (RFC 5246 §7.4.1.2) that is offered where a plain association got no answer in DICOM, and
 * the recognising. Neither says whether a node is right; `judgeGreeting` says what to do about what it is.
 */

import { concat, latin1, putLatin1 } from "../dicom/bytes.ts";
import { escapeText } from "../log.ts";

/** What speaks on the other side. */
export type Speaker =
  | "dicom"
  | "tls"
  | "http"
  | "ssh"
  | "smtp or ftp"
  | "remote desktop"
  | "vnc"
  | "hl7"
  | "unknown"
  | "silent";

/** Tells by the first bytes that came, up to 64 of them, what sent them. */
export function recognise(bytes: Uint8Array): Speaker {
  if (bytes.length === 0) return "silent";
  const [first = 0, second = 0] = bytes;
  // A TLS record: handshake or alert, of version 3.x (RFC 8446 §5.1).
  if ((first === 0x16 || first === 0x15) && (bytes.length === 1 || second === 0x03)) return "tls";
  const text = latin1(bytes.subarray(0, 64));
  if (/^HTTP\/|^\s*<(!doctype|html|\?xml)/i.test(text)) return "http";
  if (text.startsWith("SSH-")) return "ssh";
  if (/^[2-5][0-9][0-9][ -]/.test(text)) return "smtp or ftp";
  if (text.startsWith("RFB ")) return "vnc";
  // TPKT of RDP (RFC 1006 §6): version 3, reserved 0, a short length.
  if (first === 0x03 && second === 0 && bytes[2] === 0 && bytes[4] !== 0) return "remote desktop";
  // The start block of HL7's minimal lower layer protocol.
  if (first === 0x0b) return "hl7";
  // A PDU of the upper layer: type 1 to 7, a reserved byte, and a length that is not absurd (PS3.8 §9.3.1).
  if (first >= 1 && first <= 7 && second === 0 && bytes.length >= 6) return "dicom";
  return "unknown";
}

/** What that means, and what to change; undefined where it says nothing. */
export function judgeGreeting(
  speaker: Speaker,
  port: number,
  bytes: Uint8Array,
): { readonly text: string; readonly change: string } | undefined {
  const dicomPort = "Set its port to the one on which it takes DICOM: its administrator knows it.";
  switch (speaker) {
    case "tls":
      return {
        text: `port ${port} expects TLS, and we speak plain DICOM`,
        change:
          "Set tls of the destination (true, or an object with the ca, certificate and key that the PACS's administrator gives you), or set its port to one for DICOM without TLS (often 104 or 11112).",
      };
    case "http":
      return {
        text: `a web server answers on port ${port}`,
        change: `${dicomPort} DICOMweb and the viewer's pages are other ports.`,
      };
    case "ssh":
      return { text: `an SSH server answers on port ${port}`, change: dicomPort };
    case "smtp or ftp":
      return { text: `a mail or FTP server answers on port ${port}`, change: dicomPort };
    case "vnc":
    case "remote desktop":
      return { text: `a remote desktop answers on port ${port}`, change: dicomPort };
    case "hl7":
      return { text: `an HL7 interface answers on port ${port}`, change: dicomPort };
    case "unknown":
      return {
        text: `what answers on port ${port} does not speak DICOM: it begins with ${
          escapeText(latin1(bytes.subarray(0, 24)))
        }`,
        change: dicomPort,
      };
    case "dicom":
    case "silent":
      return undefined;
  }
}

/** Cipher suites and groups that any TLS server knows some of. What comes back is recognised, never used. */
const SUITES = [0x1301, 0x1302, 0xc02f, 0xc030, 0xc02b, 0xc02c, 0xc013, 0xc014, 0x009c, 0x002f];
const GROUPS = [29, 23, 24];
const SIGNATURES = [0x0403, 0x0804, 0x0401, 0x0503, 0x0501, 0x0201];

/**
 * A ClientHello of TLS 1.2. A TLS server answers with a ServerHello or an alert. The blank line in its random makes a
 * web server, which reads lines, answer that it has understood nothing.
 *
 * @param random 28 bytes
 */
export function clientHello(random: Uint8Array): Uint8Array {
  const blankLine = new Uint8Array(4);
  putLatin1(blankLine, 0, "\r\n\r\n");
  const shorts = (values: readonly number[]) =>
    new Uint8Array(values.flatMap((value) => [value >> 8, value & 0xff]));
  const prefixed = (bytes: Uint8Array) => concat([shorts([bytes.length]), bytes]);
  const extension = (type: number, bytes: Uint8Array) => concat([shorts([type]), prefixed(bytes)]);
  const extensions = concat([
    extension(10, prefixed(shorts(GROUPS))),
    extension(11, Uint8Array.of(1, 0)),
    extension(13, prefixed(shorts(SIGNATURES))),
  ]);
  const body = concat([
    shorts([0x0303]),
    random.subarray(0, 28),
    blankLine,
    Uint8Array.of(0),
    prefixed(shorts(SUITES)),
    Uint8Array.of(1, 0),
    prefixed(extensions),
  ]);
  const handshake = concat([Uint8Array.of(1, 0), shorts([body.length]), body]);
  return concat([Uint8Array.of(0x16, 0x03, 0x01), prefixed(handshake)]);
}
