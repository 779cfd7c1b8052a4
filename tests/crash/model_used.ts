/*
 * What it takes for a simulated spool to write over delivered files: enough of them, and few slots left.
 */

import { META } from "../helpers/spools.ts";
import { turns, type World } from "./model_world.ts";

/** Takes slots and gives them up, until so few are left that the next one taken has others made. */
export async function untilSlotsAreShort(world: World, taken: number): Promise<void> {
  // 32 are made at a start, and 32 more when 15 are left.
  for (let n = taken; n < 32 + 32 - 16; n++) (await world.spool.begin(META)).discard();
}

/** So many delivered files are made slots of. */
export const USED = 17;

/** Delivers what `receiveUsed` received: its files can be written over then. */
export async function deliverUsed(world: World, destination: string): Promise<void> {
  for (const entry of world.entries.slice(0, USED)) await world.forward(entry, destination);
}

/** Receives enough for a batch of slots, and leaves so few slots that the next one taken has a batch made. */
export async function receiveUsed(world: World, destinations: readonly string[]): Promise<void> {
  for (let n = 0; n < USED; n++) {
    await world.receive(`9.${n}`, destinations, { study: n % 5 === 0 ? "1.2.4" : "1.2.3" });
  }
  await turns();
  await untilSlotsAreShort(world, USED);
  await turns();
}
