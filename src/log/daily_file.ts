/*
 * The log files on disk: one a local day, lines appended in batches, old days removed.
 *
 * Owns `dicom_forwarder_YYYYMMDD.log` in one folder. The forwarder's work never waits for it and never fails by it:
 * writes run beside the caller, are not synced, and at most one is under way. What cannot be written (volume full, share
 * gone) is kept up to a limit and tried again each second; beyond the limit lines are dropped and counted. Both the
 * begin and the end of such a time are told on stderr, the end with that number also in the file.
 *
 * A file is opened for each batch and closed behind it, so it can be moved, copied or deleted at any time.
 */

import { join } from "node:path";

/** Longest time a line waits for others, ms. */
const BATCH_MS = 1000;
/** Lines waiting, in UTF-16 units, that are written without waiting for the timer. */
const BATCH_SIZE = 64 * 1024;
/** Lines waiting, in UTF-16 units, beyond which new ones are dropped: minutes of a volume that takes none. */
const MAX_WAITING = 16 * 1024 * 1024;

/** For nobody else on the machine: logs may name patients. A folder that somebody else made stays as it is. */
const FILE_MODE = 0o600;
const FOLDER = { recursive: true, mode: 0o700 } as const;

const FILE_NAME = /^dicom_forwarder_([0-9]{4})([0-9]{2})([0-9]{2})\.log$/;
const DAY_MS = 86_400_000;

export interface DailyFileOptions {
  readonly dir: string;
  /** A file is removed when its day is more than so many days before the day that is written. */
  readonly retentionDays: number;
  /** Tells a person what is wrong with the log itself; must not throw. */
  readonly report: (text: string) => void;
  /** Makes a line of the log's own, for the number of lines dropped. */
  readonly notice: (text: string) => string;
  /** Lines waiting, in UTF-16 units, beyond which new ones are dropped. */
  readonly maxWaiting?: number;
}

/** Lines of one day, and their bytes not yet written once a write has begun. */
interface Batch {
  readonly day: string;
  text: string;
  lines: number;
  rest: Uint8Array | null;
}

/** Name of the file for a day given as YYYYMMDD. */
export function logFileName(day: string): string {
  return `dicom_forwarder_${day}.log`;
}

/**
 * Names of the log files that are too old on `today` (YYYYMMDD). Decided by the date in the name alone; other names,
 * and dates that do not exist, are nobody's log.
 */
export function outdated(names: Iterable<string>, today: string, retentionDays: number): string[] {
  const now = dayNumber(logFileName(today));
  return [...names].filter((name) => {
    const day = dayNumber(name);
    return now !== null && day !== null && now - day > retentionDays;
  });
}

/** Days since 1970 of a log file's name, null where it is not one. */
function dayNumber(name: string): number | null {
  const parts = FILE_NAME.exec(name);
  if (parts === null) return null;
  const [year, month, day] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 ? date.getTime() / DAY_MS : null;
}

export class DailyFile {
  readonly #options: DailyFileOptions;
  readonly #maxWaiting: number;
  #batches: Batch[] = [];
  #waiting = 0;
  #hasUrgent = false;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #running: Promise<void> | null = null;
  #trouble: string | null = null;
  #dropped = 0;
  #today = "";
  #retentionDays: number;

  constructor(options: DailyFileOptions) {
    this.#options = options;
    this.#retentionDays = options.retentionDays;
    this.#maxWaiting = options.maxWaiting ?? MAX_WAITING;
  }

  /** Files are kept for another number of days, from the next look at them on, once a day. */
  keepFor(days: number): void {
    this.#retentionDays = days;
  }

  /**
   * Takes a line; never waits and never throws.
   *
   * @param day local day of the line, YYYYMMDD
   * @param line with its line feed
   * @param urgent begin to write now rather than within a second
   */
  append(day: string, line: string, urgent: boolean): void {
    if (this.#waiting + line.length > this.#maxWaiting) {
      this.#dropped++;
    } else this.#take(day, line, urgent);
  }

