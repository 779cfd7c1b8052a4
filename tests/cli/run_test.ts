/* The daemon's process: its signals. */

import assert from "node:assert/strict";
import { runCommand } from "../../src/cli/run.ts";
import { loadConfig } from "../../src/config/load.ts";
import { Scratch } from "../helpers/scratch.ts";

Deno.test({
  name: "a stop while the spool is still being looked through ends the program at once, in order",
  // No process can send itself one there.
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using scratch = await Scratch.make();
    const file = scratch.at("config.json");
    await Deno.writeTextFile(file, '{ "store_locally": true }');
    const begun = Promise.withResolvers<void>();
    const running = runCommand(await loadConfig(file), {
      console: false,
      start: () => {
        begun.resolve();
        return new Promise(() => {});
      },
    });
    await begun.promise;
    // A start under way has something to wait for; this one stands for it.
    const work = setInterval(() => {}, 1000);
    Deno.kill(Deno.pid, "SIGTERM");
    assert.equal(await running, 0);
    clearInterval(work);
    const [log] = await Array.fromAsync(Deno.readDir(scratch.at("logs")));
    assert.match(
      await Deno.readTextFile(scratch.at("logs", log!.name)),
      /Stop requested by SIGTERM during the start/,
    );
  },
});
