/*
 * What delivery is given to work with, and how a destination shows itself to others.
 */

import type { Clock } from "../clock.ts";
import type { EventTaker } from "../ledger/event.ts";
import type { Spool } from "../spool/spool.ts";
import type { Health } from "./destination_health.ts";
import type { BackOff } from "./retry.ts";

/** What all destinations share. */
export interface DeliverySetting {
  readonly spool: Spool;
  readonly ledger: EventTaker;
  readonly clock: Clock;
  /** 0 to 1 */
  readonly random: () => number;
  readonly backOff: BackOff;
  /** The destination's state changed: worth showing. */
  readonly changed: () => void;
}

/** That a person has paused a destination. */
export interface Paused {
  /** ms since 1970 */
  readonly since: number;
  /** In words: `web 127.0.0.1`. */
  readonly by: string;
}

/** A destination as it is now. */
export interface DestinationSnapshot {
  readonly name: string;
  readonly description: string;
  readonly health: Health;
  /** Null where it is not paused. */
  readonly paused: Paused | null;
  /** Since when it is up, down, misconfigured or paused, in ms since 1970; null = since the start. */
  readonly since: number | null;
  readonly waiting: number;
  readonly sessions: number;
  readonly delivered: number;
  readonly failed: number;
  readonly lastAnswer: string;
  /** ms since 1970; null where there has been none. */
  readonly lastAnswerAt: number | null;
}
