/*
 * When a condition becomes an alarm, is told again, and is over: a pure function from one state, what is wrong now and the
 * time to the next state and what there is to tell.
 *
 * Begins and ends alternate for each key, whatever comes. A condition has to last before it begins, and to be gone for a while
 * before it ends; that while grows with how often it has begun lately, so that what comes and goes all day is one alarm and
 * not a hundred. Time is counted from one look to the next, a little at a time: neither a clock that jumps nor a stop in
 * between makes anything begin or end.
 */

import type { Condition } from "./conditions.ts";
import { timeText } from "./words.ts";

/** What there is to tell. */
export interface AlarmEvent {
  readonly event: "begin" | "repeat" | "end";
  readonly key: string;
  readonly severity: Condition["severity"];
  readonly title: string;
  readonly text: string;
  /** ms since 1970 */
  readonly since: number;
  /** ms since 1970 */
  readonly at: number;
}

/** One condition that is watched: an alarm, or what may become one, or was one lately. */
export interface Watched {
  readonly key: string;
  readonly severity: Condition["severity"];
  readonly title: string;
  readonly text: string;
  /** ms since 1970 */
  readonly since: number;
  /** Whether it has begun and not ended. */
  readonly active: boolean;
  /** How long it has been there, and has been gone, without a break; ms. */
  readonly presentMs: number;
  readonly absentMs: number;
  /** When it was gone first, in ms since 1970; null while it is there. */
  readonly goneAt: number | null;
  /** How long ago it was told last, in ms; and the worst level told. */
  readonly toldMs: number;
  readonly level: number;
  /** How often it came back while it was an alarm. */
  readonly returns: number;
  /** How long ago it began or came back, the last few times, in ms. */
  readonly begins: readonly number[];
}

export interface MachineState {
  /** When it was looked last, in ms since 1970. */
  readonly at: number;
  readonly watched: readonly Watched[];
}

export const EMPTY: MachineState = { at: 0, watched: [] };

/** The most that one look adds to any length of time, in ms: looks come every few seconds. */
const LONGEST_STEP_MS = 15_000;
/** How long a condition has to be gone until its alarm is over: this, four times as long for each recent begin, ... */
const HOLD_MS = 60_000;
/** ... and so much at most, ms. */
const LONGEST_HOLD_MS = 3_600_000;
/** A begin counts as recent for so long, in ms. */
const RECENT_MS = 6 * 3_600_000;
/** Begins that are remembered for each key. */
const MOST_BEGINS = 4;
/** What gets worse, but not critical, is told at most so often, in ms. */
const WORSE_MS = 3_600_000;
/** Keys that are watched, at most. */
const MOST_WATCHED = 500;

/** How long a condition has to be gone until its alarm is over, in ms, after so many recent begins. */
export function holdMs(recentBegins: number): number {
  return Math.min(LONGEST_HOLD_MS, HOLD_MS * 4 ** Math.max(0, recentBegins - 1));
}

/**
 * Looks once.
 *
 * @param repeatMs after which an alarm that goes on is told again; 0 = never
 */
export function look(
  state: MachineState,
  conditions: readonly Condition[],
  now: number,
  repeatMs: number,
): { readonly state: MachineState; readonly events: AlarmEvent[] } {
  // The first look of all has nothing to count from.
  const step = state.at === 0 ? 0 : Math.min(LONGEST_STEP_MS, Math.max(0, now - state.at));
  const known = new Map(state.watched.map((one) => [one.key, one]));
  const wrong = new Map(conditions.map((one) => [one.key, one]));
  const events: AlarmEvent[] = [];
  const watched: Watched[] = [];
  for (const key of new Set([...known.keys(), ...wrong.keys()])) {
    const before = known.get(key);
    const condition = wrong.get(key);
    if (before === undefined && (condition?.doubtful ?? true)) continue;
    const aged = before === undefined ? fresh(condition!, now) : older(before, step);
    const { next, event } = condition === undefined
      ? absent(aged, step, now)
      : condition.doubtful
      ? { next: aged, event: undefined }
      : present(aged, condition, before === undefined ? 0 : step, now, repeatMs);
    if (event !== undefined) events.push(event);
    // What began lately is remembered when it is over, for how long the next one has to be gone.
    if (next.active || next.goneAt === null || next.begins.length > 0) watched.push(next);
  }
  return { state: { at: now, watched: bounded(watched) }, events };
}

