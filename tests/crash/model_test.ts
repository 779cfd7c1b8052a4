/*
 * Power cuts at every moment of every scenario: nothing promised is missing afterwards. And the model is shown to bite:
 * each step of the spool that is done wrong on purpose is found out.
 */

import assert from "node:assert/strict";
import type { SpoolFile } from "../../src/spool/file_system.ts";
import { marksBefore, type Model, MODELS } from "./crash_states.ts";
import { runModelCampaign } from "./model_campaign.ts";
import { randomScenario } from "./model_random.ts";
import { SCENARIOS } from "./model_scenarios.ts";
import { but, record, type Scenario, type Wrap } from "./model_world.ts";

Deno.test("after 10,000 power cuts the program starts and nothing promised is missing, nothing partial is there", async () => {
  const figures = await runModelCampaign({ states: 11_000, randomRuns: 60, seed: 1 });
  assert.deepEqual([...figures.problems], []);
  assert.ok(figures.states >= 10_000, `${figures.states} states`);
  assert.ok(figures.afterTwoCuts >= 500, `${figures.afterTwoCuts} after two power cuts`);
});

Deno.test("a recording is the same each time, so that what is found can be found again", async () => {
  for (const scenario of [...SCENARIOS, randomScenario(1), randomScenario(2)]) {
    const [one, other] = [await record(scenario), await record(scenario)];
    assert.deepEqual(one.trace, other.trace, scenario.name);
    assert.ok(one.promised.length + marksBefore(one.trace, one.trace.length).length > 0);
  }
});

function neverSynced(file: SpoolFile): SpoolFile {
  return { ...file, syncData: () => Promise.resolve() };
}

const withoutDirectorySync = (skips: (path: string) => boolean): Wrap => (files) =>
  but(files, {
    syncDirectory: (path) => skips(path) ? Promise.resolve() : files.syncDirectory(path),
  });

interface Mistake {
  readonly what: string;
  readonly wrap: Wrap;
  /** Where it shows. */
  readonly scenario: string;
  readonly models: readonly Model[];
  readonly problem: RegExp;
}

const LOST = /answered with Success and is lost/;

