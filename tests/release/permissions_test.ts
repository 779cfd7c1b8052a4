/*
 * What the program may do: the same wherever it is started from, and no more than is listed.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import manifest from "../../deno.json" with { type: "json" };
import { compileArguments } from "../../.ci/release/compile.ts";
import { demoFlags, permissionFlags, sourceFlags } from "../../.ci/release/permissions.ts";
import { startArguments } from "../cli/run_cli.ts";
import { Child } from "../helpers/child.ts";
import { TEST_SETTINGS } from "../helpers/forwarder.ts";
import { Scratch } from "../helpers/scratch.ts";
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
import { exec } from "node:child_process";
const windows = Deno.build.os === "windows";
const shell = ${JSON.stringify(SHELL)};
const tool = windows ? "sc.exe" : "systemctl";
const start = (program, options) => new Deno.Command(program, options).outputSync();
const elsewhere = Deno.args[0];
const tries = {
  shell: () => start(shell),
  shellOfNode: () => new Promise((resolve, reject) => exec("id", (e) => e ? reject(e) : resolve())),
  itself: () => start(Deno.execPath()),
  tool: () => start(tool),
  toolOfAnotherFolder: () => start(elsewhere + "/" + tool),
  toolInWorkingFolder: () => start("./" + tool, { cwd: elsewhere }),
  killing: () => Deno.kill(Deno.ppid, "SIGTERM"),
  library: () => Deno.dlopen("libc.so.6", {}),
  addon: () => process.dlopen({ exports: {} }, elsewhere + "/x.node"),
  home: () => Deno.env.get("HOME"),
  path: () => Deno.env.get("PATH"),
  allVariables: () => Deno.env.toObject(),
  setVariable: () => Deno.env.set("LD_PRELOAD", "x"),
  variablesOfNode: () => { if (process.env.HOME === undefined) throw new Deno.errors.NotCapable(); },
  colour: () => Deno.env.get("NO_COLOR"),
  host: () => Deno.hostname(),
  account: () => Deno.uid(),
  network: () => Deno.networkInterfaces(),
  system: () => Deno.osRelease(),
  umask: () => Deno.umask(0),
  code: () => import("https://" + "jsr.io/nothing.ts"),
  worker: () => new Promise((resolve, reject) => {
    const text = "try { Deno.env.get('HOME'); self.postMessage('') } catch (e) { self.postMessage(e.name) }";
    const worker = new Worker("data:text/javascript," + encodeURIComponent(text), { type: "module" });
    worker.onmessage = ({ data }) => {
      worker.terminate();
      data === "" ? resolve() : reject(Object.assign(new Error(), { name: data }));
    };
    worker.onerror = (e) => { e.preventDefault(); reject(Object.assign(new Error(), { name: e.message })); };
  }),
  asking: async () => {
    const { state } = await Deno.permissions.request({ name: "run" });
    if (state !== "granted") throw new Deno.errors.NotCapable();
  },
  ...(windows ? {} : {
    toolByAnotherPath: () => start(tool, { env: { PATH: elsewhere } }),
    preloaded: () => start(tool, { env: { LD_PRELOAD: elsewhere + "/x.so" } }),
    variablesOnDisk: () => Deno.readTextFileSync("/proc/self/environ"),
    variablesByLink: () => {
      Deno.symlinkSync("/proc/self", elsewhere + "/self");
      return Deno.readTextFileSync(elsewhere + "/self/environ");
    },
    memory: () => Deno.openSync("/proc/self/mem", { write: true }),
    kernel: () => Deno.openSync("/proc/sys/kernel/core_pattern", { write: true }),
    device: () => Deno.openSync("/dev/mem"),
  }),
  // The last one: the lock file that refuses it refuses everything from then on.
  package: () => import("npm:" + "left-pad@1.3.0"),
};
const ends = {};
for (const [name, attempt] of Object.entries(tries)) {
  try {
    await attempt();
    ends[name] = "done";
  } catch (error) {
    ends[name] = /--no-remote/.test(error.message) ? "no-remote"
      : name === "package" ? "no package"
      : /NotCapable/.test(String(error.name) + error.code + error.message) ? "NotCapable" : error.name;
  }
}
console.log(JSON.stringify(ends));
`;

/** With the lock file beside it, by which packages are refused that the program has not. */
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));

