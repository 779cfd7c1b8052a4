/*
 * The status as lines for a terminal.
 *
 * Pure: the same status and the same terminal give the same lines. Nothing is said by colour alone. No line is wider than
 * the terminal; what is longer is broken between words.
 */

import { join } from "node:path";
import type { Config } from "../config/load.ts";
import { AGE_WORDS } from "../control/ages.ts";
import { escapeText } from "../log.ts";
import { type DestinationStatus, type Rates, stateInWords, type Status } from "./status_facts.ts";
import { bar, formatBytes, formatDuration } from "./terminal.ts";

/** How the terminal is. */
export interface Look {
  /** Columns; Infinity where the output is none. */
  readonly width: number;
  readonly colour: boolean;
}

const COLOURS = { red: 31, green: 32, yellow: 33, bold: 1, dim: 2 } as const;
type Colour = keyof typeof COLOURS;

/** Narrowest terminal that is laid out for, and widest bar, in columns. */
const LEAST_WIDTH = 40;
const BAR = 16;

/** The whole screen. */
export function statusScreen(
  status: Status,
  config: Pick<Config, "spoolDir" | "minimumFreeSpace" | "localAeTitle">,
  look: Look,
): string[] {
  return [
    ...headLines(status, config, look),
    "",
    ...destinationLines(status.destinations, look),
    ...ageLines(status.destinations, look),
    ...alarmLines(status, look),
  ];
}

/** In one line, for a file or a pipe that is written to again and again. */
export function statusLine(status: Status, now: Date): string {
  const sum = (of: (one: DestinationStatus) => number) =>
    status.destinations.reduce((total, one) => total + of(one), 0);
  const oldest = Math.max(...status.destinations.map(({ oldestMs }) => oldestMs ?? 0), 0);
  const { rates } = status;
  return [
    now.toISOString(),
    status.running ? "running" : "NOT RUNNING",
    `queued=${sum(({ queued }) => queued)}`,
    `oldest=${Math.round(oldest / 1000)}s`,
    `failed=${sum(({ failed }) => failed)}`,
    `held=${sum(({ held }) => held)}`,
    ...(rates === null ? [] : [
      `in=${rates.receivedInstances.toFixed(1)}/s`,
      `out=${rates.deliveredInstances.toFixed(1)}/s`,
    ]),
    ...status.destinations
      .filter(({ state }) => state !== "up" && state !== null)
      .map((one) => `${one.name}=${(one.state ?? "").toUpperCase()}`),
    ...(status.alarms.length === 0 ? [] : [`alarms=${status.alarms.length}`]),
  ].join(" ");
}

function headLines(
  status: Status,
  config: Pick<Config, "spoolDir" | "minimumFreeSpace" | "localAeTitle">,
  look: Look,
): string[] {
  const { freeBytes, corrupt, missing, putBack, running, rates, refuses } = status;
  const lines: string[] = [];
  const add = (label: string, text: string, colour?: Colour) =>
    lines.push(...labelled(label, text, look, colour));
  add(
    "Forwarder",
    running ? `running${runningMore(status, config.localAeTitle)}` : "NOT RUNNING",
    running ? "green" : "red",
  );
  add("Spool", escapeText(config.spoolDir, 1024));
  if (freeBytes !== null) {
    const low = freeBytes < config.minimumFreeSpace;
    const more = low ? "  TOO LITTLE: nothing new is accepted (minimum_free_space)" : "";
    add("Free space", `${formatBytes(freeBytes)}${more}`, low ? "red" : undefined);
  }
  if (refuses !== null) add("REFUSES", escapeText(refuses, 512), "red");
  if (rates !== null) {
    add("In", rate(rates.receivedInstances, rates.receivedBytes, rates));
    add("Out", rate(rates.deliveredInstances, rates.deliveredBytes, rates));
  }
  if (corrupt > 0) {
    add("CORRUPT", `${corrupt} damaged files in ${join(config.spoolDir, "corrupt")}`, "red");
  }
  if (missing !== null && missing > 0) {
    add("MISSING", `${missing}: accepted, and not accounted for; \`verify\` names them`, "red");
  }
  if (running && missing === null) {
    add(
      "MISSING",
      "not known: the forwarder has not read its ledger yet; `verify` does",
      "yellow",
    );
  }
  if (putBack > 0) add("Put back", `${putBack}, not yet in the queue`);
  if (status.configuration !== null) {
    add("CONFIG", escapeText(status.configuration, 2048), "yellow");
  }
  return lines;
}

function runningMore({ uptimeMs, associations }: Status, aeTitle: string): string {
  const parts: string[] = [];
  if (uptimeMs !== null) parts.push(` as ${aeTitle} for ${formatDuration(uptimeMs)}`);
  if (associations !== null) {
    parts.push(`${associations} association${associations === 1 ? "" : "s"} in`);
  }
  return parts.join(", ");
}

function rate(instances: number, bytes: number, { overMs }: Rates): string {
  return `${instances.toFixed(1)} images/s, ${formatBytes(Math.round(bytes))}/s (last ${
    Math.round(overMs / 1000)
  } s)`;
}

function labelled(label: string, text: string, look: Look, colour?: Colour): string[] {
  const [first = "", ...rest] = wrap(text, usable(look) - 12);
  return [
    `${label.padEnd(12)}${painted(first, colour, look)}`,
    ...rest.map((line) => `${" ".repeat(12)}${painted(line, colour, look)}`),
  ];
}

