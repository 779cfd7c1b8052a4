/*
 * An error at every system call (CR-04): the call fails once, or does half of a write, while one instance is received and
 * delivered; first the first call of a kind, then the second, and so on until a run sees no such call.
 *
 * Success may be answered only for what is kept; the process stays; the next instance over another association is not
 * affected, or refused until the disk has proved itself again. The same for a start, which may instead end with the exit
 * code that says so.
 */

import { ExitCode } from "../../src/cli/exit_code.ts";
import { OUT_OF_RESOURCES, PROCESSING_FAILURE } from "../../src/dicom/status.ts";
import { pass, until, within } from "../helpers/until.ts";
import type { Action, Call } from "./faults.ts";
import { type Answer, nextOfStart, SETTLED_MS, SyscallHouse } from "./syscall_house.ts";

/** What each call can come to. */
const ERRORS = {
  open: ["EIO", "ENOSPC", "EDQUOT", "EMFILE", "EACCES", "EINTR"],
  write: ["EIO", "ENOSPC", "EDQUOT", "EINTR", "short"],
  sync: ["EIO", "ENOSPC", "EDQUOT", "EINTR"],
  rename: ["EIO", "ENOSPC", "EDQUOT", "EACCES"],
  unlink: ["EIO", "EACCES"],
  link: ["EIO", "ENOSPC", "EDQUOT", "EACCES", "EPERM"],
  mkdir: ["EIO", "ENOSPC", "EDQUOT", "EACCES"],
  chmod: ["EIO", "EPERM"],
  read: ["EIO", "EINTR", "short"],
  // Never half of it: the runtime waits for room after a short send, and an edge of a buffer that is not full never comes.
  send: ["ECONNRESET"],
  truncate: ["EIO", "ENOSPC", "EINTR"],
} as const satisfies Record<Call, readonly Action[]>;

export interface SyscallErrorOptions {
  readonly folder: string;
  readonly seed: number;
  /** Kinds of calls and what becomes of them; all there are where absent. */
  readonly errors?: Partial<Record<Call, readonly Action[]>>;
  /** The next N after one that was hit; the next number where absent. */
  readonly next?: (n: number) => number;
  /** Whether a start and a stop are swept, too. */
  readonly recovery: boolean;
  readonly progress?: (line: string) => void;
}

export interface SyscallErrorFigures {
  readonly runs: number;
  /** Runs in which a call was hit. */
  readonly hits: number;
  /** Hits after which the instance was answered Success, A700, 0110, or not at all. */
  readonly answers: Record<string, number>;
  /** Longest time until instances were taken again after one was refused, in ms. */
  readonly longestRefusalMs: number;
  /** Starts that ended with an exit code of their own. */
  readonly startsRefused: number;
}

/** What a sender is told to try again later for. */
const NO_ROOM: readonly Action[] = ["ENOSPC", "EDQUOT", "EMFILE"];
/** Longer than the forwarder's maintenance interval, in which it probes a disk that failed. */
const RECOVERS_MS = 20_000;
/** A stop is over by then: `timeouts.stop`, and some. */
const STOPS_MS = 40_000;
/** What a fault leaves to do is done by then, or it waits for a back-off. */
const SOON_MS = 400;

export async function syscallErrorCampaign(
  options: SyscallErrorOptions,
): Promise<SyscallErrorFigures> {
  await using house = await SyscallHouse.open(options.folder, options.seed);
  const campaign = new Campaign(house);
  const next = options.next ?? ((n: number) => n + 1);
  for (const [call, actions] of Object.entries(options.errors ?? ERRORS)) {
    for (const action of actions) {
      const sweep = async (
        name: string,
        run: (when: string, n: number) => Promise<boolean>,
        following: (n: number) => number,
      ) => {
        let hits = 0;
        for (let n = 1; await run(`${action} at ${name} ${n}`, n); n = following(n)) hits++;
        await house.close(`after ${action} at ${name}`);
        options.progress?.(`${action} at ${hits} calls, ${name}`);
      };
      for (const size of ["small", "large"] as const) {
        await sweep(
          `${call}, ${size} instance`,
          (when, n) => campaign.failAt(when, call as Call, n, action, size),
          next,
        );
      }
      if (options.recovery) {
        await sweep(
          `${call} of a start`,
          (when, n) => campaign.failStartAt(when, call as Call, n, action),
          options.next ?? nextOfStart,
        );
        // The first send of a stop is the runtime's own, by which its signal handler wakes it: without it there is no stop.
        if (call === "send") continue;
        await sweep(
          `${call} of a stop`,
          (when, n) => campaign.failStopAt(when, call as Call, n, action),
          next,
        );
      }
    }
  }
  return campaign.figures;
}

class Campaign {
  readonly #house: SyscallHouse;
  #runs = 0;
  #hits = 0;
  #startsRefused = 0;
  #longestRefusalMs = 0;
  readonly #answers: Record<string, number> = {};

  constructor(house: SyscallHouse) {
    this.#house = house;
  }