const MISTAKES: readonly Mistake[] = [
  {
    what: "Success is answered before the data is synced",
    wrap: (files) =>
      but(files, {
        createLater: async (path) => neverSynced(await files.createLater(path)),
      }),
    scenario: "received and forwarded to two, one after the other",
    models: MODELS,
    problem: LOST,
  },
  {
    what: "a start takes a slot without syncing it",
    wrap: (files) => but(files, { open: (path, mode) => neverSynced(files.open(path, mode)) }),
    scenario: "killed in the sync of an instance, which the next start takes and archives",
    models: MODELS,
    problem: /reported archived and is not|no valid commit record|not what was received/,
  },
  {
    what: "the names of slots are not synced",
    wrap: withoutDirectorySync((path) => path.endsWith("/incoming")),
    scenario: "more instances than slots were made at once, then a stop",
    models: ["ordered", "unordered"],
    problem: LOST,
  },
  {
    what: "the new names of used files are not synced",
    wrap: withoutDirectorySync((path) => path.endsWith("/incoming") || path.includes("/queue/")),
    scenario: "received into files that others were delivered from",
    models: ["ordered", "unordered"],
    problem: /lost|holds another instance|no valid commit record/,
  },
  {
    what: "the former names of used files are not synced",
    wrap: withoutDirectorySync((path) => path.includes("/queue/")),
    scenario: "received into files that others were delivered from",
    models: ["unordered"],
    problem: /not what was received|holds another instance/,
  },
  {
    what: "an archived file is written over",
    wrap: (files) =>
      but(files, {
        measure: (path) => ({ ...files.measure(path), links: 1 }),
        open: (path, mode) => ({ ...files.open(path, mode), links: () => 1 }),
      }),
    scenario: "archived by second names and delivered, then received into what may be written over",
    models: ["ordered"],
    problem: /archived and is not in the archive/,
  },
  {
    what: "a rename is a second name and a removal",
    wrap: (files) =>
      but(files, {
        rename: (from, to) => {
          files.link(from, to);
          files.remove(from);
        },
      }),
    scenario: "received and forwarded to two, one after the other",
    models: ["unordered"],
    problem: LOST,
  },
  {
    what: "a rename is a removal and a second name",
    wrap: (files) =>
      but(files, {
        rename: (from, to) => {
          const part = `${to}.kept`;
          files.link(from, part);
          files.remove(from);
          files.link(part, to);
          files.remove(part);
        },
      }),
    scenario: "received and forwarded to two, one after the other",
    models: ["ordered"],
    problem: LOST,
  },
  {
    what: "the second name in failed/ is not synced",
    wrap: withoutDirectorySync((path) => path.endsWith("/failed/b")),
    scenario: "given up for one of two destinations, then put back",
    models: ["unordered"],
    problem: LOST,
  },
  {
    what: "the folder failed/<destination> is not synced",
    wrap: withoutDirectorySync((path) => path.endsWith("/failed")),
    scenario: "given up for one of two destinations, then put back",
    models: ["unordered"],
    problem: LOST,
  },
  {
    what: "a copy in failed/ is not synced",
    wrap: (files) => but(files, { open: (path, mode) => neverSynced(files.open(path, mode)) }),
    scenario: "given up for one of two where files have no second names",
    models: ["unordered", "torn"],
    problem: /lost|throws|not what was received/,
  },
  {
    what: "the second name in held/ is not synced",
    wrap: withoutDirectorySync((path) => path.endsWith("/held/b")),
    scenario: "held back from one of two destinations, delivered to the other, then let go",
    models: ["unordered"],
    problem: LOST,
  },
  {
    what: "what is held has its new name not synced",
    wrap: withoutDirectorySync((path) => path.endsWith("/held/a") || path.includes("/queue/")),
    scenario: "held back as soon as it was received, then found again by a start and let go",
    models: ["ordered", "unordered"],
    problem: /is held and would be sent/,
  },
  {
    what: "the folders above a new spool are not synced",
    wrap: withoutDirectorySync((path) => path === "/srv/forwarder"),
    scenario: "the first start, one received and forwarded",
    models: ["unordered"],
    problem: LOST,
  },
  {
    what: "the queue's folders are not synced",
    wrap: withoutDirectorySync((path) => path === "/srv/forwarder/spool"),
    scenario: "the first start, one received and forwarded",
    models: ["unordered"],
    problem: LOST,
  },
  {
    what: "the archive's folder is not synced",
    wrap: withoutDirectorySync((path) => path.startsWith("/srv/archive/images/P1")),
    scenario: "archived by second names, and forwarded",
    models: ["ordered", "unordered"],
    problem: /reported archived and is not in the archive/,
  },
  {
    what: "the folders above the archive's are not synced",
    wrap: withoutDirectorySync((path) => path === "/srv" || path === "/srv/archive"),
    scenario: "archived at the second attempt, after a sync that failed",
    models: ["unordered"],
    problem: /reported archived and is not in the archive/,
  },
  {
    what: "a copy in the archive is not synced",
    wrap: (files) => but(files, { open: (path, mode) => neverSynced(files.open(path, mode)) }),
    scenario: "archived by copying",
    models: ["unordered", "torn"],
    problem: /reported archived and is not in the archive/,
  },
];

for (const { what, wrap, scenario, models, problem } of MISTAKES) {
  for (const model of models) {
    Deno.test(`the model finds what goes wrong when ${what}: ${model}`, async () => {
      const chosen = SCENARIOS.find(({ name }) => name === scenario) as Scenario;
      const options = { states: 1500, seed: 1, scenarios: [chosen], models: [model], wrap };
      const figures = await runModelCampaign({ ...options, untilFound: problem });
      const problems = [...figures.problems.keys()];
      assert.ok(problems.some((one) => problem.test(one)), problems.join("\n") || "nothing");
    });
  }
}

Deno.test("runs put together at random find a step done wrong, too", async () => {
  const wrap = withoutDirectorySync((path) => path.includes("/failed/"));
  const options = { states: 6000, scenarios: [], randomRuns: 100, seed: 1, wrap };
  const figures = await runModelCampaign({ ...options, untilFound: LOST });
  const problems = [...figures.problems.keys()];
  assert.ok(problems.some((one) => LOST.test(one)), problems.join("\n") || "nothing");
});
