/* The daemon as a service manager runs it: nobody sees its terminal, so its log and its exit code tell. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { inFolder, runCli } from "./run_cli.ts";

async function logIn(folder: string): Promise<string> {
  let text = "";
  for await (const entry of Deno.readDir(folder)) {
    if (/^dicom_forwarder_\d{8}\.log$/.test(entry.name)) {
      text += await Deno.readTextFile(join(folder, entry.name));
    }
  }
  return text;
}

async function asService(folder: string) {
  const file = join(folder, "config.json");
  // From another folder: a service's working directory is nobody's choice.
  return await runCli(["--config", file, "--as-service"], Deno.cwd());
}

Deno.test("a wrong configuration: exit code 2, and every fault in the log it names", async () => {
  await inFolder({ log_dir: "elsewhere", local_port: "x" }, async (folder) => {
    const { code, stderr } = await asService(folder);
    assert.equal(code, 2);
    for (const told of [stderr, await logIn(join(folder, "elsewhere"))]) {
      assert.match(told, /Cannot start: .*settings are wrong/);
      assert.match(told, /local_port: "x": wanted/);
      assert.match(told, /pacs_host: missing/);
    }
  });
});

Deno.test("a configuration that is not JSON or not there: exit code 2, and the reason in logs beside it", async () => {
  await inFolder(undefined, async (folder) => {
    assert.equal((await asService(folder)).code, 2);
    assert.match(await logIn(join(folder, "logs")), /Cannot start: There is no configuration file/);
    await Deno.writeTextFile(join(folder, "config.json"), '{ "log_dir": ');
    assert.equal((await asService(folder)).code, 2);
    assert.match(await logIn(join(folder, "logs")), /Cannot start: .*not JSON/);
  });
});

Deno.test("a port in use: exit code 3 before anything is done to the spool, and the reason in the log", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const config = {
    local_host: "127.0.0.1",
    local_port: taken.addr.port,
    pacs_host: "127.0.0.1",
    minimum_free_space: "1MB",
  };
  await inFolder(config, async (folder) => {
    const { code, stderr } = await asService(folder);
    assert.equal(code, 3);
    assert.match(stderr, /another program listens on it/);
    assert.match(await logIn(join(folder, "logs")), /another program listens on it/);
    const made = [...Deno.readDirSync(join(folder, "spool"))].map((entry) => entry.name);
    assert.deepEqual(made, ["LOCK"]);
  });
});
