/*
 * Lost responses (CR-11): the destination stores an instance and dies before it answers, again and again.
 *
 * Each instance has to arrive, no more than twice more for each death that hit it, and none may be given up.
 */

import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { sendAll } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { Mint, type MintedInstance } from "./mint.ts";
import { between, randomFrom } from "./random.ts";

export interface LostResponseOptions {
  readonly folder: string;
  readonly deaths: number;
  readonly seed: number;
  /** Instances that the destination lets be outstanding on an association. */
  readonly operations?: number;
  readonly progress?: (line: string) => void;
}

export interface LostResponseFigures {
  readonly deaths: number;
  readonly instances: number;
  /** Arrivals of what had arrived already. */
  readonly duplicates: number;
  /** The most times one instance arrived. */
  readonly mostArrivals: number;
}

export async function lostResponseCampaign(
  options: LostResponseOptions,
): Promise<LostResponseFigures> {
  const { deaths } = options;
  const random = randomFrom(options.seed);
  const mint = new Mint(options.seed);
  /** Deaths by the UID of each instance that was stored and may not have been answered. */
  const hits = new Map<string, number>();
  let died = 0;
  let untilNext = between(random, 0, 4);
  await using sink = new Sink({
    operations: options.operations ?? 1,
    diesAfter: () => {
      if (died === deaths || untilNext-- > 0) return false;
      untilNext = between(random, 0, 4);
      died++;
      if (died % 50 === 0) options.progress?.(`${died} deaths of the destination`);
      return true;
    },
    died: (uids) => {
      for (const uid of uids) hits.set(uid, (hits.get(uid) ?? 0) + 1);
    },
  });
  // A few deaths in a row on one instance, while others pass, would look like the instance's fault.
  const settings = { destinations: [nodeAt("pacs", sink.port)], retry_attempts: 50 };
  // Waiting as a hospital would is not what this is about.
  const backOff = { firstMs: 20, mostMs: 100 };
  await using forwarder = await Forwarder.start(options.folder, settings, { backOff });
  const sent: MintedInstance[] = [];
  while (died < deaths) {
    const some = Array.from({ length: 20 }, () => mint.next());
    sent.push(...some);
    await sendAll(forwarder.port, some);
    await forwarder.delivered("pacs", sent.length, 120_000);
  }
  const { failed, waiting } = forwarder.destination("pacs");
  if (failed > 0 || waiting > 0) throw new Error(`${failed} failed, ${waiting} still wait`);

  const arrivals = Map.groupBy(sink.arrivals, ({ sopInstanceUid }) => sopInstanceUid);
  let [duplicates, mostArrivals] = [0, 0];
  for (const { sopInstanceUid, hash } of sent) {
    const all = arrivals.get(sopInstanceUid) ?? [];
    const deathsOfIt = hits.get(sopInstanceUid) ?? 0;
    if (!all.some(({ status }) => status === 0)) throw new Error(`${sopInstanceUid} is lost`);
    if (all.some((one) => one.hash !== hash)) throw new Error(`${sopInstanceUid} has changed`);
    if (all.length > 1 + 2 * deathsOfIt) {
      throw new Error(`${sopInstanceUid} arrived ${all.length} times for ${deathsOfIt} deaths`);
    }
    duplicates += all.length - 1;
    mostArrivals = Math.max(mostArrivals, all.length);
  }
  return { deaths: died, instances: sent.length, duplicates, mostArrivals };
}
