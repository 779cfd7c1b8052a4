/*
 * One lane's life: a session, batch after batch, a while of idleness, the end.
 *
 * Owns the order in which a lane opens, uses and closes its session. What follows an outcome is the group's. A lane works by
 * the destination and the signal that it began with: once that is aborted it finishes what is under way.
 */

import type { Clock } from "../clock.ts";
import type { Entry } from "../spool/entry.ts";
import type { Lane } from "./lane.ts";
import type { Destination, Outcome, Session } from "./outcome.ts";
import { Settling } from "./settling.ts";
import type { WaitingLine } from "./waiting_line.ts";

/** What needs another session waits for no more than so many that go over this one. */
const MOST_BEFORE_REOPENING = 16;

/** Entries shown to a session being opened. */
const LOOK_AHEAD = 64;

/** What a lane asks of its group. */
export interface LaneHost {
  readonly line: WaitingLine;
  /** What a stop waits for. */
  readonly running: Set<Promise<void>>;
  readonly clock: Clock;
  /** False while the destination is down: one that comes through then shows that it is back. */
  isWell(): boolean;
  isWanted(entry: Entry): boolean;
  /** False where it is not to be attempted, and not to come back into the line by the lane. */
  begin(entry: Entry): boolean;
  /** What was begun was not attempted, and is in the line again where it is wanted. */
  notAttempted(entry: Entry): void;
  /** What follows; a promise where that takes a while, which must not reject. */
  settle(entry: Entry, outcome: Outcome): Promise<void> | undefined;
  mayHaveArrived(entry: Entry): void;
  /** The destination failed as a whole. Throws what is no failure of a destination. */
  failed(error: unknown): void;
  /** A session did not come about. Throws what is no failure of a destination. */
  cannotOpen(error: unknown): void;
}

/** What is offered to a session at a time. */
interface Round {
  /** Attempted, and not yet told of. */
  readonly taken: Set<Entry>;
  /** How many more are offered. */
  left: number;
}

/** Works until there is nothing to do, the destination is not well, or the signal is aborted. */
export async function runLane(
  lane: Lane,
  destination: Destination,
  signal: AbortSignal,
  host: LaneHost,
): Promise<void> {
  const { line } = host;
  try {
    while (!signal.aborted) {
      // Nothing is taken from the line before there is a way to send it: the lanes that have one go on meanwhile.
      if (lane.session === undefined && !await open(lane, destination, signal, host)) return;
      if (signal.aborted) return;
      if (line.ready === 0) {
        if (!await lane.park(host.clock, destination.idleMs)) return;
        continue;
      }
      const { undone, failure } = await work(lane.session!, destination, signal, host);
      line.putBack(undone.filter((entry) => host.isWanted(entry)));
      for (const entry of undone) host.notAttempted(entry);
      if (signal.aborted) return;
      if (failure !== undefined) host.failed(failure);
      if (undone.length > 0 || lane.session?.usable === false) {
        await lane.session?.close();
        lane.session = undefined;
      }
      if (!host.isWell()) return;
    }
  } finally {
    await lane.session?.close();
  }
}

/** Opens a lane's session for what waits. False where there is nothing to open it for, or it cannot be. */
async function open(
  lane: Lane,
  destination: Destination,
  signal: AbortSignal,
  host: LaneHost,
): Promise<boolean> {
  const upcoming = host.line.peek(LOOK_AHEAD);
  if (upcoming.length === 0) return false;
  try {
    lane.session = await destination.open(upcoming, signal);
    return true;
  } catch (error) {
    if (!signal.aborted) host.cannotOpen(error);
    return false;
  }
}

/**
 * What a session is to attempt. It leaves the line when the session comes to it and not before, so that no lane keeps
 * what another one could send meanwhile.
 */
function* batch(round: Round, signal: AbortSignal, host: LaneHost): Generator<Entry, void> {
  while (round.left > 0 && !signal.aborted) {
    const [entry] = host.line.take(1);
    if (entry === undefined) return;
    if (!host.begin(entry)) continue;
    round.taken.add(entry);
    yield entry;
    // While it is down, one that comes through shows that it is back.
    round.left = host.isWell() ? round.left - 1 : 0;
  }
}

/** Attempts what waits. `undone` is what was taken and not attempted, or could not go this way. */
async function work(
  session: Session,
  destination: Destination,
  signal: AbortSignal,
  host: LaneHost,
): Promise<{ undone: Entry[]; failure: unknown }> {
  const round: Round = { taken: new Set(), left: destination.batch };
  const settling = new Settling();
  let failure: unknown;
  try {
    await session.deliver(batch(round, signal, host), (entry, outcome) => {
      if (outcome.kind === "reopen") {
        if (outcome.begun) host.mayHaveArrived(entry);
        round.left = Math.min(round.left, MOST_BEFORE_REOPENING);
        return;
      }
      round.taken.delete(entry);
      const settled = host.settle(entry, outcome);
      if (settled === undefined) return;
      settling.add(settled);
      if (settling.full) round.left = 0;
    }, signal);
  } catch (error) {
    failure = error;
  }
  // A stop waits for what a lane does not.
  const all = settling.done().finally(() => host.running.delete(all));
  host.running.add(all);
  await settling.wait(host.clock);
  return { undone: [...round.taken], failure };
}
