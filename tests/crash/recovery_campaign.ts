/*
 * Death during recovery (CR-02): a spool with everything in it that a start has to put in order is started and killed
 * again and again, and then started once more and left alone.
 *
 * While it is killed its destinations are away, so nothing may come or go: each instance must be there for each of its
 * destinations after every kill, as often as before once a start has been completed.
 */

import { basename, join } from "node:path";
import { readCommitRecord } from "../../src/spool/commit_record.ts";
import { formatName, parseName } from "../../src/spool/entry_name.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import { realFileSystem } from "../../src/spool/file_system.ts";
import { Spool } from "../../src/spool/spool.ts";
import { DaemonProcess } from "../helpers/daemon_process.ts";
import { nodeAt } from "../helpers/forwarder.ts";
import { factsIn } from "../helpers/hashes.ts";
import { filesIn } from "../helpers/scratch.ts";
import { Sink } from "../helpers/sink.ts";
import { commit, store } from "../helpers/spools.ts";
import { pass, until } from "../helpers/until.ts";
import { type Held, heldIn, isDrained, strayIn } from "./held.ts";
import { missingFrom } from "./ledger_books.ts";
import { Mint, type MintedInstance } from "./mint.ts";
import { between, randomFrom, spread } from "./random.ts";

export interface RecoveryOptions {
  readonly folder: string;
  readonly kills: number;
  readonly seed: number;
  readonly progress?: (line: string) => void;
}

export interface RecoveryFigures {
  readonly kills: number;
  /** Instances times destinations. */
  readonly items: number;
  /** Kills that came before the process listened. */
  readonly beforeReady: number;
  /** Kills after which some item was there under two names. */
  readonly withTwoNames: number;
  readonly slowestStartMs: number;
}

const DESTINATIONS = ["first", "second"];
/** What the configuration does not have. */
const UNKNOWN = "former";

/** Every kind of thing that a start meets; the hash of each instance by its UID. */
async function furnish(directory: string, mint: Mint): Promise<Map<string, MintedInstance>> {
  const all = new Map<string, MintedInstance>();
  const make = () => {
    const instance = mint.next();
    all.set(instance.sopInstanceUid, instance);
    return instance;
  };
  const spool = await Spool.open({
    directory,
    files: realFileSystem,
    now: Date.now,
    minimumFreeSpace: 0,
    report: (message, error) => {
      throw new Error(message, { cause: error });
    },
  });
  await spool.recover(() => Promise.resolve([]));
  const queue = (destinations: readonly string[]) => {
    const { dataSet, ...meta } = make();
    return store(spool, destinations, dataSet, { sopInstanceUid: meta.sopInstanceUid });
  };
  const fail = async (kind: "refused" | "not-configured", destination: string) => {
    const entry = await queue(DESTINATIONS);
    const reason = { kind, reason: "made for a test", when: new Date().toISOString(), tries: 2 };
    await spool.fail(entry, destination, reason);
  };
  for (let n = 0; n < 40; n++) await queue(DESTINATIONS);
  for (let n = 0; n < 6; n++) await queue([...DESTINATIONS, UNKNOWN]);
  for (let n = 0; n < 6; n++) await fail("refused", "first");
  for (let n = 0; n < 6; n++) await fail("not-configured", "second");
  for (let n = 0; n < 4; n++) {
    const entry = await queue(["first"]);
    const name = formatName(entry.base, [{ destination: "first", tries: 0 }]);
    Deno.renameSync(entry.path, join(spoolPaths(directory).retry, name));
  }
  // Committed and never renamed: what a crash between the answer and the queue leaves.
  for (let n = 0; n < 8; n++) {
    const { dataSet, sopInstanceUid } = make();
    await commit(spool, dataSet, { sopInstanceUid });
  }
  await spool.close();
  for (let n = 0; n < 3; n++) Deno.writeFileSync(join(directory, "incoming", `7-${n}.part`), START);
  return all;
}

/** A slot whose instance broke off: never answered. */
const START = new Uint8Array(4000);

/** Takes renames back, as a crash of the machine may: so that each start has the same work as the first. */
function unsettle(directory: string): void {
  const { incoming, queue, failed } = spoolPaths(directory);
  let [slots, returned] = [0, 0];
  for (const path of filesIn(queue)) {
    const { base, waiting } = parseName(basename(path))!;
    const names = waiting.map((one) => one.destination).join();
    if (names === DESTINATIONS.join() && slots < 8) {
      slots++;
      Deno.renameSync(path, join(incoming, readCommitRecord(Deno.readFileSync(path))!.slot));
    } else if (names === "second" && returned < 4) {
      returned++;
      const reason = { kind: "not-configured", reason: "made for a test", when: "", tries: 0 };
      Deno.mkdirSync(join(failed, names), { recursive: true });
      Deno.writeTextFileSync(join(failed, names, `${base}.json`), JSON.stringify(reason));
      Deno.renameSync(path, join(failed, names, `${base}.dcm`));
    }
  }
}

