/*
 * What the ledger says: one event a line, a JSON object each (`ledger/YYYYMMDD.jsonl`).
 *
 * Owns the lines' shape, in both directions. Pure. An instance is named by its `id`, the part of its name in the spool
 * that never changes; the SOP Instance UID is beside it, for people. A line that cannot be read is undefined, never a
 * guess: a crash may cut the last one short. An event that a version does not know is such a line to it: it is counted and
 * passed over, so one that closes a pair must never be added.
 */

/** An instance was received and is on the disk. */
export interface Accepted {
  readonly event: "accepted";
  readonly id: string;
  /** ISO 8601, UTC, as in all events. */
  readonly at: string;
  readonly sop: string;
  readonly class: string;
  readonly syntax: string;
  readonly study: string;
  /** Calling AE title of the sender. */
  readonly from: string;
  /** `host:port` of the sender; absent where the instance was found at a start. */
  readonly peer?: string;
  /** Of the data set. */
  readonly bytes: number;
  /** CRC-32 of the data set, eight hexadecimal digits. */
  readonly crc32: string;
  /** Destinations, by name. */
  readonly for: readonly string[];
  /** When it was received, where a start found it in the spool and no line of it: `at` is then when it was found. */
  readonly received?: string;
}

/** A destination has it. */
export interface Delivered {
  readonly event: "delivered";
  readonly id: string;
  readonly at: string;
  readonly to: string;
  readonly sop: string;
  /** (0000,0900) of the C-STORE response, four hexadecimal digits; absent where the destination is a folder. */
  readonly status?: string;
  /** In words. */
  readonly answer: string;
  /** Who called whom, where and since when. */
  readonly association?: string;
}

/** Given up for a destination; the instance waits in `failed/` for a person. */
export interface Failed {
  readonly event: "failed";
  readonly id: string;
  readonly at: string;
  readonly to: string;
  readonly kind: string;
  readonly reason: string;
  readonly tries: number;
}

/** Out of `failed/` and in the queue again; or a person had it attempted at once. */
export interface Retried {
  readonly event: "retried";
  readonly id: string;
  readonly at: string;
  readonly by: "person" | "configuration";
  /** The destination it had failed for. */
  readonly of: string;
  /** Destinations it waits for now; others than `of` where it had been unrouted. */
  readonly for: readonly string[];
  /** Which person, where that is known; in `removed`, `held` and `released`, too. */
  readonly who?: string;
}

/** A person holds it back from a destination; it waits in `held/`. Written before it is done. */
export interface Held {
  readonly event: "held";
  readonly id: string;
  readonly at: string;
  readonly to: string;
  readonly by: "person";
  readonly who?: string;
}

/** Out of `held/` and in the queue again. Written before it is done. */
export interface Released {
  readonly event: "released";
  readonly id: string;
  readonly at: string;
  readonly to: string;
  readonly by: "person";
  readonly who?: string;
}

/** The stored file does not match its checksum; it lies in `corrupt/` and is never sent. */
export interface Corrupt {
  readonly event: "corrupt";
  readonly id: string;
  readonly at: string;
  readonly reason: string;
}

/** A person has it deleted, undelivered. Written before it is done. */
export interface Removed {
  readonly event: "removed";
  readonly id: string;
  readonly at: string;
  readonly to: string;
  readonly by: "person";
  readonly who?: string;
}

/** A person has seen that it is missing: it raises no alarm any more. */
export interface Settled {
  readonly event: "settled";
  readonly id: string;
  readonly at: string;
  readonly to: string;
  readonly by: "person";
  readonly who?: string;
}

export type LedgerEvent =
  | Accepted
  | Delivered
  | Failed
  | Retried
  | Held
  | Released
  | Corrupt
  | Removed
  | Settled;

/** An event before the ledger has given it its time. */
export type Untimed<T extends LedgerEvent = LedgerEvent> = T extends LedgerEvent ? Omit<T, "at">
  : never;

/** One line, the line feed included. */
export function formatEvent(event: LedgerEvent): string {
  return `${JSON.stringify(event)}\n`;
}

/** Fields that have to be texts, by event, beside `id` and `at`. */
const TEXTS: Readonly<Record<LedgerEvent["event"], readonly string[]>> = {
  accepted: ["sop", "class", "syntax", "study", "from", "crc32"],
  delivered: ["to", "sop", "answer"],
  failed: ["to", "kind", "reason"],
  retried: ["by", "of"],
  held: ["to", "by"],
  released: ["to", "by"],
  corrupt: ["reason"],
  removed: ["to", "by"],
  settled: ["to", "by"],
};

/** Reads a line; undefined where it is none of the ledger's. */
export function parseEvent(line: string): LedgerEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // Cut short by a crash, or not ours: the caller counts it.
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const fields = value as Record<string, unknown>;
  const { event } = fields;
  if (typeof event !== "string" || !Object.hasOwn(TEXTS, event)) return undefined;
  const texts = TEXTS[event as LedgerEvent["event"]];
  for (const key of ["id", "at", ...texts]) if (typeof fields[key] !== "string") return undefined;
  if ((event === "accepted" || event === "retried") && !isTexts(fields.for)) return undefined;
  return value as LedgerEvent;
}

/** What of an event an account is made of. */
export type AccountEvent =
  | Pick<Accepted, "event" | "id" | "for">
  | Pick<Delivered | Removed | Settled, "event" | "id" | "to">
  | Pick<Retried, "event" | "id" | "of" | "for">
  | Pick<Failed | Corrupt | Held | Released, "event" | "id">;

const ACCEPTED = '{"event":"accepted","id":"';
const DELIVERED = '{"event":"delivered","id":"';

/**
 * Reads of a line what an account needs. The two events that a ledger of millions of lines consists of are not taken apart
 * any further: that would be most of the work, and of the memory, of a start.
 */
export function parseForAccount(line: string): AccountEvent | undefined {
  if (line.endsWith("}")) {
    if (line.startsWith(ACCEPTED)) {
      const id = textAt(line, ACCEPTED.length);
      // In a text, the quotation marks would have a backslash before them.
      const list = line.lastIndexOf(',"for":[');
      const end = line.indexOf("]", list);
      if (id !== undefined && list > 0 && end > 0) {
        const destinations = line.slice(list + 8, end);
        if (/^("[a-z0-9-]+"(,"[a-z0-9-]+")*)?$/.test(destinations)) {
          return { event: "accepted", id, for: JSON.parse(`[${destinations}]`) };
        }
      }
    } else if (line.startsWith(DELIVERED)) {
      const id = textAt(line, DELIVERED.length);
      const at = line.indexOf(',"to":"');
      const to = at < 0 ? undefined : textAt(line, at + 7);
      if (id !== undefined && to !== undefined) return { event: "delivered", id, to };
    }
  }
  return parseEvent(line);
}

/** The text that begins there, where it is one of an id's or a destination's characters alone. */
function textAt(line: string, from: number): string | undefined {
  const text = line.slice(from, line.indexOf('"', from));
  return /^[a-z0-9-]+$/.test(text) ? text : undefined;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

/** Where events go; the ledger itself in the program. */
export interface EventTaker {
  /**
   * Takes an event that has come true.
   *
   * @param afterwards called once the line is on the disk, or has been found impossible to write: what makes the event
   * hard to see otherwise (the delivered file's removal, say) waits for that
   */
  append(event: Untimed, afterwards?: () => void): void;
}