function fresh(condition: Condition, now: number): Watched {
  const { key, severity, title, text } = condition;
  return {
    key,
    severity,
    title,
    text,
    since: condition.since ?? now,
    active: false,
    presentMs: 0,
    absentMs: 0,
    goneAt: null,
    toldMs: 0,
    level: 0,
    returns: 0,
    begins: [],
  };
}

function older(one: Watched, step: number): Watched {
  const begins = one.begins.map((ago) => ago + step).filter((ago) => ago <= RECENT_MS);
  return { ...one, toldMs: one.toldMs + step, begins };
}

interface Looked {
  readonly next: Watched;
  readonly event: AlarmEvent | undefined;
}

function present(
  one: Watched,
  condition: Condition,
  step: number,
  now: number,
  repeatMs: number,
): Looked {
  const { severity, title, text } = condition;
  const isBack = one.goneAt !== null;
  // An alarm that goes on keeps the time since when it does, over restarts that know only of their own.
  const since = one.active
    ? Math.min(one.since, condition.since ?? one.since)
    : condition.since ?? (isBack ? now : one.since);
  const next: Watched = {
    ...one,
    severity,
    title,
    text,
    since,
    presentMs: isBack ? 0 : one.presentMs + step,
    absentMs: 0,
    goneAt: null,
    returns: one.active && isBack ? one.returns + 1 : one.returns,
    // Coming back counts as beginning: what goes on coming and going is given ever more time to end.
    begins: one.active && isBack ? [...one.begins, 0].slice(-MOST_BEGINS) : one.begins,
  };
  if (!one.active) {
    if (next.presentMs < condition.afterMs) return { next, event: undefined };
    const begins = [...one.begins, 0].slice(-MOST_BEGINS);
    const { level } = condition;
    const begun: Watched = { ...next, active: true, toldMs: 0, level, returns: 0, begins };
    return { next: begun, event: telling("begin", begun, now) };
  }
  const isGraver = severity === "critical" && one.severity === "warning";
  const isWorse = condition.level > one.level && (isGraver || one.toldMs >= WORSE_MS);
  const isDue = repeatMs > 0 && one.toldMs >= repeatMs;
  if (!isGraver && !isWorse && !isDue) {
    // What got better and then worse again is worse.
    return { next: { ...next, level: Math.min(one.level, condition.level) }, event: undefined };
  }
  const told = { ...next, toldMs: 0, level: condition.level, returns: 0 };
  const text2 = next.returns === 0
    ? text
    : `${text} It has come and gone ${next.returns} times since it was told last.`;
  return { next: told, event: telling("repeat", { ...told, text: text2 }, now) };
}

function absent(one: Watched, step: number, now: number): Looked {
  const isFirst = one.goneAt === null;
  const next: Watched = {
    ...one,
    presentMs: 0,
    absentMs: isFirst ? 0 : one.absentMs + step,
    // A clock that was set back moves it no further than to now.
    goneAt: Math.min(one.goneAt ?? now, now),
  };
  if (!one.active || next.absentMs < holdMs(one.begins.length)) return { next, event: undefined };
  return {
    next: { ...next, active: false, level: 0, returns: 0 },
    event: telling("end", next, now),
  };
}

function telling(event: AlarmEvent["event"], one: Watched, at: number): AlarmEvent {
  const { key, severity, title, text, since } = one;
  return { event, key, severity, title, text: event === "end" ? endText(one) : text, since, at };
}

function endText({ title, since, goneAt, returns }: Watched): string {
  const often = returns === 0 ? "" : ` It had come and gone ${returns} times.`;
  const to = goneAt === null ? "" : ` and ended at ${timeText(goneAt)}`;
  return `Over: ${title}. It began at ${timeText(since)}${to}.${often}`;
}

/** Alarms first: of what is none, the oldest is forgotten. */
function bounded(watched: readonly Watched[]): readonly Watched[] {
  if (watched.length <= MOST_WATCHED) return watched;
  const alarms = watched.filter((one) => one.active);
  const others = watched.filter((one) => !one.active);
  return [...alarms, ...others.slice(Math.min(others.length, watched.length - MOST_WATCHED))];
}