function destinationLines(destinations: readonly DestinationStatus[], look: Look): string[] {
  const most = Math.max(...destinations.map(({ queued }) => queued), 0);
  const cells = destinations.map((one) => [
    one.name,
    String(one.queued),
    one.oldestMs === null ? "-" : formatDuration(one.oldestMs),
    String(one.failed),
    String(one.held),
  ]);
  const head = ["destination", "queued", "oldest", "failed", "held"];
  const widths = head.map((title, n) =>
    Math.max(title.length, ...cells.map((row) => row[n]!.length))
  );
  const columns = widths.reduce((sum, width) => sum + width + 2, 0);
  const state = (one: DestinationStatus) => stateInWords(one) || one.health;
  if (columns > usable(look)) {
    return destinations.flatMap((one, n) => narrow(one, cells[n]!, state(one), look));
  }
  const widestState = Math.max(5, ...destinations.map((one) => state(one).length));
  // The bar is what goes where there is no room for it.
  const room = usable(look) - columns - widestState - 4;
  const barWidth = most === 0 ? 0 : Math.min(BAR, room);
  const withBar = barWidth >= 4;
  const row = (texts: readonly string[], bars: string, last: string) => {
    const [name = "", queued = "", ...others] = texts.map((text, n) => text.padEnd(widths[n]!));
    return [name, queued, ...(withBar ? [bars] : []), ...others, last].join("  ").trimEnd();
  };
  const title = row(head, withBar ? " ".repeat(barWidth + 2) : "", "state");
  const lines = [title.length <= usable(look) ? title : row(head, "", "")];
  for (const [n, one] of destinations.entries()) {
    const bars = withBar ? bar(most === 0 ? 0 : one.queued / most, barWidth) : "";
    const words = state(one);
    const whole = row(cells[n]!, bars, words);
    const fits = whole.length <= usable(look);
    const shown = fits ? whole : row(cells[n]!, bars, "");
    lines.push(rowPainted(shown, fits ? words : "", one, look));
    if (!fits) lines.push(...indented(words, look, colourOf(one)));
    for (const more of moreOf(one)) lines.push(...indented(more, look));
  }
  return lines;
}

/**
 * How many wait that are so old: whether a burst comes through, or nobody attends to a backlog. Nothing where nothing waits,
 * or the terminal has no room.
 */
function ageLines(destinations: readonly DestinationStatus[], look: Look): string[] {
  // Those of which the study is waited for are not told as queued, and wait as well.
  const waiting = destinations.filter(({ ages }) => ages.some((count) => count > 0));
  const rows = [
    ["waiting for", ...AGE_WORDS],
    ...waiting.map((
      { name, ages },
    ) => [name, ...ages.map((count) => count === 0 ? "-" : `${count}`)]),
  ];
  const widths = rows[0]!.map((_, n) => Math.max(...rows.map((row) => row[n]!.length)));
  const lines = rows.map((row) =>
    row.map((text, n) => n === 0 ? text.padEnd(widths[n]!) : text.padStart(widths[n]!)).join("  ")
  );
  return waiting.length === 0 || lines[0]!.length > usable(look) ? [] : ["", ...lines];
}

/** Where a terminal has no room for columns. */
function narrow(
  one: DestinationStatus,
  [name = "", queued = "", oldest = "", failed = "", held = ""]: readonly string[],
  state: string,
  look: Look,
): string[] {
  const counts = `${queued} queued, oldest ${oldest}, ${failed} failed, ${held} held`;
  return [
    name,
    ...indented(state, look, colourOf(one)),
    ...indented(counts, look),
    ...moreOf(one).flatMap((more) => indented(more, look)),
  ];
}

/** Only the last cell has a colour: it is last, so that its width is no matter. */
function rowPainted(line: string, state: string, one: DestinationStatus, look: Look): string {
  if (state === "" || !line.endsWith(state)) return line;
  return line.slice(0, line.length - state.length) + painted(state, colourOf(one), look);
}

function colourOf({ state, failed }: DestinationStatus): Colour | undefined {
  if (state === "down" || state === "misconfigured") return "red";
  if (state === "paused" || failed > 0) return "yellow";
  return state === "up" ? "green" : undefined;
}

/** Why it is not up, and when it is tried again. */
function moreOf({ state, reason, nextAttemptMs, attempts }: DestinationStatus): string[] {
  if (state === null || state === "up") return [];
  const lines = reason === "" ? [] : [escapeText(reason, 512)];
  if (nextAttemptMs !== null && state !== "paused") {
    const tried = attempts > 0 ? `, ${attempts} failed attempt${attempts === 1 ? "" : "s"}` : "";
    lines.push(
      nextAttemptMs < 1000
        ? `next attempt now${tried}`
        : `next attempt in ${formatDuration(Math.round(nextAttemptMs / 1000) * 1000)}${tried}`,
    );
  }
  return lines;
}

function alarmLines({ alarms }: Status, look: Look): string[] {
  if (alarms.length === 0) return [];
  const lines = [""];
  for (const { severity, text } of alarms) {
    const critical = severity === "critical";
    lines.push(
      ...labelled(
        critical ? "ALARM" : "Warning",
        escapeText(text, 512),
        look,
        critical ? "red" : "yellow",
      ),
    );
  }
  return lines;
}

function indented(text: string, look: Look, colour?: Colour): string[] {
  return wrap(text, usable(look) - 4).map((line) => `    ${painted(line, colour, look)}`);
}

function usable({ width }: Look): number {
  return Math.max(LEAST_WIDTH, width);
}

function painted(text: string, colour: Colour | undefined, { colour: colours }: Look): string {
  return colours && colour !== undefined ? `\x1b[${COLOURS[colour]}m${text}\x1b[0m` : text;
}

/** Lines of at most so many characters, broken between words, and within one where it is longer than a line. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (let word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = "";
    } else if (line !== "") {
      line += ` ${word}`;
      continue;
    }
    for (; word.length > width; word = word.slice(width)) lines.push(word.slice(0, width));
    line = word;
  }
  return [...lines, line];
}
