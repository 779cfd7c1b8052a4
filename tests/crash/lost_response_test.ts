/* Destinations that die after storing and before answering, in short (CR-11). */

import assert from "node:assert/strict";
import { join } from "node:path";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { sendAll } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { Scratch } from "../helpers/scratch.ts";
import { until } from "../helpers/until.ts";
import { heldIn } from "./held.ts";
import { lostResponseCampaign } from "./lost_response_campaign.ts";
import { Mint } from "./mint.ts";

Deno.test("what a destination stores and does not answer 30 times arrives whole, and not more often than that explains", async () => {
  await using scratch = await Scratch.make();
  const figures = await lostResponseCampaign({ folder: scratch.path, deaths: 30, seed: 1 });
  assert.equal(figures.deaths, 30);
  assert.ok(figures.duplicates >= 30, JSON.stringify(figures));
});

Deno.test("what a destination stores and does not answer arrives whole with 16 outstanding, too, and not more often than that explains", async () => {
  // After a death they go one at a time for a while: so a forwarder anew for each few deaths.
  for (let seed = 1; seed <= 8; seed++) {
    await using scratch = await Scratch.make();
    const options = { folder: scratch.path, deaths: 3, seed, operations: 16 };
    const figures = await lostResponseCampaign(options);
    assert.equal(figures.deaths, 3);
    assert.ok(figures.duplicates >= 3, JSON.stringify(figures));
  }
});

Deno.test("an instance that its destination dies of every time is kept in failed/ with the reason while the others pass", async () => {
  await using scratch = await Scratch.make();
  const mint = new Mint(1);
  const fatal = mint.next();
  const others = Array.from({ length: 60 }, () => mint.next());
  await using sink = new Sink({
    diesAfter: ({ sopInstanceUid }) => sopInstanceUid === fatal.sopInstanceUid,
  });
  const backOff = { firstMs: 20, mostMs: 100 };
  const settings = { destinations: [nodeAt("pacs", sink.port, { associations: 1 })] };
  await using forwarder = await Forwarder.start(scratch.path, settings, { backOff });
  await sendAll(forwarder.port, [fatal]);
  for (let n = 0; n < others.length && forwarder.destination("pacs").failed === 0; n++) {
    await sendAll(forwarder.port, [others[n]!]);
    await forwarder.delivered("pacs", n + 1);
  }
  await forwarder.failed("pacs", 1);
  // What was delivered leaves when the ledger has it.
  await until(() => heldIn(scratch.at("spool")).length === 1, 5_000, "the others to leave");
  const held = heldIn(scratch.at("spool"));
  assert.deepEqual(held.map(({ place, hash }) => [place, hash]), [["failed", fatal.hash]]);
  const folder = join(scratch.path, "spool", "failed", "pacs");
  const reasons = [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".json"));
  assert.equal(reasons.length, 1);
  assert.match(Deno.readTextFileSync(join(folder, reasons[0]!.name)), /"kind": "refused"/);
});
