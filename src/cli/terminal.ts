/*
 * Words on the terminal: results to stdout, everything else to stderr, and one line that shows progress.
 *
 * Text that came from the network or a file name is escaped before it gets here. A reader that goes away (`| head`) is no
 * error.
 */

const encoder = new TextEncoder();

/** Writes a line to stdout. */
export function printLine(text = ""): void {
  writeAll(Deno.stdout, `${text}\n`);
}

/** Writes a line to stderr. */
export function warnLine(text: string): void {
  writeAll(Deno.stderr, `${text}\n`);
}

/** Writes a value as JSON to stdout. */
export function printJson(value: unknown): void {
  // JSON leaves these as they are; a terminal may obey them.
  const text = JSON.stringify(value, null, 2).replace(
    /[\x7f-\x9f\u2028\u2029\p{Bidi_C}]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  printLine(text);
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = encoder.encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe) && !isBrokenOnWindows(error)) throw error;
  }
}

/** Windows has names of its own for a pipe whose reader has gone: ERROR_NO_DATA and ERROR_PIPE_NOT_CONNECTED. */
function isBrokenOnWindows(error: unknown): boolean {
  return error instanceof Error && /\(os error 23[23]\)/.test(error.message);
}

/** Columns of text, left aligned, two spaces apart. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, n) => widths[n] = Math.max(widths[n] ?? 0, cell.length));
  }
  return rows.map((row) =>
    row.map((cell, n) => n === row.length - 1 ? cell : cell.padEnd(widths[n] ?? 0)).join("  ")
  );
}

const UNITS = ["bytes", "KB", "MB", "GB", "TB"];

/** Bytes in words, decimal units: `526.3 KB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** A length of time in words: `2 d 3 h`, `5 min 12 s`, `0.4 s`. */
export function formatDuration(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  return parts.slice(first, first + 2).map(([count, unit]) => `${count} ${unit}`).join(" ");
}

/** A line that is drawn over and over on a terminal, and now and then where the output is none. */
export class ProgressLine {
  readonly #isTerminal = Deno.stderr.isTerminal();
  readonly #everyMs = this.#isTerminal ? 100 : 2000;
  #drawnAt = 0;
  #drawn = "";

  /** Shows the state, if it is time to. */
  update(text: () => string): void {
    const now = performance.now();
    if (now - this.#drawnAt < this.#everyMs) return;
    this.#drawnAt = now;
    this.#draw(text());
  }

  /** Shows the last state and leaves it there. */
  finish(text: string): void {
    this.#draw(text);
    if (this.#isTerminal) writeAll(Deno.stderr, "\n");
  }

  #draw(text: string): void {
    if (text === this.#drawn) return;
    this.#drawn = text;
    writeAll(Deno.stderr, this.#isTerminal ? `\r\x1b[2K${text}` : `${text}\n`);
  }
}

/** `[#########-----------]`, for a share of 0 to 1. */
export function bar(share: number, width = 24): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return `[${"#".repeat(full)}${"-".repeat(width - full)}]`;
}
