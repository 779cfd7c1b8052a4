/*
 * How a log record reads: one line each, always, whatever the network has put into it.
 *
 *     2026-11-23 14:05:09.123 INFO  receiver  Instance received  sop=1.2.3 study="1.2 x"
 *
 * First the sentence, then what the sentence did not say, as key=value. Owns the escaping of foreign text; decides
 * neither what is logged nor where it goes. Formatting never fails: a value that cannot be shown says so.
 */

import type { LogLevel, LogRecord } from "@logtape/logtape";

/**
 * What must not reach a terminal or a log as it is: control characters (C0, DEL, C1), line and paragraph separators,
 * bidirectional controls, the byte order mark, lone surrogates, and the backslash that begins an escape.
 */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_C}\p{Cs}\ufeff\\]/u;
const EVERY_UNSAFE = new RegExp(UNSAFE.source, "gu");

const LONGEST_MESSAGE = 4096;
const LONGEST_VALUE = 1024;
const LONGEST_KEY = 64;
/** Templates are the program's own constants; the limit is for the one that a caller made up as it went. */
const MOST_TEMPLATES = 2000;

const LEVEL_NAMES: Readonly<Record<LogLevel, string>> = {
  trace: "TRACE",
  debug: "DEBUG",
  info: "INFO ",
  warning: "WARN ",
  error: "ERROR",
  fatal: "FATAL",
};

/**
 * Makes any text safe to show on one line; it can be read back without doubt, as the backslash is doubled.
 *
 * @param text anything, also what came from the network
 * @param maxLength UTF-16 units of `text` that are kept; the rest becomes a mark with its length
 */
export function escapeText(text: string, maxLength = 256): string {
  if (text.length > maxLength) {
    const kept = splitsPair(text, maxLength) ? maxLength - 1 : maxLength;
    return `${escapeText(text.slice(0, kept), maxLength)}...(${text.length - kept} more)`;
  }
  return UNSAFE.test(text) ? text.replace(EVERY_UNSAFE, escapeChar) : text;
}

function splitsPair(text: string, at: number): boolean {
  const before = text.charCodeAt(at - 1);
  const after = text.charCodeAt(at);
  return before >= 0xd800 && before < 0xdc00 && after >= 0xdc00 && after < 0xe000;
}

function escapeChar(char: string): string {
  if (char === "\\") return "\\\\";
  const code = char.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
}

/** Turns records into lines. Keeps what is the same for many records: the second's text, a template's keys. */
export class LineFormatter {
  readonly #json: boolean;
  readonly #skip: number;
  readonly #templates = new Map<string, ReadonlySet<string>>();
  #second = NaN;
  #secondText = "";
  #day = "";

  /**
   * @param options.json lines are JSON objects instead of sentences
   * @param options.skip leading category names that every record has and no line shows
   */
  constructor(options: { readonly json: boolean; readonly skip: number }) {
    this.#json = options.json;
    this.#skip = options.skip;
  }

  /** The record as one line, with its line feed. */
  format(record: LogRecord): string {
    return (this.#json ? this.#jsonLine(record) : this.#textLine(record)) + "\n";
  }

  /** Local date of a time (ms since 1970) as YYYYMMDD. */
  day(timestamp: number): string {
    this.#turnTo(timestamp);
    return this.#day;
  }

  #textLine(record: LogRecord): string {
    const time = this.#time(record.timestamp);
    const category = this.#category(record).padEnd(9);
    let line = `${time} ${LEVEL_NAMES[record.level]} ${category} ${messageText(record)}`;
    const said = this.#keysIn(record.rawMessage);
    let gap = "  ";
    for (const key in record.properties) {
      const value = record.properties[key];
      if (value === undefined || said.has(key)) continue;
      line += `${gap}${keyText(key)}=${quoted(valueText(value))}`;
      gap = " ";
    }
    return line;
  }

