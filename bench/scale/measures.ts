/*
 * The measures there are, each with its plan in earnest and its plan for a quick look.
 */

import type { Figure } from "../figure.ts";
import { associationFigures, type AssociationsPlan, measureAssociations } from "./associations.ts";
import { farTable, measureFar } from "./far.ts";
import { measureQueues, queueFigures, type QueuePlan } from "./queue.ts";
import { measureSizes, sizeFigures, type SizesPlan } from "./sizes.ts";
import { measureStrangers, strangerFigures, type StrangersPlan } from "./strangers.ts";
import { measureWatching, watchingFigures, type WatchingPlan } from "./watching.ts";

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

const ASSOCIATIONS: AssociationsPlan = {
  counts: [1, 2, 4, 8, 16, 32, 64],
  instances: 2000,
  sizes: [12_000, 526_000],
};
const QUICK_ASSOCIATIONS: AssociationsPlan = {
  counts: [1, 8, 64],
  instances: 200,
  sizes: [12_000],
};

const WATCHING: WatchingPlan = {
  lengths: [1000, 250_000],
  answers: 20,
  rounds: 7,
  instances: 3000,
};
const QUICK_WATCHING: WatchingPlan = { lengths: [1000], answers: 5, rounds: 3, instances: 300 };

const KB = 1000;
const MB = 1000 * KB;
const SIZES: SizesPlan = {
  sizes: [
    [1 * KB, 2000],
    [10 * KB, 2000],
    [100 * KB, 1000],
    [1 * MB, 200],
    [10 * MB, 40],
    [100 * MB, 8],
    [1000 * MB, 2],
    // More than a 32 bit number can count.
    [2 ** 32 + 1 * MB, 1],
  ],
};
const QUICK_SIZES: SizesPlan = { sizes: [[1 * KB, 200], [100 * KB, 100], [10 * MB, 10]] };

const STRANGERS: StrangersPlan = {
  rates: [1000, 10_000, 60_000],
  rounds: 11,
  windowMs: 2000,
  size: 526_000,
  limits: [undefined, { per_host: 0, all: 0 }],
};
const QUICK_STRANGERS: StrangersPlan = {
  rates: [1000],
  rounds: 9,
  windowMs: 1000,
  size: 526_000,
  limits: [undefined],
};

export const MEASURES: readonly Measure[] = [
  {
    name: "queue",
    async run(directory, quick, tell) {
      const results = await measureQueues(directory, quick ? QUICK_QUEUE : QUEUE, tell);
      return { figures: queueFigures(results), results };
    },
  },
  {
    name: "associations",
    async run(directory, quick, tell) {
      const plan = quick ? QUICK_ASSOCIATIONS : ASSOCIATIONS;
      const results = await measureAssociations(directory, plan, tell);
      return { figures: associationFigures(results), results };
    },
  },
  {
    name: "sizes",
    async run(directory, quick, tell) {
      const results = await measureSizes(directory, quick ? QUICK_SIZES : SIZES, tell);
      return { figures: sizeFigures(results), results };
    },
  },
  {
    name: "far",
    async run(directory, quick, tell) {
      const { figures, rows } = await measureFar({ directory, quick });
      for (const line of farTable(rows)) tell(line);
      return { figures, results: rows };
    },
  },
  {
    name: "strangers",
    async run(directory, quick, tell) {
      const plan = quick ? QUICK_STRANGERS : STRANGERS;
      const results = await measureStrangers(directory, plan, tell);
      return { figures: strangerFigures(results), results };
    },
  },
  {
    name: "watching",
    async run(directory, quick, tell) {
      const results = await measureWatching(directory, quick ? QUICK_WATCHING : WATCHING, tell);
      return { figures: watchingFigures(results), results };
    },
  },
];
