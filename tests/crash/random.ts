/*
 * Chance that comes out the same each time: campaigns are seeded, so that what one run finds the next one finds again.
 */

/** Numbers from 0 up to, not including, 1. */
export type Random = () => number;

/** A linear congruential generator (Numerical Recipes' constants). */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A whole number from `least` to `most`. */
export function between(random: Random, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1));
}

/** A number from `least` to `most`, each order of magnitude as likely as the next: short delays find most. */
export function spread(random: Random, least: number, most: number): number {
  return least * (most / least) ** random();
}
