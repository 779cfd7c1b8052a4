/*
 * Sudden death at random points (CR-01): the process is killed again and again while it receives on four associations and
 * forwards to two DICOM destinations and the archive, and started again on its spool.
 *
 * The books are checked after every kill, against the files as the dead process left them. Now and then, and at the end,
 * a clean start drains everything.
 */

import { DaemonProcess } from "../helpers/daemon_process.ts";
import { nodeAt } from "../helpers/forwarder.ts";
import { Sink } from "../helpers/sink.ts";
import { pass, until } from "../helpers/until.ts";
import { hasUsedSlot, isDrained } from "./held.ts";
import { Mint } from "./mint.ts";
import { sendUntilCut } from "./modality.ts";
import { Oracle } from "./oracle.ts";
import { Person } from "./person.ts";
import { between, randomFrom, spread } from "./random.ts";

export interface KillOptions {
  readonly folder: string;
  readonly kills: number;
  readonly seed: number;
  /** Longest time between the start and the kill, in ms; the shortest is 10. */
  readonly longestMs: number;
  /** A clean start and a drain after so many kills. */
  readonly settleEvery: number;
  /**
   * Whether all is archived, too. What is archived has second names, so its files are never written over; without an archive,
   * destinations are so fast that most are.
   */
  readonly archive: boolean;
  /** Whether a person acts on the queue all the time. */
  readonly person?: boolean;
  readonly progress?: (line: string) => void;
}

export interface KillFigures {
  readonly kills: number;
  readonly acknowledged: number;
  /** Kills that found something in the queue or in a slot. */
  readonly withBacklog: number;
  /** Kills that found a committed slot that was not yet in the queue. */
  readonly withSlot: number;
  /** Kills that found a delivered file which had become a slot. */
  readonly withUsed: number;
  readonly held: number;
  readonly duplicates: number;
  readonly unanswered: number;
  /** Longest time from spawning the process to its listening, in ms. */
  readonly slowestStartMs: number;
  /** What the person did. */
  readonly acts: Readonly<Record<string, number>>;
}

const SHORTEST_MS = 10;
const ASSOCIATIONS = 4;
/** Kills after each of which the ledger is read. */
const READ_LEDGER = 60;
/** A start has to be ready within so many ms. */
const READY_MS = 5000;

export async function killCampaign(options: KillOptions): Promise<KillFigures> {
  const { folder, kills, seed, longestMs, settleEvery } = options;
  const random = randomFrom(seed);
  const mint = new Mint(seed);
  // With the archive, destinations are slower than the modalities, so that there is a backlog whenever the process dies.
  const [firstMs, secondMs] = options.archive ? [10, 25] : [0, 2];
  await using first = new Sink({ answer: () => pass(firstMs).then(() => 0) });
  // And one of them lets several instances be outstanding.
  await using second = new Sink({ answer: () => pass(secondMs).then(() => 0), operations: 16 });
  const spool = `${folder}/spool`;
  const archive = `${folder}/storage`;
  const oracle = new Oracle({
    spool,
    sinks: { first, second },
    ...(options.archive ? { archive } : {}),
  });
  const person = options.person ? new Person(folder, random, oracle) : undefined;
  const settings = {
    ...(person === undefined ? {} : { web: { port: 0 } }),
    store_locally: options.archive,
    destinations: [nodeAt("first", first.port), nodeAt("second", second.port)],
  };
  let [withBacklog, withSlot, withUsed, held, slowestStartMs] = [0, 0, 0, 0, 0];

  const start = async () => {
    const began = performance.now();
    const daemon = await DaemonProcess.start(folder, settings);
    const took = performance.now() - began;
    slowestStartMs = Math.max(slowestStartMs, took);
    if (took > READY_MS) oracle.violations.push(`a start took ${Math.round(took)} ms`);
    return daemon;
  };

  const settle = async (when: string) => {
    {
      await using daemon = await start();
      await person?.letGo();
      person?.enterRemoved();
      await oracle.drained(120_000, when);
      await until(() => isDrained(spool), 60_000, `the queue to be empty (${when})`);
      daemon.signal("SIGTERM");
      const { code } = await daemon.exit();
      if (code !== 0) oracle.violations.push(`${when}: a stop in order ended with ${code}`);
    }
    oracle.close(when);
    await oracle.agreeWithLedger(when);
    oracle.assertHolds();
    // What has been looked at is in nobody's way any more.
    if (options.archive) await Deno.remove(archive, { recursive: true });
  };

  for (let kill = 1; kill <= kills; kill++) {
    const daemon = await start();
    let dead = false;
    const sending = Array.from(
      { length: ASSOCIATIONS },
      () => sendUntilCut(daemon.port, mint, oracle, between(random, 3, 40), () => dead),
    );
    const acting = person?.actUntilCut(() => dead);
    const failed = Promise.all([...sending, acting]);
    const ends = failed.catch(() => {});
    await Promise.race([pass(spread(random, SHORTEST_MS, longestMs)), ends]);
    dead = true;
    daemon.signal("SIGKILL");
    await daemon.exit();
    await failed;
    person?.enterRemoved();
    const found = oracle.conserve(`kill ${kill}`);
    person?.look(found, `kill ${kill}`);
    // The ledger grows with the campaign: it is read after every kill for as long as it is short.
    if (kill <= READ_LEDGER || kill % settleEvery === 0) {
      await oracle.agreeWithLedger(`kill ${kill}`);
    }
    oracle.assertHolds();
    held += found.length;
    if (found.length > 0) withBacklog++;
    if (found.some(({ place }) => place === "slot")) withSlot++;
    if (hasUsedSlot(spool)) withUsed++;
    if (kill % settleEvery === 0 && kill < kills) {
      await settle(`after kill ${kill}`);
      options.progress?.(
        `${kill} kills, ${oracle.acknowledged} instances answered Success, 0 lost, slowest start ${
          Math.round(slowestStartMs)
        } ms`,
      );
    }
  }
  await settle("at the end");
  const { acknowledged, duplicates, unanswered } = oracle;
  return {
    kills,
    acknowledged,
    withBacklog,
    withSlot,
    withUsed,
    held,
    duplicates,
    unanswered,
    slowestStartMs: Math.round(slowestStartMs),
    acts: person?.done ?? {},
  };
}
