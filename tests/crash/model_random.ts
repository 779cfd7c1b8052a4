/*
 * Runs put together at random, by seed: what befalls a spool in an hour, in any order, in a dozen steps. They meet what
 * nobody thought of writing down as a scenario.
 */

import type { Entry } from "../../src/spool/entry.ts";
import { listItems, removeItem } from "../../src/spool/inspect.ts";
import { type Operation, systemError } from "../helpers/faulty_files.ts";
import { type Random, seededRandom } from "./crash_states.ts";
import { deliverUsed, receiveUsed } from "./model_used.ts";
import { type Scenario, SPOOL, turns, type World } from "./model_world.ts";

const STEPS = 14;

export function randomScenario(seed: number): Scenario {
  return {
    name: `random run ${seed}`,
    before: seed % 3 === 0 ? withUsedFiles : () => Promise.resolve(),
    run: (world) => new Run(world, seededRandom(seed)).all(),
  };
}

/** What comes in is written over what was delivered. */
async function withUsedFiles(world: World): Promise<void> {
  await receiveUsed(world, ["a"]);
  await deliverUsed(world, "a");
}

class Run {
  readonly #world: World;
  readonly #random: Random;
  #received = 0;
  /** Whether files can have second names, here and in the archive. */
  #links = true;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  async all(): Promise<void> {
    for (let n = 0; n < STEPS; n++) {
      try {
        await this.#step();
      } catch (error) {
        if (!isTrouble(error)) throw error;
      }
      this.#world.files.fault = this.#fault();
      await turns();
    }
  }

  #fault(once?: Operation): World["files"]["fault"] {
    let left = once === undefined ? 0 : 1;
    return (operation) => {
      if (operation === "link" && !this.#links) return systemError("EXDEV");
      return operation === once && left-- > 0 ? systemError("EIO") : undefined;
    };
  }

  async #step(): Promise<void> {
    const world = this.#world;
    const draw = this.#random();
    if (draw < 0.25) {
      const uid = `1.${++this.#received}`;
      const destinations = ["a", "b", "archive"].filter(() => this.#random() < 0.6);
      if (destinations.length === 0) destinations.push("a");
      const study = this.#among(["1.2.3", "1.2.4"])!;
      if (this.#random() < 0.8) await world.receive(uid, destinations, { study });
      else await world.commit(uid, destinations, { study });
    } else if (draw < 0.4) {
      await this.#withOne("a", (entry) => world.forward(entry, "a"));
    } else if (draw < 0.5) {
      await this.#withOne("b", (entry) => world.forward(entry, "b"));
    } else if (draw < 0.6) {
      const waiting = world.entries.filter((entry) => entry.waitsFor("archive"));
      await world.toArchive(waiting.slice(0, 3));
    } else if (draw < 0.72) {
      const destination = this.#among(["a", "b", "archive"])!;
      const kind = this.#among(["refused", "not-configured"] as const)!;
      await this.#withOne(destination, (entry) => world.fail(entry, destination, kind));
    } else if (draw < 0.77) {
      const destination = this.#among(["a", "b", "archive"])!;
      await this.#withOne(destination, (entry) => world.spool.countTry(entry, destination));
    } else if (draw < 0.82) await world.retryAll();
    else if (draw < 0.84) {
      const destination = this.#among(["a", "b", "archive"])!;
      await this.#withOne(destination, (entry) => world.hold(entry, destination));
    } else if (draw < 0.855) await world.release(this.#among(["a", "b", "archive"])!);
    else if (draw < 0.87) this.#removeByHand();
    else if (draw < 0.9) await this.#startAgain();
    else if (draw < 0.93) this.#links = !this.#links;
    else {
      // The next thing of its kind that is done fails, in the step after this one.
      world.files.fault = this.#fault(
        this.#among(["syncDirectory", "syncData", "rename", "remove", "link", "truncate"] as const),
      );
      await this.#step();
    }
  }

  /** The program is killed, perhaps in the sync of an instance, perhaps with the clock set back meanwhile. */
  async #startAgain(): Promise<void> {
    const world = this.#world;
    if (this.#random() < 0.5) {
      world.files.hangs = true;
      void world.commit(`1.${++this.#received}`, ["a", "archive"], { answered: false });
      await turns();
      world.files.hangs = false;
    }
    if (this.#random() < 0.3) world.time -= 10_000;
    try {
      await world.start();
    } catch (error) {
      if (!isTrouble(error)) throw error;
      // Somebody looks after the disk and starts it again.
      world.files.fault = this.#fault();
      await world.start();
    }
  }

  #removeByHand(): void {
    const { files } = this.#world;
    const item = this.#among([...listItems(files, SPOOL)]);
    if (item === undefined) return;
    const uid = this.#world.uidOf(item.id);
    if (uid === undefined) return;
    files.mark({ what: "removed", uid, destination: item.destination });
    removeItem(files, item);
  }

  async #withOne(destination: string, use: (entry: Entry) => unknown): Promise<void> {
    const entry = this.#among(this.#world.entries.filter((one) => one.waitsFor(destination)));
    if (entry !== undefined) await use(entry);
  }

  #among<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.#random() * list.length)];
  }
}

/** A fault, or a file that another step took: what has been promised holds all the same. */
function isTrouble(error: unknown): boolean {
  return error instanceof Error &&
    ("code" in error || error.name === "DestinationError" || error.name === "SpoolError");
}
