/*
 * Logging for the whole program: set up once, used everywhere through getLog().
 *
 * Before configureLogging() and after closeLogging() all logging is silent. A record is formatted once and handed to the
 * log file and to stderr, neither of which can make the caller wait or fail. What may be logged (patient identification)
 * is decided where it is logged.
 */

import {
  configureSync,
  getConfig,
  getLogger,
  type Logger,
  type LogRecord,
  reset,
  type Sink,
} from "@logtape/logtape";
import { ConsoleLines } from "./log/console.ts";
import { DailyFile } from "./log/daily_file.ts";
import { LineFormatter } from "./log/line.ts";

export { escapeText } from "./log/line.ts";

/** Apart from what other libraries log under names of their own. */
const ROOT = "dicom-forwarder";

/** Where the level stands in a line, behind "2026-11-23 14:05:09.123 ". */
const LEVEL_AT = 24;
const LEVEL_END = LEVEL_AT + 5;
const COLOURS: Readonly<Record<string, string>> = {
  debug: "\x1b[2m",
  info: "\x1b[32m",
  warning: "\x1b[33m",
  error: "\x1b[31m",
};

/** The library knows two more levels than we use. */
const LEVELS = {
  trace: "debug",
  debug: "debug",
  info: "info",
  warning: "warning",
  error: "error",
  fatal: "error",
} as const satisfies Record<LogRecord["level"], string>;

/** Longest time closing waits for a disk or terminal that does not take the last lines, ms. */
const CLOSE_MS = 5000;

export interface LoggingOptions {
  /** Folder of the daily files; made when missing; null = no files. */
  readonly dir: string | null;
  readonly level: "debug" | "info" | "warning" | "error";
  readonly retentionDays: number;
  /** Also to stderr; in colour where it is a terminal and NO_COLOR is not set. */
  readonly console: boolean;
  /** One JSON object a line instead of sentences. */
  readonly json?: boolean;
}

/**
 * Starts logging, or starts anew with other options. A folder that cannot be written is told on stderr and tried again:
 * it is no reason not to run.
 */
export async function configureLogging(options: LoggingOptions): Promise<void> {
  await closeLogging();
  const output = new LogOutput(options);
  const sink = Object.assign((record: LogRecord) => output.take(record), {
    output,
    // The library's mark of sinks that format at once, so that it need not copy each record for them.
    [Symbol.for("LogTape.sinkSnapshotPolicy.immediate")]: true,
  });
  install(sink, options.level);
}

/** Goes on with another level and retention, in the same file and without losing a line. Nothing where all is silent. */
export function adjustLogging(
  { level, retentionDays }: Pick<LoggingOptions, "level" | "retentionDays">,
): void {
  const sink = installed();
  if (sink === undefined) return;
  sink.output.keepFor(retentionDays);
  install(sink, level);
}

/** Writes what is waiting and falls silent. Takes 5 s at most; to be called before the process ends. */
export async function closeLogging(): Promise<void> {
  await installed()?.output.close();
  await reset();
}

/** The library keeps it: whoever closes or adjusts finds it there. */
type OutputSink = Sink & { readonly output: LogOutput };

/** Synchronous, so that no record falls between two configurations. */
function install(sink: OutputSink, level: LoggingOptions["level"]): void {
  configureSync({
    reset: true,
    sinks: { output: sink },
    loggers: [
      { category: ROOT, sinks: ["output"], lowestLevel: level },
      { category: ["logtape", "meta"], sinks: ["output"], lowestLevel: "warning" },
    ],
  });
}

function installed(): OutputSink | undefined {
  const sink = getConfig()?.sinks.output;
  return sink !== undefined && "output" in sink ? sink as OutputSink : undefined;
}

/**
 * The logger of a part of the program: `getLog("receiver")`. May be taken before logging is configured.
 *
 * A message is a sentence with named values, `log.info("Association from {callingAe}", { callingAe, host })`; properties
 * the sentence does not name follow it as key=value.
 */
export function getLog(...category: string[]): Logger {
  return getLogger([ROOT, ...category]);
}

