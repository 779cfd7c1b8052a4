/*
 * What a way to tell people is: it takes messages and says in words what became of them.
 *
 * Owns the shape of a message and of a failure. When to send, and again, is decided in outbox.ts.
 */

import type { AlarmEvent } from "./machine.ts";

/** One thing told. */
export interface Notice extends Omit<AlarmEvent, "event"> {
  readonly event: AlarmEvent["event"] | "test";
}

/** A message could not be sent. The text says why and what to do, and names no secret. */
export class ChannelError extends Error {
  override readonly name = "ChannelError";
}

/** A way to tell people. */
export interface Channel {
  /** `webhook`, `e-mail`: names what waits for it in the state file, too. */
  readonly name: string;
  /** How long messages are gathered, so that several go as one; ms. */
  readonly gatherMs: number;
  /** Messages sent together, at most. */
  readonly most: number;
  /**
   * Sends messages, together.
   *
   * @param notices one at least, oldest first
   * @param left messages before these that were left out because too many waited
   * @returns what was answered, in words
   * @throws {ChannelError} where it did not come about, or the signal was aborted
   */
  send(notices: readonly Notice[], left: number, signal: AbortSignal): Promise<string>;
}

/** Who the messages are from. */
export interface Sender {
  /** Name of the site. */
  readonly site: string;
  /** Of the program. */
  readonly version: string;
}

/** A message that says that it is a test. */
export function testNotice(site: string, at: number): Notice {
  return {
    event: "test",
    key: "test",
    severity: "warning",
    title: "test of the alarms",
    text: `This is a test of the alarms of ${site}: nothing is wrong, and nothing is to be done.`,
    since: at,
    at,
  };
}
