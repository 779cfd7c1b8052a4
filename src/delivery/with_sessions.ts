/*
 * A destination as it is, with its sessions exchanged for others as they are opened: for who wants to hear what goes over
 * them.
 */

import type { Destination, Session } from "./outcome.ts";

/** The same destination; every session that it opens goes through `wrap`. */
export function withSessions(
  destination: Destination,
  wrap: (session: Session) => Session,
): Destination {
  const { name, description, deed, waitsForStudy, sessions, batch, idleMs, retryAttempts } =
    destination;
  return {
    name,
    description,
    deed,
    waitsForStudy,
    sessions,
    batch,
    idleMs,
    retryAttempts,
    open: async (upcoming, signal) => wrap(await destination.open(upcoming, signal)),
  };
}
