/*
 * Colours on the terminal, decided before clack is loaded: it asks at once.
 *
 * Node's own answer reads a dozen environment variables (which terminal, which build server); a program that may not
 * read them would end there, and a permission for all of them would be a wide one.
 */

import process from "node:process";

/** Says once and for all whether text may have colours. Call it before anything loads clack. */
export function decideColours(colours: boolean): void {
  process.stdout.getColorDepth = () => colours ? 4 : 1;
}
