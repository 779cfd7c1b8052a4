/*
 * `queue hold`, `release`, `show` and the rest, beside a forwarder that runs and without one.
 */

import assert from "node:assert/strict";
import { Forwarder, nodeAt, TEST_SETTINGS } from "../helpers/forwarder.ts";
import { instanceOf } from "../helpers/instances.ts";
import { sendAll } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { until } from "../helpers/until.ts";
import { inFolder, runCli } from "./run_cli.ts";

Deno.test("what is held by a command is known to the forwarder that runs, and sent when it is released", async () => {
  await using sink = new Sink();
  const { port } = sink;
  sink.away = true;
  const settings = {
    ...TEST_SETTINGS,
    destinations: [nodeAt("pacs", port), nodeAt("other", port)],
  };
  await inFolder(settings, async (folder) => {
    const json = async (...args: string[]) => {
      const { stdout, stderr } = await runCli(["queue", ...args, "--json"], folder);
      assert.equal(stderr, "");
      return JSON.parse(stdout);
    };
    {
      await using forwarder = await Forwarder.start(folder, settings);
      await sendAll(
        forwarder.port,
        [1, 2, 3].map((n) =>
          instanceOf({ sopInstanceUid: `1.2.${n}`, studyUid: n < 3 ? "1.2" : "1.3" })
        ),
      );
      const study = await json("hold", "--study", "1.2", "--destination", "pacs");
      assert.deepEqual(study, { held: 2, deliveredMeanwhile: 0 });
      await until(
        async () => {
          const { total } = await forwarder.queue.queue({ limit: 1, state: "held" });
          return total === 2 && forwarder.destination("pacs").waiting === 1;
        },
        5000,
        "the forwarder to notice",
      );
      const { items } = await json("list", "--held");
      assert.deepEqual(items.map((item: { state: string }) => item.state), ["held", "held"]);
      const shown = await json("show", items[0].id);
      assert.equal(shown.items.length, 2, "held for one, waiting for the other");
      assert.equal(shown.sopInstanceUid, "1.2.1");
      assert.deepEqual(shown.events.map((one: { text: string }) => one.text.slice(0, 8)), [
        "Received",
        "Held bac",
      ]);
      const status = await runCli(["status", "--json"], folder);
      assert.equal(JSON.parse(status.stdout).destinations[0].held, 2);
      assert.deepEqual(await json("remove", items[1].id, "--held", "--yes"), { removed: 1 });
      sink.away = false;
      forwarder.queue.act("retry", { state: "queued", destination: "pacs" }, "test");
      await forwarder.delivered("pacs", 1);
    }
    assert.deepEqual(await json("release", "--all"), { released: 1 });
    await using forwarder = await Forwarder.start(folder, settings);
    await forwarder.delivered("pacs", 1);
    await forwarder.balanced;
    const verify = JSON.parse((await runCli(["verify", "--json"], folder)).stdout);
    assert.deepEqual(verify.missing, []);
    assert.equal(verify.destinations.pacs.removed, 1);
  });
});

Deno.test("an id that is nowhere ends with 1, and nothing named with 2", async () => {
  const settings = { ...TEST_SETTINGS, destinations: [nodeAt("pacs", 1)] };
  await inFolder(settings, async (folder) => {
    const codes = async (...args: string[]) => (await runCli(["queue", ...args], folder)).code;
    assert.equal(await codes("hold"), 2);
    assert.equal(await codes("release"), 2);
    assert.equal(await codes("hold", "1-2-3-4"), 1);
    assert.equal(await codes("release", "nothing"), 1);
    assert.equal(await codes("show", "../../etc/passwd"), 1);
    assert.equal(await codes("hold", "--study", "x y"), 2);
    assert.equal(await codes("hold", "--all"), 0);
  });
});
