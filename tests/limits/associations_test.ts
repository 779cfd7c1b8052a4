/* One association too many, by the configuration and by the system: refused for now, and all is well afterwards. */

import assert from "node:assert/strict";
import { freePort } from "../helpers/child.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { Peer } from "../helpers/peer.ts";
import { Scratch } from "../helpers/scratch.ts";
import { until } from "../helpers/until.ts";
import { outcomeOn, requestOutcome, runShortOfFiles } from "./descriptors.ts";

/** Opens associations until one is not accepted; what that one got, and those that are open. */
async function fillUp(
  port: number,
  addresses: readonly string[],
): Promise<{ open: Peer[]; refusal: string }> {
  const open: Peer[] = [];
  for (;;) {
    const peer = await Peer.connect(port, addresses[open.length % addresses.length]);
    const outcome = await outcomeOn(peer);
    if (outcome !== "accepted") {
      peer.close();
      return { open, refusal: outcome };
    }
    open.push(peer);
  }
}

for (
  const [name, addresses, most] of [
    ["the 21st association from one host", ["127.0.0.1"], 20],
    ["the 51st association in all", ["127.0.0.2", "127.0.0.3", "127.0.0.4"], 50],
  ] as const
) {
  Deno.test({
    name: `${name} is rejected for now, local limit exceeded, and room comes back with a release`,
    // Elsewhere the addresses have to be given to the interface first.
    ignore: Deno.build.os !== "linux",
    async fn() {
      await using scratch = await Scratch.make();
      await using forwarder = await Forwarder.start(scratch.path, {
        destinations: [nodeAt("pacs", freePort())],
        timeouts: { stop: 1 },
      });
      const { open, refusal } = await fillUp(forwarder.port, addresses);
      assert.equal(open.length, most);
      assert.equal(refusal, "2,3,2");
      open.pop()!.close();
      await until(
        async () => await requestOutcome(forwarder.port, addresses[0]) === "accepted",
        5000,
        "room for another association",
      );
      for (const peer of open) peer.close();
    },
  });
}

Deno.test({
  name: "with 128 files 60 senders at a time get their answers, lose nothing, and leave none open",
  // The limit is set by prlimit.
  ignore: Deno.build.os !== "linux",
  async fn() {
    const figures = await runShortOfFiles({ openFiles: 128, rounds: 2, senders: 60 });
    assert.equal(figures.unanswered, 0, JSON.stringify(figures));
    assert.ok(figures.acknowledged > 0 && figures.rejected > 0, JSON.stringify(figures));
  },
});

Deno.test({
  name: "with too few files to take every connection some wait in vain, and the forwarder recovers",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const figures = await runShortOfFiles({ openFiles: 44, rounds: 1, senders: 30 });
    assert.ok(figures.unanswered > 0, JSON.stringify(figures));
    assert.ok(figures.acknowledged > 0, JSON.stringify(figures));
  },
});
