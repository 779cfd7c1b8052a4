/*
 * The long crash campaigns: `deno task test:crash`.
 *
 *     --kills N       kills at random points, 1000 by default, once with an archive and once with files written over, and a
 *                     tenth of them while a person acts on the queue; 0 for none
 *     --recovery N    kills during recovery, 100 by default; 0 for none
 *     --syscalls      death and errors at every system call, to the end (Linux, gcc)
 *     --lost N        destinations that die before they answer, 200 by default; 0 for none
 *     --power-cuts N  states of the disk after a power cut, by a model of it, 100,000 by default; 0 for none
 *     --seed S        another course; the seed is printed
 *
 * Prints progress and ends with a line of figures. On a violation it says what was lost, keeps the folder, and exits with
 * 1.
 */

import { parseArgs } from "node:util";
import { COMPILER, missingPackages } from "../helpers/required_peers.ts";
import { killCampaign } from "./kill_campaign.ts";
import { lostResponseCampaign } from "./lost_response_campaign.ts";
import { runPowerCuts } from "./model_campaign.ts";
import { recoveryCampaign } from "./recovery_campaign.ts";
import { syscallErrorCampaign } from "./syscall_error_campaign.ts";
import { syscallKillCampaign } from "./syscall_kill_campaign.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    kills: { type: "string", default: "1000" },
    recovery: { type: "string", default: "100" },
    lost: { type: "string", default: "200" },
    "power-cuts": { type: "string", default: "100000" },
    syscalls: { type: "boolean", default: false },
    seed: { type: "string", default: "1" },
  },
});

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} wants a whole number`);
  return value;
}

const seed = whole("seed", values.seed);
let failed = false;

/** Runs one campaign in a folder of its own, which stays where the campaign fails. */
async function run<Figures>(
  name: string,
  campaign: (
    common: { folder: string; seed: number; progress: (line: string) => void },
  ) => Promise<Figures>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: `crash-${name}-` });
  const began = performance.now();
  const seconds = () => Math.round((performance.now() - began) / 1000);
  say(`${name}: seed ${seed}, in ${folder}`);
  try {
    const progress = (line: string) => say(`${name}: ${seconds()} s: ${line}`);
    const figures = await campaign({ folder, seed, progress });
    say(`${name}: no violation in ${seconds()} s: ${JSON.stringify(figures)}`);
    await Deno.remove(folder, { recursive: true });
  } catch (error) {
    failed = true;
    say(`${name}: VIOLATION after ${seconds()} s: ${error instanceof Error ? error.stack : error}`);
    say(`${name}: everything is kept in ${folder}`);
  }
}

const kills = whole("kills", values.kills);
const recovery = whole("recovery", values.recovery);
const lost = whole("lost", values.lost);
if (kills > 0) {
  for (const archive of [true, false]) {
    await run(
      archive ? "kills" : "kills-reuse",
      (common) => killCampaign({ ...common, kills, longestMs: 5000, settleEvery: 50, archive }),
    );
  }
}
if (kills > 0) {
  await run("kills-person", (common) =>
    killCampaign({
      ...common,
      kills: Math.ceil(kills / 10),
      longestMs: 5000,
      settleEvery: 20,
      archive: true,
      person: true,
    }));
}
if (recovery > 0) {
  await run("recovery", (common) => recoveryCampaign({ ...common, kills: recovery }));
}
if (lost > 0) await run("lost", (common) => lostResponseCampaign({ ...common, deaths: lost }));
const states = whole("power-cuts", values["power-cuts"]);
if (states > 0) await run("power-cuts", (common) => runPowerCuts({ ...common, states }));
if (values.syscalls) {
  if (missingPackages([COMPILER]).length > 0) {
    say(`syscalls: this campaign needs a compiler: apt-get install ${COMPILER.package}`);
    failed = true;
  } else {
    await run("syscall-kills", (common) => syscallKillCampaign({ ...common, recovery: true }));
    await run("syscall-errors", (common) => syscallErrorCampaign({ ...common, recovery: true }));
  }
}
if (failed) Deno.exit(1);