/** `<UID> <destination>`, an item of the books; the routes of this campaign say every destination. */
function itemsOf(held: readonly Held[]): string[] {
  return held.flatMap(({ sopInstanceUid, destinations = DESTINATIONS }) =>
    destinations.map((destination) => `${sopInstanceUid} ${destination}`)
  );
}

export async function recoveryCampaign(options: RecoveryOptions): Promise<RecoveryFigures> {
  const { folder, kills, seed } = options;
  const random = randomFrom(seed);
  const directory = join(folder, "spool");
  const all = await furnish(directory, new Mint(seed));
  await using first = new Sink();
  await using second = new Sink();
  first.away = second.away = true;
  const settings = {
    destinations: [nodeAt("first", first.port), nodeAt("second", second.port)],
  };
  const items = new Set(itemsOf(heldIn(directory)));
  let [beforeReady, withTwoNames, slowestStartMs] = [0, 0, 0];

  const inspect = (when: string) => {
    const held = heldIn(directory);
    for (const { path, sopInstanceUid, hash, place } of held) {
      if (place === "corrupt") throw new Error(`${when}: ${path} was set aside as damaged`);
      if (all.get(sopInstanceUid)?.hash !== hash) throw new Error(`${when}: ${path} has changed`);
    }
    const found = itemsOf(held);
    const distinct = new Set(found);
    const lost = [...items.difference(distinct)];
    const added = [...distinct.difference(items)];
    if (lost.length > 0) throw new Error(`${when}: ${lost.length} items lost: ${lost.join(", ")}`);
    if (added.length > 0) throw new Error(`${when}: items from nowhere: ${added.join(", ")}`);
    return found.length > distinct.size;
  };

  for (let kill = 1; kill <= kills; kill++) {
    unsettle(directory);
    const daemon = new DaemonProcess(folder, settings);
    let ready = false;
    const listening = daemon.listening().then(() => ready = true, () => {});
    // Half of the kills come at any time, the others while the spool is put in order.
    if (kill % 2 === 0) await pass(spread(random, 1, 500));
    else {
      await spoolOpened(directory, listening);
      await pass(between(random, 0, 30));
    }
    daemon.signal("SIGKILL");
    await daemon.exit();
    await listening;
    if (!ready) beforeReady++;
    if (inspect(`kill ${kill}`)) withTwoNames++;
    if (kill % 50 === 0) options.progress?.(`${kill} kills during recovery, ${items.size} items`);
  }

  const failedThen = (await drainAfterwards()).filter(({ place }) => place === "failed");
  const expected = [...items].filter((item) => item.endsWith(UNKNOWN)).length + 6;
  if (failedThen.length !== expected) {
    throw new Error(`${failedThen.length} lie in failed/, not ${expected}`);
  }
  return { kills, items: items.size, beforeReady, withTwoNames, slowestStartMs };

  /** One start left alone: everything that can arrive does, the rest stays; nothing else is left. */
  async function drainAfterwards(): Promise<Held[]> {
    first.away = second.away = false;
    const began = performance.now();
    {
      await using daemon = await DaemonProcess.start(folder, settings);
      slowestStartMs = Math.round(performance.now() - began);
      // Taken from retry/ a second after the start.
      await until(
        // In the order of their way: what has left the one is in the other.
        () => filesIn(join(directory, "retry")).length === 0 && isDrained(directory),
        60_000,
        () => `the queue to be empty; ${daemon.said.split("\n").slice(-5).join("\n")}`,
      );
      daemon.signal("SIGTERM");
      const { code } = await daemon.exit();
      if (code !== 0) throw new Error(`the last stop ended with ${code}`);
    }
    const held = heldIn(directory);
    const kept = new Set(itemsOf(held));
    for (const [name, sink] of Object.entries({ first, second })) {
      const arrived = new Map(sink.arrivals.map((one) => [one.sopInstanceUid, one.hash]));
      for (const [uid, hash] of arrived) {
        if (all.get(uid)?.hash !== hash) throw new Error(`${name} got ${uid} other than it was`);
      }
      for (const item of items) {
        const [uid, destination] = item.split(" ");
        if (destination !== name) continue;
        if (arrived.has(uid!) === kept.has(item)) {
          throw new Error(`${item} is ${kept.has(item) ? "both delivered and kept" : "lost"}`);
        }
      }
    }
    const missing = await missingFrom(directory);
    if (missing.length > 0) throw new Error(missing.join("\n"));
    const stray = strayIn(directory).filter((path) => !path.startsWith("failed/"));
    if (stray.length > 0) throw new Error(`stray files: ${stray.join(", ")}`);
    if (factsIn(join(directory, "corrupt")).length > 0) throw new Error("something is corrupt");
    return held;
  }
}

/** Resolves when a process has begun with the spool: it proves the disk with a file of its own. */
async function spoolOpened(directory: string, otherwise: Promise<unknown>): Promise<void> {
  using watcher = Deno.watchFs(directory, { recursive: false });
  const probed = (async () => {
    for await (const { paths } of watcher) {
      if (paths.some((path) => path.endsWith("probe.part"))) return;
    }
  })();
  await Promise.race([probed, otherwise]);
}