  #take(day: string, line: string, urgent: boolean): void {
    this.#waiting += line.length;
    const last = this.#batches.at(-1);
    if (last?.day === day && last.rest === null) {
      last.text += line;
      last.lines++;
    } else this.#batches.push({ day, text: line, lines: 1, rest: null });
    if (this.#trouble === null && (urgent || this.#waiting >= BATCH_SIZE)) {
      this.#hasUrgent = true;
      this.#start();
    } else this.#startLater();
  }

  /** Writes what is waiting; resolves when it is written or has failed once more. */
  async flush(): Promise<void> {
    // What is under way may have begun before the last line came, so one more round follows it.
    await this.#idle();
    this.#start();
    await this.#idle();
  }

  /** Flushes and tells on stderr how many lines are lost, if any. */
  async close(): Promise<void> {
    await this.flush();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const lost = this.#batches.reduce((sum, batch) => sum + batch.lines, this.#dropped);
    this.#batches = [];
    this.#waiting = this.#dropped = 0;
    if (lost > 0) {
      this.#options.report(`${lost} log lines were never written to ${this.#options.dir}.`);
    }
  }

  /**
   * For the last moment of a process only: writes what is waiting before it returns, as far as that is possible. A write
   * that is under way may still happen, so its lines can be there twice: better than not at all.
   */
  flushAtExit(): void {
    for (const batch of this.#batches) {
      const bytes = batch.rest ?? new TextEncoder().encode(batch.text);
      try {
        Deno.mkdirSync(this.#options.dir, FOLDER);
        Deno.writeFileSync(this.#path(batch.day), bytes, { append: true, mode: FILE_MODE });
      } catch {
        // Nobody is left to be told: the process is ending, and stderr has had the reason if there was time.
        return;
      }
    }
    this.#batches = [];
  }

  async #idle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  #path(day: string): string {
    return join(this.#options.dir, logFileName(day));
  }

  #startLater(): void {
    if (this.#timer !== null) return;
    const timer = setTimeout(() => {
      this.#timer = null;
      this.#start();
    }, BATCH_MS);
    Deno.unrefTimer(timer);
    this.#timer = timer;
  }

  #start(): void {
    if (this.#running !== null || this.#batches.length === 0) return;
    this.#running = this.#run().finally(() => {
      this.#running = null;
      if (this.#hasUrgent && this.#trouble === null) this.#start();
      else if (this.#batches.length > 0) this.#startLater();
    });
  }

  async #run(): Promise<void> {
    do {
      this.#hasUrgent = false;
      if (!await this.#writeWaiting()) return;
    } while (this.#hasUrgent);
  }

  /** Writes the batches there are now; false where that failed. */
  async #writeWaiting(): Promise<boolean> {
    for (const batch of [...this.#batches]) {
      try {
        await this.#write(batch);
      } catch (error) {
        this.#fail(error, batch);
        return false;
      }
      this.#batches.shift();
      this.#waiting -= batch.text.length;
      if (batch.day !== this.#today) await this.#removeOld(batch.day);
    }
    this.#recover();
    return true;
  }

  async #write(batch: Batch): Promise<void> {
    batch.rest ??= new TextEncoder().encode(batch.text);
    using file = await this.#open(this.#path(batch.day));
    while (batch.rest.length > 0) batch.rest = batch.rest.subarray(await file.write(batch.rest));
  }

  async #open(path: string): Promise<Deno.FsFile> {
    const options = { append: true, create: true, mode: FILE_MODE };
    try {
      return await Deno.open(path, options);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      await Deno.mkdir(this.#options.dir, FOLDER);
      return await Deno.open(path, options);
    }
  }

  #fail(error: unknown, batch: Batch): void {
    const reason = error instanceof Error ? error.message : String(error);
    if (this.#trouble !== null) return;
    this.#trouble = reason;
    this.#options.report(
      `The log file ${this.#path(batch.day)} cannot be written: ${reason}. ` +
        "Forwarding goes on; writing is tried again every second.",
    );
  }

  #recover(): void {
    if (this.#trouble === null && this.#dropped === 0) return;
    const reason = this.#trouble ?? "the volume was too slow";
    const missing = this.#dropped === 0 ? "no line is" : `${this.#dropped} lines are`;
    const text = `The log could not be written for a while (${reason}): ${missing} missing here.`;
    this.#trouble = null;
    this.#dropped = 0;
    this.#options.report(text);
    // Past the limit, which may be what it has to tell of.
    this.#take(this.#today, this.#options.notice(text), true);
  }

  async #removeOld(today: string): Promise<void> {
    this.#today = today;
    const { dir, notice } = this.#options;
    try {
      const names = await Array.fromAsync(
        Deno.readDir(dir),
        (entry) => entry.isFile ? entry.name : "",
      );
      const removals = outdated(names, today, this.#retentionDays).map((name) =>
        Deno.remove(join(dir, name))
      );
      // One that somebody reads keeps none of the others.
      await Promise.allSettled(removals);
      await Promise.all(removals);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const text = `Old log files in ${dir} cannot be removed: ${reason}. Tried again tomorrow.`;
      this.#take(today, notice(text), true);
    }
  }
}
