/*
 * Words for alarms: times, lengths, and what destinations said, without patient data.
 *
 * Pure. Texts are for a person who reads them in a mail or a log: local time, whole sentences.
 */

/** A local time to the minute: `2026-11-23 14:05`. */
export function timeText(at: number): string {
  const date = new Date(at);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** A length of time: `5 minutes`, `3 hours`, `2 days`. */
export function lengthText(ms: number): string {
  const minutes = Math.max(0, Math.round(ms / 60_000));
  if (minutes < 1) return "less than a minute";
  if (minutes < 120) return counted(minutes, "minute");
  const hours = Math.round(minutes / 60);
  return hours < 48 ? counted(hours, "hour") : counted(Math.round(hours / 24), "day");
}

/** `1 image`, `20 images`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** Bytes: `1.5 GB`, powers of 1000. */
export function bytesText(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

const LONGEST_REASON = 300;

/**
 * What a destination said, on one line. A peer's own comment, which stands behind the status of an answer, and paths, which
 * have patient IDs in them, are left out unless they may be told.
 *
 * @param said as delivery tells it: `Refused: Cannot understand (C000): NAME OF A PATIENT`
 */
export function reasonText(said: string, patientData: boolean): string {
  let text = said;
  if (!patientData) {
    text = text.replace(/(\((?:0x)?[0-9A-F]{4}\)):.*$/is, "$1");
    text = text.replace(/(\(os error \d+\)).*$/is, "$1");
    text = text.replace(/\s*(?:\bas\s+)?(?:[^\s:]*[/\\]|[A-Za-z]:[/\\]).*$/s, "");
  }
  text = text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_C}\s]+/gu, " ").trim().replace(/[.:,;]+$/, "");
  return text.length <= LONGEST_REASON ? text : `${text.slice(0, LONGEST_REASON)}...`;
}
