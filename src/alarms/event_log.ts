/*
 * Alarms in the event log of Windows, by a function that writes there.
 *
 * How it is written is not known here: who makes the alarms hands the function in, on Windows alone.
 */

import { type Channel, ChannelError, type Notice } from "./channel.ts";

export type EventLevel = "ERROR" | "WARNING" | "INFORMATION";

/**
 * Writes one event.
 *
 * @param id 1 to 1000
 * @returns null, or why it could not be written
 */
export type WriteEvent = (level: EventLevel, id: number, text: string) => Promise<string | null>;

/** Numbers by the kind of alarm, for filters: the codes the program ends with are below them. */
const IDS: Readonly<Record<string, number>> = {
  "destination-down": 101,
  "misconfigured": 102,
  "oldest": 103,
  "failed": 104,
  "failed-nowhere": 104,
  "disk-space": 105,
  "spool": 106,
  "corrupt": 107,
  "missing": 108,
  "configuration": 109,
  "silent": 110,
  "certificate": 111,
  "test": 199,
};
const OTHER = 198;

/** The number of an event, by the kind of alarm: what stands before the first space of its key. */
export function eventId(key: string): number {
  return IDS[key.split(" ")[0] ?? ""] ?? OTHER;
}

export class EventLog implements Channel {
  readonly name = "Windows event log";
  readonly gatherMs = 0;
  readonly most = 1;
  readonly #write: WriteEvent;

  constructor(write: WriteEvent) {
    this.#write = write;
  }

  async send(notices: readonly Notice[]): Promise<string> {
    const { key, event, severity, text } = notices[0]!;
    const level = event === "end" || event === "test"
      ? "INFORMATION"
      : severity === "critical"
      ? "ERROR"
      : "WARNING";
    const trouble = await this.#write(level, eventId(key), text);
    if (trouble !== null) throw new ChannelError(trouble);
    return `written as event ${eventId(key)}`;
  }
}