  get figures(): SyscallErrorFigures {
    return {
      runs: this.#runs,
      hits: this.#hits,
      answers: this.#answers,
      longestRefusalMs: Math.round(this.#longestRefusalMs),
      startsRefused: this.#startsRefused,
    };
  }

  /** True where a call was hit. */
  async failAt(
    when: string,
    call: Call,
    n: number,
    action: Action,
    size: "small" | "large",
  ): Promise<boolean> {
    const house = this.#house;
    const daemon = house.daemon ?? await house.start();
    this.#runs++;
    await house.tidy(when);
    const instance = house.mint[size]();
    house.faults.arm(call, n, action);
    const answer = await house.send(instance);
    await this.#settled(instance.sopInstanceUid, answer);
    const { isHit } = house.faults;
    house.faults.disarm();
    if (daemon.ended) throw new Error(`${when}: the process ended:\n${daemon.said}`);
    if (isHit) {
      this.#hits++;
      this.#count(when, answer, action);
      await this.#nextIsTaken(when);
    } else if (answer !== 0) {
      throw new Error(`${when}: nothing failed, and the answer was ${answer}\n${daemon.said}`);
    }
    // What waits for a back-off goes at once after a start.
    if (!await this.#soon(() => house.isDrained)) await house.stop(when);
    return isHit;
  }

  async #settled(uid: string, answer: Answer): Promise<void> {
    const house = this.#house;
    if (answer !== 0) return;
    const everywhere = () => house.isDrained && house.oracle.arrivedEverywhere(uid);
    if (await this.#soon(everywhere) || house.faults.isHit) return;
    // Nothing went wrong so far: it is only slow.
    await until(
      () => everywhere() || house.faults.isHit || house.daemon?.ended === true,
      SETTLED_MS,
      () => `the instance to be everywhere:\n${house.daemon?.said}`,
    );
  }

  async #soon(condition: () => boolean): Promise<boolean> {
    const deadline = performance.now() + SOON_MS;
    while (!condition()) {
      if (performance.now() > deadline) return false;
      await pass(10);
    }
    return true;
  }

  #count(when: string, answer: Answer, action: Action): void {
    const refusals: Answer[] = [OUT_OF_RESOURCES, PROCESSING_FAILURE, undefined];
    if (answer !== 0 && !refusals.includes(answer)) {
      throw new Error(`${when}: the answer was ${answer?.toString(16)}`);
    }
    if (answer === PROCESSING_FAILURE && NO_ROOM.includes(action)) {
      throw new Error(`${when}: what passes was answered with 0110 rather than A700`);
    }
    if (answer !== 0 && action === "short") {
      throw new Error(`${when}: half a step was not gone on with, the answer was ${answer}`);
    }
    const name = answer === undefined ? "none" : answer.toString(16).padStart(4, "0");
    this.#answers[name] = (this.#answers[name] ?? 0) + 1;
  }

  /** Another instance over another association: taken, or refused for no longer than the disk is doubted. */
  async #nextIsTaken(when: string): Promise<void> {
    const house = this.#house;
    const began = performance.now();
    for (;;) {
      const answer = await house.send(house.mint.small());
      const took = performance.now() - began;
      if (answer === 0) {
        this.#longestRefusalMs = Math.max(this.#longestRefusalMs, took);
        return;
      }
      const known = [OUT_OF_RESOURCES, PROCESSING_FAILURE, undefined] as Answer[];
      if (!known.includes(answer) || took > RECOVERS_MS || house.daemon?.ended) {
        throw new Error(
          `${when}: the next instance was answered ${answer}:\n${house.daemon?.said}`,
        );
      }
      await pass(250);
    }
  }

  /** The same for a stop in order, which has to come to its end with exit code 0 all the same. */
  async failStopAt(when: string, call: Call, n: number, action: Action): Promise<boolean> {
    const house = this.#house;
    this.#runs++;
    const daemon = house.daemon ?? await house.start();
    await house.tidy(when);
    await house.send(house.mint.small());
    house.faults.arm(call, n, action);
    daemon.signal("SIGTERM");
    const { code } = await within(
      daemon.exit(),
      STOPS_MS,
      () => `${when}: an end:\n${daemon.said}`,
    );
    const { isHit } = house.faults;
    if (isHit) this.#hits++;
    if (code !== 0) throw new Error(`${when}: the stop ended with ${code}:\n${daemon.said}`);
    await house.stop(when);
    return isHit;
  }

  /** The same for a start on a spool with an instance in the queue and one in a slot. */
  async failStartAt(when: string, call: Call, n: number, action: Action): Promise<boolean> {
    const house = this.#house;
    this.#runs++;
    await house.leaveBehind();
    house.faults.arm(call, n, action);
    const daemon = house.spawn();
    const port = await daemon.listening().catch(() => undefined);
    if (port === undefined) {
      const { code } = await daemon.exit();
      if (!house.faults.isHit || code !== ExitCode.Spool) {
        throw new Error(`${when}: the start ended with ${code}:\n${daemon.said}`);
      }
      this.#startsRefused++;
    } else {
      house.daemon = Object.assign(daemon, { port });
      await this.#soon(() => house.isDrained);
      if (daemon.ended) throw new Error(`${when}: the process ended:\n${daemon.said}`);
    }
    const { isHit } = house.faults;
    if (isHit) this.#hits++;
    if (house.daemon !== undefined) await house.stop(when);
    house.faults.disarm();
    house.oracle.conserve(when);
    house.oracle.assertHolds();
    return isHit;
  }
}
