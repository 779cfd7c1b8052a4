/*
 * `setup` without questions: options into a file, faults into words, a test of what was saved.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inFolder, runCli } from "../cli/run_cli.ts";
import { freePort } from "../helpers/child.ts";
import { Forwarder } from "../helpers/forwarder.ts";
import { Scratch } from "../helpers/scratch.ts";

Deno.test("options make a file that the forwarder accepts", async () => {
  await inFolder(undefined, async (folder) => {
    const options = ["--port", "4711", "--aet", "GATEWAY", "--pacs-host", "10.0.0.1"];
    const pacs = ["--pacs-port", "104", "--pacs-aet", "ARCHIVE"];
    const made = await runCli(["setup", "--defaults", ...options, ...pacs], folder);
    assert.equal(made.code, 0, made.stderr);
    assert.match(made.stdout, /^Made .*config\.json\.$/m);
    const settings = JSON.parse(await Deno.readTextFile(join(folder, "config.json")));
    assert.equal(settings.local_port, 4711);
    assert.equal(settings.local_ae_title, "GATEWAY");
    assert.equal(settings.pacs_host, "10.0.0.1");
    assert.equal(settings.pacs_ae_title, "ARCHIVE");
    const check = await runCli(["check"], folder);
    assert.equal(check.code, 0, check.stderr);
    const again = await runCli(["setup", "--defaults", ...options, ...pacs], folder);
    assert.match(again.stdout, /nothing was changed/);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["config.json"]);
  });
});

Deno.test("every option has its setting, and the rest of the file stays", async () => {
  await using scratch = await Scratch.make();
  const file = scratch.at("c.json");
  const text = '{"pacs_host":"a",   "log_level":"debug", "store_locally":true}';
  Deno.writeTextFileSync(file, text);
  const words =
    "--no-store-locally --storage-dir s --spool-dir q --log-dir l --forward-when-quiet 2.5 --retry-attempts 0";
  const result = await runCli(
    ["setup", "--config", file, "--defaults", ...words.split(" ")],
    scratch.path,
  );
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stdout, /store_locally: true -> false/);
  const changed = Deno.readTextFileSync(file);
  assert.ok(changed.startsWith('{"pacs_host":"a",   "log_level":"debug", "store_locally":false'));
  assert.deepEqual(JSON.parse(changed), {
    pacs_host: "a",
    log_level: "debug",
    store_locally: false,
    storage_dir: "s",
    spool_dir: "q",
    log_dir: "l",
    study_quiet_seconds: 2.5,
    retry_attempts: 0,
    forward_immediately: false,
  });
  assert.equal(Deno.readTextFileSync(`${file}.bak`), text);
});

Deno.test("each wrong option is named, with 2, and the file is not touched", async () => {
  await inFolder({ pacs_host: "a", typo: 1 }, async (folder) => {
    const before = await Deno.readTextFile(join(folder, "config.json"));
    const options = ["--port", "70000", "--aet", "SEVENTEEN_LETTERS", "--retry-attempts", "x"];
    const { code, stderr } = await runCli(["setup", "--defaults", ...options], folder);
    assert.equal(code, 2);
    assert.match(stderr, /--port 70000: wanted a whole number from 0 to 65535/);
    assert.match(stderr, /--aet "SEVENTEEN_LETTERS": wanted an AE title/);
    assert.match(stderr, /--retry-attempts "x": wanted a whole number/);
    assert.match(stderr, /typo: no such key/);
    assert.equal(await Deno.readTextFile(join(folder, "config.json")), before);
    const both = ["--forward-immediately", "--forward-when-quiet", "5"];
    assert.equal((await runCli(["setup", "--defaults", ...both], folder)).code, 2);
  });
});

Deno.test("a file that is no JSON stays as it is, with 2 and the place of the mistake", async () => {
  await using scratch = await Scratch.make();
  Deno.writeTextFileSync(scratch.at("config.json"), "{ pacs_host: 1 }");
  const { code, stderr } = await runCli(["setup", "--defaults"], scratch.path);
  assert.equal(code, 2);
  assert.match(stderr, /line 1, column 3/);
  assert.equal(Deno.readTextFileSync(scratch.at("config.json")), "{ pacs_host: 1 }");
});

Deno.test("the connection test tells by the exit code, and the file is saved either way", async () => {
  await using scratch = await Scratch.make();
  await using node = await Forwarder.start(scratch.folder("peer"), {
    local_ae_title: "PEER",
    store_locally: true,
  });
  const words = ["setup", "--defaults", "--test", "--pacs-host", "127.0.0.1", "--pacs-aet", "PEER"];
  const well = await runCli([...words, "--pacs-port", `${node.port}`], scratch.path);
  assert.equal(well.code, 0, well.stdout + well.stderr);
  assert.match(well.stdout, /echo: answered Success/);
  const port = freePort();
  const badly = await runCli([...words, "--pacs-port", `${port}`], scratch.path);
  assert.equal(badly.code, 1);
  assert.match(badly.stdout, /FAILED/);
  assert.equal(JSON.parse(Deno.readTextFileSync(scratch.at("config.json"))).pacs_port, port);
});

Deno.test("without a terminal and without --defaults, 2 and one sentence", async () => {
  await inFolder(undefined, async (folder) => {
    const { code, stdout, stderr } = await runCli(["setup"], folder);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, /^setup asks questions and needs a terminal.*--defaults[^\n]*\n$/);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  });
});

interface Graph {
  readonly roots: readonly string[];
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly isDynamic?: boolean;
      readonly code?: { readonly specifier?: string };
      readonly npmPackage?: string;
    }[];
  }[];
}

Deno.test("the forwarder starts without the wizard and what it draws with", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "main.ts"],
    cwd: fileURLToPath(new URL("../../", import.meta.url)),
  }).output();
  const graph: Graph = JSON.parse(new TextDecoder().decode(stdout));
  const loaded = (dynamically: boolean) => {
    const seen = new Set(graph.roots);
    for (const specifier of seen) {
      const found = graph.modules.find((module) => module.specifier === specifier);
      for (const { isDynamic = false, code } of found?.dependencies ?? []) {
        if (code?.specifier !== undefined && (dynamically || !isDynamic)) seen.add(code.specifier);
      }
    }
    return [...seen].join("\n");
  };
  assert.match(loaded(true), /@clack\/prompts/, "deno compile finds it all the same");
  assert.doesNotMatch(loaded(false), /@clack|setup\/(?:wizard|screen)\.ts/);
});
