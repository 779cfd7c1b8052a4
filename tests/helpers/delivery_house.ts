/*
 * Delivery without disk and network, over simulated time: a clock, a spool in memory, lane groups.
 */

import { LaneGroup } from "../../src/delivery/lane_group.ts";
import type { EventTaker, Untimed } from "../../src/ledger/event.ts";
import { DEFAULT_BACK_OFF } from "../../src/delivery/retry.ts";
import { FakeClock } from "./fake_clock.ts";
import { MemorySpool, ScriptedDestination } from "./scripted_destination.ts";

export class House {
  readonly clock = new FakeClock();
  readonly spool = new MemorySpool();
  /** What the ledger was told. */
  readonly told: Untimed[] = [];
  readonly ledger: EventTaker = {
    append: (event, afterwards) => {
      this.told.push(event);
      afterwards?.();
    },
  };
  readonly #groups: LaneGroup[] = [];
  random = 1;

  destination(name = "pacs"): ScriptedDestination {
    return new ScriptedDestination(name, () => this.clock.now());
  }

  group(destination: ScriptedDestination): LaneGroup {
    const group = new LaneGroup(destination, {
      spool: this.spool.asSpool(),
      ledger: this.ledger,
      clock: this.clock,
      random: () => this.random,
      backOff: DEFAULT_BACK_OFF,
      changed: () => {},
    });
    this.#groups.push(group);
    return group;
  }

  async stop(): Promise<void> {
    const stopped = Promise.all(this.#groups.map((group) => group.stop(1000)));
    await this.clock.advance(1000);
    await stopped;
  }
}

/** Runs in a house and stops all that was started in it. */
export async function inHouse(use: (house: House) => Promise<void>): Promise<void> {
  const house = new House();
  await use(house);
  await house.stop();
}
