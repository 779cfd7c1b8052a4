/* Death during recovery, in short (CR-02). The long form is `deno task test:crash`. */

import assert from "node:assert/strict";
import { Scratch } from "../helpers/scratch.ts";
import { recoveryCampaign } from "./recovery_campaign.ts";

Deno.test("a spool killed 20 times in a row while it is recovered loses nothing and gains nothing", async () => {
  await using scratch = await Scratch.make();
  const figures = await recoveryCampaign({ folder: scratch.path, kills: 20, seed: 20260301 });
  assert.ok(figures.items > 100, JSON.stringify(figures));
  // Otherwise recovery was over before the kills came.
  assert.ok(figures.beforeReady >= 5, JSON.stringify(figures));
});