  #jsonLine(record: LogRecord): string {
    const line: Record<string, unknown> = {
      time: new Date(record.timestamp).toISOString(),
      level: record.level,
      category: this.#category(record),
      message: messageText(record),
    };
    for (const key in record.properties) {
      const value = record.properties[key];
      const plain = value === null || ["number", "boolean", "undefined"].includes(typeof value);
      line[key in line ? `_${key}` : escapeText(key, LONGEST_KEY)] = plain
        ? value
        : valueText(value);
    }
    return JSON.stringify(line);
  }

  #category(record: LogRecord): string {
    return escapeText(record.category.slice(this.#skip).join("."), LONGEST_KEY);
  }

  #time(timestamp: number): string {
    this.#turnTo(timestamp);
    const ms = Math.floor(timestamp) % 1000;
    return this.#secondText + (ms < 10 ? ".00" : ms < 100 ? ".0" : ".") + ms;
  }

  #turnTo(timestamp: number): void {
    const second = Math.floor(timestamp / 1000);
    if (second === this.#second) return;
    const at = new Date(second * 1000);
    const [month, day] = [two(at.getMonth() + 1), two(at.getDate())];
    this.#second = second;
    this.#day = `${at.getFullYear()}${month}${day}`;
    this.#secondText = `${at.getFullYear()}-${month}-${day} ` +
      `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  }

  /** Names of the properties that the sentence shows already. */
  #keysIn(template: LogRecord["rawMessage"]): ReadonlySet<string> {
    if (typeof template !== "string") return new Set();
    let keys = this.#templates.get(template);
    if (keys === undefined) {
      if (this.#templates.size >= MOST_TEMPLATES) this.#templates.clear();
      const found = template.replaceAll("{{", "").matchAll(/\{([^{}]*)\}/g);
      keys = new Set(Array.from(found, (match) => match[1]!.trim()));
      this.#templates.set(template, keys);
    }
    return keys;
  }
}

function two(number: number): string {
  return number < 10 ? `0${number}` : String(number);
}

/** Odd places of `message` are values, even ones the program's own words. */
function messageText(record: LogRecord): string {
  let text = "";
  for (let i = 0; i < record.message.length; i++) {
    const part = record.message[i];
    text += i % 2 === 0 ? escapeText(String(part), LONGEST_MESSAGE) : valueText(part);
  }
  return text;
}

function keyText(key: string): string {
  return /^[\w.-]{1,64}$/.test(key) ? key : escapeText(key, LONGEST_KEY).replace(/[\s="]/gu, "_");
}

/** An escaped value, quoted where a reader could not tell its end. */
function quoted(text: string): string {
  if (text !== "" && !/[\s="]/.test(text)) return text;
  return `"${text.replaceAll('"', '\\"')}"`;
}

/** Any value as escaped text of limited length. */
function valueText(value: unknown): string {
  switch (typeof value) {
    case "string":
      return escapeText(value, LONGEST_VALUE);
    case "number":
    case "boolean":
    case "bigint":
    case "undefined":
      return String(value);
    default:
      return escapeText(objectText(value), LONGEST_VALUE);
  }
}

function objectText(value: unknown): string {
  try {
    if (value instanceof Error) return errorText(value);
    if (value instanceof Date) return value.toISOString();
    if (ArrayBuffer.isView(value)) return `<${value.byteLength} bytes>`;
    if (Array.isArray(value) && value.every((each) => typeof each !== "object")) {
      return value.join(",");
    }
    return JSON.stringify(value) ?? String(value);
  } catch (error) {
    return `<cannot be shown: ${error instanceof Error ? error.message : "unknown"}>`;
  }
}

/** What went wrong and why, down the chain of causes; for a fault of the program also where. */
function errorText(error: Error): string {
  let text = `${error.name}: ${error.message}`;
  if (
    error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError
  ) {
    const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
    if (frames.length > 0) text += ` (${frames.slice(0, 3).map((line) => line.trim()).join(", ")})`;
  }
  let cause = error.cause;
  for (let depth = 0; cause instanceof Error && depth < 5; depth++, cause = cause.cause) {
    text += `; because ${cause.name}: ${cause.message}`;
  }
  return text;
}
