/*
 * What the program may do: the same wherever it is started from, and no more than is listed.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { compileArguments } from "../../.ci/release/compile.ts";
import { demoFlags, permissionFlags, sourceFlags } from "../../.ci/release/permissions.ts";
import { TARGETS } from "../../.ci/release/targets.ts";

/** A task's flags, without those that are about its modules. */
function taskFlags(task: string): string[] {
  return task.split(" ").filter((word) => word.startsWith("--") && word !== "--frozen").sort();
}

Deno.test("the tasks that run the program from source grant what permissions.ts says", () => {
  assert.deepEqual(taskFlags(manifest.tasks.start), sourceFlags().sort());
  assert.deepEqual(taskFlags(manifest.tasks.demo), demoFlags().sort());
});

Deno.test("a program is compiled with its system's permissions and no others", () => {
  for (const target of TARGETS) {
    const words = compileArguments(target, "out").filter((word) =>
      /^--(allow|deny|no|quiet|v8-flags)/.test(word)
    );
    assert.deepEqual(words, permissionFlags(target.system));
  }
});

Deno.test("no flag grants a whole kind that has a list, and only service tools may be started", () => {
  for (const flags of [permissionFlags("windows"), permissionFlags("linux"), sourceFlags()]) {
    for (const whole of ["-A", "--allow-all", "--allow-run", "--allow-env", "--allow-sys"]) {
      assert.ok(!flags.includes(whole), whole);
    }
    assert.ok(!flags.some((flag) => flag.startsWith("--allow-ffi")));
    assert.ok(flags.includes("--deny-ffi") && flags.includes("--no-prompt"));
  }
  const mac = permissionFlags("darwin");
  assert.ok(!mac.some((flag) => flag.startsWith("--allow-run")), "macOS has no service tools");
});

const WINDOWS = Deno.build.os === "windows";

const SHELL = WINDOWS ? `${Deno.env.get("SystemRoot")}\\System32\\cmd.exe` : "/bin/sh";

/** Tries what a library in the process might, and says how each attempt ended. */
const PROBE = `
const shell = ${JSON.stringify(SHELL)};
const tries = {
  shell: () => new Deno.Command(shell).outputSync(),
  itself: () => new Deno.Command(Deno.execPath()).outputSync(),
  tool: () => new Deno.Command(Deno.build.os === "windows" ? "sc.exe" : "systemctl").outputSync(),
  library: () => Deno.dlopen("libc.so.6", {}),
  home: () => Deno.env.get("HOME"),
  path: () => Deno.env.get("PATH"),
  colour: () => Deno.env.get("NO_COLOR"),
  host: () => Deno.hostname(),
  code: () => import("https://" + "jsr.io/nothing.ts"),
};
const ends = {};
for (const [name, attempt] of Object.entries(tries)) {
  try {
    await attempt();
    ends[name] = "done";
  } catch (error) {
    ends[name] = /--no-remote/.test(error.message) ? "no-remote" : error.name;
  }
}
console.log(JSON.stringify(ends));
`;

/** Runs the probe under the flags of the `start` task, with or without the service's tool on the PATH. */
async function probe(withTool: boolean) {
  const folder = await Deno.makeTempDir({ prefix: "forwarder-probe-" });
  try {
    const file = join(folder, "probe.js");
    await Deno.writeTextFile(file, PROBE);
    const tools = join(folder, "tools");
    await Deno.mkdir(tools);
    if (withTool) {
      await Deno.writeTextFile(join(tools, "systemctl"), "#!/bin/sh\n", { mode: 0o755 });
    }
    const path = WINDOWS && withTool ? Deno.env.get("PATH")! : tools;
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-config", ...sourceFlags(), file],
      env: { NO_COLOR: "1", PATH: path },
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    assert.equal(code, 0, decoder.decode(stderr));
    return { ends: JSON.parse(decoder.decode(stdout)), stderr: decoder.decode(stderr) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const REFUSED = {
  shell: "NotCapable",
  itself: "NotCapable",
  library: "NotCapable",
  home: "NotCapable",
  path: "NotCapable",
  host: "NotCapable",
  code: "no-remote",
  colour: "done",
};

Deno.test("it can start the service's tool, and nothing else, open no library, read no variable", async () => {
  const { ends } = await probe(true);
  assert.deepEqual(ends, { ...REFUSED, tool: "done" });
});

Deno.test({
  name: "a machine without the service's tools makes no remark of it at a start",
  // Windows has its tools wherever it is.
  ignore: WINDOWS,
  fn: async () => {
    const { ends, stderr } = await probe(false);
    assert.deepEqual(ends, { ...REFUSED, tool: "NotFound" });
    assert.equal(stderr, "");
  },
});