/**
 * Told of each line: when (ms since 1970), its level, and its text as the file has it, without time, level and line feed.
 */
export type LogListener = (
  at: number,
  level: "debug" | "info" | "warning" | "error",
  text: string,
) => void;

/** As logging itself, for the whole program and whatever it is configured to. */
const listeners = new Set<LogListener>();

/** Tells of every line from now on, until the returned function is called. A listener must not throw, nor log. */
export function listenToLog(listener: LogListener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

class LogOutput {
  readonly #lines: LineFormatter;
  /** For listeners: lines as sentences, whatever the file gets. */
  readonly #sentences: LineFormatter;
  readonly #file: DailyFile | null;
  readonly #stderr: ConsoleLines;
  readonly #toConsole: boolean;
  readonly #coloured: boolean;
  readonly #exit = new AbortController();

  constructor(options: LoggingOptions) {
    const { dir, retentionDays, json = false } = options;
    this.#lines = new LineFormatter({ json, skip: 1 });
    this.#sentences = json ? new LineFormatter({ json: false, skip: 1 }) : this.#lines;
    this.#stderr = new ConsoleLines((reason) =>
      this.#note(`Nothing can be shown on stderr: ${reason}`)
    );
    const report = (text: string) => this.#stderr.append(this.#lines.format(own("warning", text)));
    const notice = (text: string) => this.#lines.format(own("warning", text));
    this.#file = dir === null ? null : new DailyFile({ dir, retentionDays, report, notice });
    this.#toConsole = options.console;
    this.#coloured = !json && Deno.stderr.isTerminal() && !Deno.env.get("NO_COLOR");
    const { signal } = this.#exit;
    const flush = () => this.#file?.flushAtExit();
    const crash = (error: unknown) => {
      const stack = error instanceof Error ? error.stack : undefined;
      this.take(own("error", "An error that nothing has handled", { error, stack }));
      flush();
    };
    globalThis.addEventListener("unload", flush, { signal });
    globalThis.addEventListener("error", (event) => crash(event.error), { signal });
    globalThis.addEventListener("unhandledrejection", (event) => crash(event.reason), { signal });
  }

  take(record: LogRecord): void {
    const line = this.#lines.format(record);
    const urgent = record.level === "warning" || record.level === "error" ||
      record.level === "fatal";
    this.#file?.append(this.#lines.day(record.timestamp), line, urgent);
    if (this.#toConsole) this.#stderr.append(this.#coloured ? coloured(line, record.level) : line);
    if (listeners.size > 0) this.#tell(record, line);
  }

  #tell(record: LogRecord, line: string): void {
    const sentence = this.#sentences === this.#lines ? line : this.#sentences.format(record);
    const text = sentence.slice(LEVEL_END + 1, -1);
    const level = LEVELS[record.level];
    for (const listener of listeners) listener(record.timestamp, level, text);
  }

  keepFor(retentionDays: number): void {
    this.#file?.keepFor(retentionDays);
  }

  async close(): Promise<void> {
    const written = (async () => {
      await this.#file?.close();
      await this.#stderr.flush();
    })();
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, CLOSE_MS);
    await Promise.race([written, late.promise]);
    clearTimeout(timer);
    this.#exit.abort();
  }

  #note(text: string): void {
    const record = own("warning", text);
    this.#file?.append(this.#lines.day(record.timestamp), this.#lines.format(record), true);
  }
}

function coloured(line: string, level: LogRecord["level"]): string {
  const colour = COLOURS[level] ?? COLOURS.error;
  return line.slice(0, LEVEL_AT) + colour + line.slice(LEVEL_AT, LEVEL_END) + "\x1b[0m" +
    line.slice(LEVEL_END);
}

/** A record that comes from here rather than from a logger. */
function own(
  level: LogRecord["level"],
  text: string,
  properties: LogRecord["properties"] = {},
): LogRecord {
  const timestamp = Date.now();
  return {
    category: [ROOT, "log"],
    level,
    message: [text],
    rawMessage: text,
    timestamp,
    properties,
  };
}
