/*
 * Whether a destination can be used now, and how hard: pure functions from one state and an event to the next.
 *
 * A destination that cannot be reached backs off, without end and without spending any instance's tries. One that is
 * wrongly configured is probed at long intervals. One that comes back is met with one session at first, and one more for
 * each success, but not all of them in one moment.
 */

import type { BackOff } from "./retry.ts";

/** Times in ms since 1970. */
export type Health =
  | {
    readonly state: "up";
    /** Sessions allowed now. */
    readonly sessions: number;
    /** Attempts in a row that got no answer. */
    readonly interruptions: number;
    /** Answers in a row that said out of resources. */
    readonly exhaustions: number;
    /** When a session was last added, in ms since 1970. */
    readonly grewAt: number;
  }
  | {
    readonly state: "down" | "misconfigured";
    readonly since: number;
    readonly reason: string;
    /** Failed attempts since then. */
    readonly attempts: number;
    readonly nextAt: number;
  };

/** Attempts without an answer, or answers out of resources, in a row that show the destination itself to be at fault. */
const ROW_THAT_SHOWS = 3;

/** How often a wrongly configured destination is tried, in ms. */
const MISCONFIGURED_MS = 300_000;

/** No back-off is shorter than this, in ms, whatever chance says. */
const SHORTEST_MS = 500;

/** Sessions are added no faster than one in this time, in ms: all forwarders of a site may come back at once. */
const GROWTH_MS = 500;

/** A destination that nothing is held against. */
export const FRESH: Extract<Health, { state: "up" }> = {
  state: "up",
  sessions: 1,
  interruptions: 0,
  exhaustions: 0,
  grewAt: 0,
};

/** Something was taken: one more session, up to the limit. */
export function onSuccess(health: Health, limit: number, now: number): Health {
  if (health.state !== "up") return { ...FRESH, grewAt: now };
  // A clock that was set back puts it off no longer than once.
  const grows = health.sessions < limit && Math.abs(now - health.grewAt) >= GROWTH_MS;
  if (!grows && health.interruptions === 0 && health.exhaustions === 0) return health;
  return {
    ...FRESH,
    sessions: grows ? health.sessions + 1 : health.sessions,
    grewAt: grows ? now : health.grewAt,
  };
}

/** The destination answered, whatever it said: it is there. */
export function onAnswer(health: Health): Health {
  if (health.state === "up" && health.interruptions === 0) return health;
  return health.state === "up" ? { ...health, interruptions: 0 } : FRESH;
}

/**
 * It could not be reached.
 *
 * @param random 0 to 1: full jitter, so that many forwarders do not come back together
 */
export function onUnreachable(
  health: Health,
  reason: string,
  now: number,
  backOff: BackOff,
  random: number,
): Health {
  const before = health.state === "down" ? health : undefined;
  const attempts = (before?.attempts ?? 0) + 1;
  const ceiling = Math.min(backOff.mostMs, backOff.firstMs * 2 ** Math.min(attempts - 1, 20));
  const wait = Math.max(Math.min(SHORTEST_MS, backOff.firstMs), random * ceiling);
  return {
    state: "down",
    since: before?.since ?? now,
    reason,
    attempts,
    nextAt: now + Math.round(wait),
  };
}

/** It does not know us, or will not let us. */
export function onMisconfigured(health: Health, reason: string, now: number): Health {
  const before = health.state === "misconfigured" ? health : undefined;
  return {
    state: "misconfigured",
    since: before?.since ?? now,
    reason,
    attempts: (before?.attempts ?? 0) + 1,
    nextAt: now + MISCONFIGURED_MS,
  };
}

/** A person, or other settings, may have mended it: the next attempt is due, and back-off begins anew. */
export function toBeTriedNow(health: Health, now: number): Health {
  return health.state === "up" ? health : { ...health, attempts: 0, nextAt: now };
}

/**
 * Whether an attempt that failed while the destination is down was under way before that showed. A clock that was set back
 * makes nothing longer than the longest wait.
 */
function wasUnderWay(health: Health, now: number, backOff: BackOff): boolean {
  return health.state === "down" && now < health.nextAt && health.nextAt - now <= backOff.mostMs;
}

/** An attempt got no answer: an instance's fault or the destination's, a few in a row tell. */
export function onInterrupted(
  health: Health,
  reason: string,
  now: number,
  backOff: BackOff,
  random: number,
): Health {
  if (wasUnderWay(health, now, backOff)) return health;
  if (health.state !== "up" || health.interruptions + 1 >= ROW_THAT_SHOWS) {
    return onUnreachable(health, reason, now, backOff, random);
  }
  return { ...health, sessions: 1, interruptions: health.interruptions + 1 };
}

/** It said that it is out of resources: of an instance's size perhaps, or of everything, a few in a row tell. */
export function onExhausted(
  health: Health,
  reason: string,
  now: number,
  backOff: BackOff,
  random: number,
): Health {
  if (wasUnderWay(health, now, backOff)) return health;
  if (health.state !== "up" || health.exhaustions + 1 >= ROW_THAT_SHOWS) {
    return onUnreachable(health, reason, now, backOff, random);
  }
  return { ...health, interruptions: 0, exhaustions: health.exhaustions + 1 };
}