/** Runs the probe under the flags of the `start` task, with or without the service's tool on the PATH. */
async function probe(withTool: boolean) {
  const folder = await Deno.makeTempDir({ prefix: "forwarder-probe-" });
  try {
    const file = join(folder, "probe.js");
    await Deno.writeTextFile(file, PROBE);
    const tools = join(folder, "tools");
    const elsewhere = join(folder, "elsewhere");
    await Deno.mkdir(tools);
    await Deno.mkdir(elsewhere);
    for (const place of withTool ? [tools, elsewhere] : []) {
      await Deno.writeTextFile(join(place, "systemctl"), "#!/bin/sh\n", { mode: 0o755 });
    }
    const path = WINDOWS && withTool ? Deno.env.get("PATH")! : tools;
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--config", CONFIG, "--frozen", ...sourceFlags(), file, elsewhere],
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
  ...Object.fromEntries(
    [
      "shell",
      "shellOfNode",
      "itself",
      "toolOfAnotherFolder",
      "toolInWorkingFolder",
      "killing",
      "library",
      "addon",
      "home",
      "path",
      "allVariables",
      "setVariable",
      "variablesOfNode",
      "host",
      "account",
      "network",
      "system",
      "umask",
      "worker",
      "asking",
      ...(WINDOWS ? [] : [
        "toolByAnotherPath",
        "preloaded",
        "variablesOnDisk",
        "variablesByLink",
        "memory",
        "kernel",
        "device",
      ]),
    ].map((name) => [name, "NotCapable"]),
  ),
  code: "no-remote",
  package: "no package",
  colour: "done",
};

Deno.test("it can start the service's tool, and nothing else, open no library, read no variable, fetch no code", async () => {
  const { ends } = await probe(true);
  assert.deepEqual(ends, { ...REFUSED, tool: "done" });
});

Deno.test({
  name: "a machine without the service's tools makes no remark of it at a start",
  // Windows has its tools wherever it is.
  ignore: WINDOWS,
  fn: async () => {
    const { ends, stderr } = await probe(false);
    const none = { tool: "NotFound", toolByAnotherPath: "NotFound", preloaded: "NotFound" };
    assert.deepEqual(ends, { ...REFUSED, ...none });
    assert.equal(stderr, "");
  },
});

/** Tries to start the service's tool, again and again, from inside the forwarder. */
const INSIDE = `
const attempt = () => {
  try {
    new Deno.Command("systemctl").outputSync();
    return "done";
  } catch (error) {
    return error.name;
  }
};
console.log("At first: " + attempt());
Deno.unrefTimer(setInterval(() => console.log("Later: " + attempt()), 200));
`;

Deno.test({
  name: "the forwarder itself gives up the right to start the service's tools when it starts",
  // There it keeps two of them.
  ignore: WINDOWS,
  fn: async () => {
    await using scratch = await Scratch.make();
    const inside = scratch.at("inside.js");
    Deno.writeTextFileSync(inside, INSIDE);
    const tool = join(scratch.folder("tools"), "systemctl");
    Deno.writeTextFileSync(tool, "#!/bin/sh\n", { mode: 0o755 });
    const config = scratch.at("config.json");
    Deno.writeTextFileSync(config, JSON.stringify({ ...TEST_SETTINGS, store_locally: true }));
    const [run, ...rest] = startArguments();
    const words = [run!, `--preload=${inside}`, ...rest, "--config", config];
    const child = new Child(Deno.execPath(), words, { NO_COLOR: "1", PATH: scratch.at("tools") });
    try {
      await child.says(/At first: done/);
      await child.says(/Forwarder started[^]*Later: NotCapable/);
    } finally {
      await child.end();
    }
  },
});
