/*
 * Death at every system call (CR-03): one instance received, delivered to two destinations and the archive, and a stop in
 * order; the process dies at the first call of a kind, at the second, and so on until a run sees no such call. The same
 * for a start that finds a committed slot and a queue.
 */

import { until } from "../helpers/until.ts";
import { type Call, CALLS } from "./faults.ts";
import { nextOfStart, SETTLED_MS, SyscallHouse } from "./syscall_house.ts";

export interface SyscallKillOptions {
  readonly folder: string;
  readonly seed: number;
  readonly calls?: readonly Call[];
  /** The next N after one that was hit; the next number where absent. */
  readonly next?: (n: number) => number;
  /** Whether a start is swept, too. */
  readonly recovery: boolean;
  readonly progress?: (line: string) => void;
}

/** Both ways into the spool: by one write, and by several. */
const SIZES = ["small", "large"] as const;
type Size = typeof SIZES[number];

export interface SyscallKillFigures {
  /** Runs in which the process died, by kind of call. */
  readonly kills: Record<string, number>;
  readonly runs: number;
  readonly duplicates: number;
}

export async function syscallKillCampaign(
  options: SyscallKillOptions,
): Promise<SyscallKillFigures> {
  await using house = await SyscallHouse.open(options.folder, options.seed);
  const calls = options.calls ?? Object.keys(CALLS) as Call[];
  const next = options.next ?? ((n) => n + 1);
  const kills: Record<string, number> = {};
  let runs = 0;
  const sweep = async (
    name: string,
    run: (n: number) => Promise<boolean>,
    following: (n: number) => number,
  ) => {
    kills[name] = 0;
    for (let n = 1;; n = following(n)) {
      runs++;
      if (!await run(n)) break;
      kills[name]++;
    }
    await house.close(`after ${name}`);
    options.progress?.(`killed at ${kills[name]} calls, ${name}`);
  };
  for (const call of calls) {
    for (const size of SIZES) {
      await sweep(`${call}, ${size} instance`, (n) => killAt(house, call, n, size), next);
    }
    if (!options.recovery) continue;
    const followingStart = options.next ?? nextOfStart;
    await sweep(`${call} of a start`, (n) => killStartAt(house, call, n), followingStart);
  }
  return { kills, runs, duplicates: house.oracle.duplicates };
}

/** True where the process died. */
async function killAt(
  house: SyscallHouse,
  call: Call,
  n: number,
  size: Size,
): Promise<boolean> {
  const when = `${call} ${n}`;
  const daemon = await house.start();
  await house.tidy(when);
  house.faults.arm(call, n, "kill");
  const instance = house.mint[size]();
  await house.send(instance);
  await until(
    () =>
      daemon.ended || house.isDrained && house.oracle.arrivedEverywhere(instance.sopInstanceUid),
    SETTLED_MS,
    () => `${when}: the instance to be everywhere, or the end:\n${daemon.said}`,
  );
  daemon.signal("SIGTERM");
  return await ended(house, when);
}

/** The same while a start puts a spool in order. */
async function killStartAt(house: SyscallHouse, call: Call, n: number): Promise<boolean> {
  const when = `${call} ${n} of a start`;
  await house.leaveBehind();
  house.faults.arm(call, n, "kill");
  const daemon = house.spawn();
  house.daemon = Object.assign(daemon, { port: 0 });
  await daemon.listening().catch(() => {});
  await until(
    () => daemon.ended || house.isDrained,
    SETTLED_MS,
    () => `${when}: a drained queue, or the end:\n${daemon.said}`,
  );
  daemon.signal("SIGTERM");
  return await ended(house, when);
}

async function ended(house: SyscallHouse, when: string): Promise<boolean> {
  const status = await house.daemon!.exit();
  const hit = house.faults.isHit;
  house.faults.disarm();
  house.oracle.conserve(when);
  house.oracle.assertHolds();
  if (status.signal !== (hit ? "SIGKILL" : null) || (!hit && status.code !== 0)) {
    throw new Error(`${when}: ended with ${JSON.stringify(status)}:\n${house.daemon!.said}`);
  }
  house.daemon = undefined;
  return hit;
}
