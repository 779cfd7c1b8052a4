/*
 * Power cuts at every moment of every scenario, on disks as three models of a file system may leave them.
 *
 * Counts the states that differ, on the disk or in what had been promised.
 */

import { createHash } from "node:crypto";
import { Disk } from "./sim_disk.ts";
import {
  crashPoints,
  crashStates,
  marksBefore,
  type Model,
  MODELS,
  type Random,
  seededRandom,
} from "./crash_states.ts";
import { judge } from "./model_oracle.ts";
import { randomScenario } from "./model_random.ts";
import { SCENARIOS } from "./model_scenarios.ts";
import { type Mark, record, type Scenario, type WorldRecording, type Wrap } from "./model_world.ts";

/** Of the states at one moment under one model, so many at most. */
export const MOST_AT_ONE_POINT = 4096;

/** States visited of each run put together at random. */
export const STATES_OF_RANDOM_RUN = 60;

/** One start in so many is cut, too. */
const CUT_STARTS = 8;

export interface ModelOptions {
  /** States to visit, about; shared out evenly among the scenarios, but for those of random runs. */
  readonly states: number;
  /** Runs put together at random, beside the scenarios. */
  readonly randomRuns?: number;
  readonly seed: number;
  readonly scenarios?: readonly Scenario[];
  readonly models?: readonly Model[];
  readonly wrap?: Wrap;
  /** Ends when a problem says this. */
  readonly untilFound?: RegExp;
  readonly progress?: (line: string) => void;
}

export interface ModelFigures {
  /** Different states that a start was tried on, those after a cut start included. */
  states: number;
  /** Of those, after a power cut during the start after a power cut. */
  afterTwoCuts: number;
  /** What does not hold, with the first place where it showed and the number of them. */
  readonly problems: Map<string, { readonly first: string; count: number }>;
}

export async function runModelCampaign(options: ModelOptions): Promise<ModelFigures> {
  const { scenarios = SCENARIOS, randomRuns = 0, seed, progress = () => {} } = options;
  const figures: ModelFigures = { states: 0, afterTwoCuts: 0, problems: new Map() };
  const visit = async (scenario: Scenario, states: number, scenarioNumber: number) => {
    const recording = await record(scenario, options.wrap);
    const random = seededRandom(seed * 1000 + scenarioNumber);
    await new Visit(recording, options, figures, random).all(states);
  };
  const forScenarios = options.states - randomRuns * STATES_OF_RANDOM_RUN;
  let scenarioNumber = 0;
  for (const scenario of scenarios) {
    const before = figures.states;
    await visit(scenario, forScenarios / scenarios.length, scenarioNumber++);
    const states = figures.states - before;
    progress(`${states} states, ${figures.problems.size} problems so far: ${scenario.name}`);
  }
  for (let run = 1; run <= randomRuns; run++) {
    await visit(randomScenario(seed * 1_000_000 + run), STATES_OF_RANDOM_RUN, run);
    if (run % 100 !== 0) continue;
    const { states, problems } = figures;
    progress(`${states} states, ${problems.size} problems so far: ${run} random runs`);
  }
  return figures;
}

class Visit {
  readonly #recording: WorldRecording;
  readonly #options: ModelOptions;
  readonly #figures: ModelFigures;
  readonly #random: Random;
  readonly #seen = new Set<string>();
  readonly #contents = new WeakMap<Uint8Array, number>();
  #nextContent = 0;

  constructor(
    recording: WorldRecording,
    options: ModelOptions,
    figures: ModelFigures,
    random: Random,
  ) {
    this.#recording = recording;
    this.#options = options;
    this.#figures = figures;
    this.#random = random;
  }

  /** Visits points in rounds of growing caps, so that a small number of states is spread over all of them. */
  async all(states: number): Promise<void> {
    const { models = MODELS } = this.#options;
    const points = crashPoints(this.#recording);
    const figures = this.#figures;
    const until = figures.states + states;
    for (let cap = 8;; cap = Math.min(8 * cap, MOST_AT_ONE_POINT)) {
      const before = figures.states;
      for (const point of shuffled(points, this.#random)) {
        const { promised, trace } = this.#recording;
        const marks = [...promised, ...marksBefore(trace, point)];
        for (const model of models) {
          for (const disk of crashStates(this.#recording, point, model, cap, this.#random)) {
            await this.#visit(disk, marks, `${model}, cut before operation ${point}`);
            if (this.#isFound()) return;
            if (figures.states >= until) return;
          }
        }
      }
      if (cap === MOST_AT_ONE_POINT && figures.states === before) return;
    }
  }

  #isFound(): boolean {
    const { untilFound } = this.#options;
    if (untilFound === undefined) return false;
    return [...this.#figures.problems.keys()].some((problem) => untilFound.test(problem));
  }

  async #visit(disk: Disk, marks: readonly Mark[], where: string): Promise<void> {
    if (!this.#isNew(disk, marks)) return;
    const trace = await this.#judge(new Disk(disk), marks, where);
    if (this.#figures.states % CUT_STARTS !== 0) return;
    // The start is cut as well, at any of its steps.
    const second = { base: disk, trace };
    const points = crashPoints(second);
    const point = points[Math.floor(this.#random() * points.length)]!;
    const model = MODELS[Math.floor(this.#random() * MODELS.length)]!;
    for (const left of crashStates(second, point, model, 3, this.#random)) {
      if (!this.#isNew(left, marks)) continue;
      this.#figures.afterTwoCuts++;
      await this.#judge(left, marks, `${where}; start cut before operation ${point}, ${model}`);
    }
  }

  #isNew(disk: Disk, marks: readonly Mark[]): boolean {
    const print = disk.fingerprint((bytes) => {
      const known = this.#contents.get(bytes) ?? this.#nextContent++;
      this.#contents.set(bytes, known);
      return known;
    });
    const key = createHash("sha1").update(`${marks.length}\n${print}`).digest("base64");
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    return true;
  }

  async #judge(disk: Disk, marks: readonly Mark[], where: string) {
    this.#figures.states++;
    const { known, began, name } = this.#recording;
    // Every second start goes on to put back what can be.
    const configured = this.#figures.states % 2 === 0 ? ["a", "b", "archive"] : [];
    const { problems, trace } = await judge(disk, known, marks, began, configured);
    for (const problem of problems) {
      const key = `${name}: ${problem}`;
      const found = this.#figures.problems.get(key) ?? { first: where, count: 0 };
      found.count++;
      this.#figures.problems.set(key, found);
    }
    return trace;
  }
}

function shuffled<T>(list: readonly T[], random: Random): T[] {
  return list.map((value) => ({ value, key: random() })).sort((a, b) => a.key - b.key)
    .map(({ value }) => value);
}

/**
 * The campaign in full length: scenarios and runs put together at random, half of the states each.
 *
 * @throws where a problem was found
 */
export async function runPowerCuts(
  options: {
    readonly states: number;
    readonly seed: number;
    readonly progress: (line: string) => void;
  },
): Promise<{ states: number; afterTwoCuts: number }> {
  const randomRuns = Math.floor(options.states / 2 / STATES_OF_RANDOM_RUN);
  const { states, afterTwoCuts, problems } = await runModelCampaign({ ...options, randomRuns });
  if (problems.size === 0) return { states, afterTwoCuts };
  const told = [...problems].map(([problem, { first, count }]) =>
    `${problem} (${count} times, first: ${first})`
  );
  throw new Error(`${problems.size} problems in ${states} states:\n${told.join("\n")}`);
}
