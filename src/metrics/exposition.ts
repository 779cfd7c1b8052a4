/*
 * Prometheus' text exposition format, version 0.0.4.
 *
 * Pure. Written here and not by prom-client, whose CommonJS modules the compiler of the executable does not survive; a test
 * holds what is written to what that library writes.
 */

import type { Family, Sample } from "./family.ts";

/** Of the answer to a scrape. */
export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** All families as one text. */
export function expose(families: Iterable<Family>): string {
  const parts: string[] = [];
  for (const family of families) {
    const { name, help, type } = family;
    parts.push(`# HELP ${name} ${escaped(help, /[\\\n]/g)}\n# TYPE ${name} ${type}\n`);
    for (const sample of family.samples()) parts.push(line(name, sample));
  }
  return parts.join("");
}

function line(family: string, { metricName = family, labels, value }: Sample): string {
  const pairs = Object.entries(labels)
    .map(([label, text]) => `${label}="${escaped(text, /[\\\n"]/g)}"`);
  return `${metricName}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${number(value)}\n`;
}

function escaped(text: string, what: RegExp): string {
  return text.replace(what, (character) => character === "\n" ? "\\n" : `\\${character}`);
}

function number(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}
