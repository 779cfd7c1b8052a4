/* Sudden death at random points, in short (CR-01). The long form is `deno task test:crash`. */

import assert from "node:assert/strict";
import { Scratch } from "../helpers/scratch.ts";
import { killCampaign } from "./kill_campaign.ts";

Deno.test("every instance answered Success reaches both destinations and the archive whole through 60 kills", async () => {
  await using scratch = await Scratch.make();
  const figures = await killCampaign({
    folder: scratch.path,
    kills: 60,
    seed: 20260115,
    longestMs: 500,
    settleEvery: 20,
    archive: true,
  });
  assert.ok(figures.acknowledged >= 600, JSON.stringify(figures));
  // Otherwise the kills came when there was nothing to lose.
  assert.ok(figures.withBacklog >= 50, JSON.stringify(figures));
});

Deno.test("every instance answered Success reaches both destinations whole through 40 kills while files are written over", async () => {
  await using scratch = await Scratch.make();
  const figures = await killCampaign({
    folder: scratch.path,
    kills: 40,
    seed: 20261126,
    longestMs: 800,
    settleEvery: 20,
    archive: false,
  });
  assert.ok(figures.acknowledged >= 600, JSON.stringify(figures));
  assert.ok(figures.withUsed >= 10, JSON.stringify(figures));
});

Deno.test("what a person does to the queue loses nothing and sends nothing that is held, through 30 kills", async () => {
  await using scratch = await Scratch.make();
  const figures = await killCampaign({
    folder: scratch.path,
    kills: 30,
    seed: 20261127,
    longestMs: 3000,
    settleEvery: 10,
    archive: true,
    person: true,
  });
  assert.ok(figures.acts.held! > 30, JSON.stringify(figures));
  assert.ok(figures.acts.removed! > 0, JSON.stringify(figures));
});
