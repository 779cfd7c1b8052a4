/*
 * Waiting for a service to be in a state. Owns no clock: the pause between two looks is passed in.
 */

import { ServiceError, type ServiceState } from "./definition.ts";

/** How often the state is asked for, in ms. */
const LOOK_MS = 200;

type Seen = Pick<ServiceState, "state" | "exitCode">;

export interface Waiting {
  readonly look: () => Promise<Seen>;
  /** Resolves after so many ms, or rejects when the signal is aborted. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * Looks until the state is one of those wanted.
 *
 * @param limitMs how long, in ms
 * @throws {ServiceError} where it is in another one after that
 */
export async function waitForState(
  { look, pause, signal }: Waiting,
  wanted: readonly ServiceState["state"][],
  limitMs: number,
): Promise<Seen> {
  for (let waited = 0;; waited += LOOK_MS) {
    const now = await look();
    if (wanted.includes(now.state)) return now;
    if (waited >= limitMs) {
      throw new ServiceError(
        `The service is ${now.state} after ${Math.round(limitMs / 1000)} s; wanted ${
          wanted.join(" or ")
        }. Its log says what it does`,
      );
    }
    await pause(LOOK_MS, signal);
  }
}
