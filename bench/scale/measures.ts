/*
 * The measures there are, each with its plan in earnest and its plan for a quick look.
 */

import type { Figure } from "../figure.ts";
import { measureQueues, queueFigures, type QueuePlan } from "./queue.ts";

export interface Measure {
  readonly name: string;
  /**
   * @param directory for what it needs on the disk; it leaves nothing there
   * @param tell hears how it goes
   */
  run(
    directory: string,
    quick: boolean,
    tell: (line: string) => void,
  ): Promise<{ readonly figures: Figure[]; readonly results: unknown }>;
}

const QUEUE: QueuePlan = {
  lengths: [0, 1000, 10_000, 100_000, 1_000_000],
  oneStudy: 1_000_000,
  instances: 2000,
  drained: 20_000,
  idleMs: 30_000,
};
const QUICK_QUEUE: QueuePlan = {
  lengths: [0, 1000, 20_000],
  oneStudy: 0,
  instances: 200,
  drained: 2000,
  idleMs: 2000,
};

export const MEASURES: readonly Measure[] = [
  {
    name: "queue",
    async run(directory, quick, tell) {
      const results = await measureQueues(directory, quick ? QUICK_QUEUE : QUEUE, tell);
      return { figures: queueFigures(results), results };
    },
  },
];
