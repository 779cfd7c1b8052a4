/*
 * Where the figures of a measure go: all numbers as JSON, and a drawing of each figure.
 */

import { join } from "node:path";
import type { Figure } from "../figure.ts";
import { linePlot } from "../line_plot.ts";

/**
 * Writes what a measure found.
 *
 * @param about the machine, the time, the measurements that the figures were made of
 * @returns the paths written
 */
export async function writeFigures(
  directory: string,
  measure: string,
  figures: readonly Figure[],
  about: object,
): Promise<string[]> {
  await Deno.mkdir(directory, { recursive: true });
  const path = join(directory, `scale-${measure}.json`);
  await Deno.writeTextFile(path, JSON.stringify({ ...about, figures }, null, 2) + "\n");
  const drawings: string[] = [];
  for (const figure of figures) {
    const drawing = join(directory, `${figure.name}.svg`);
    await Deno.writeTextFile(drawing, linePlot(figure));
    drawings.push(drawing);
  }
  return [path, ...drawings];
}
