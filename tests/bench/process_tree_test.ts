/* What a program and those it started have used, as the benchmark sees it. */

import assert from "node:assert/strict";
import { ProcessTree } from "../../bench/process_tree.ts";

/** A shell that does `script`, says "done" and waits until its input ends. */
async function afterwards<T>(script: string, look: (tree: ProcessTree) => T): Promise<T> {
  const child = new Deno.Command("sh", {
    args: ["-c", `${script}; echo done; read end`],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const tree = new ProcessTree(child.pid);
  const reader = child.stdout.getReader();
  try {
    let said = "";
    while (!said.includes("done")) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`The shell ended after "${said}"`);
      said += new TextDecoder().decode(value);
    }
    return look(tree);
  } finally {
    tree.stop();
    await child.stdin.close();
    await reader.cancel();
    await child.status;
  }
}

const linux = { ignore: Deno.build.os !== "linux" };
/** Takes well over a tenth of a second of processor time anywhere. */
const WORK = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";

Deno.test("the time of a child that has ended counts as its parent's", linux, async () => {
  const idle = await afterwards("true", (tree) => tree.figures());
  const worked = await afterwards(`(${WORK})`, (tree) => tree.figures());
  assert.ok(idle.cpuS < 0.1, `idle: ${idle.cpuS} s`);
  assert.ok(worked.cpuS >= 0.1, `worked: ${worked.cpuS} s`);
});

Deno.test("the time of a child that runs on counts, too", linux, async () => {
  const child = `sh -c '${WORK}; echo done; read end'`;
  const { cpuS } = await afterwards(child, (tree) => tree.figures());
  assert.ok(cpuS >= 0.1, `${cpuS} s`);
});

Deno.test("memory that two processes share is counted once", linux, async () => {
  const alone = await afterwards("true", (tree) => tree.figures().peakRssBytes);
  const child = "sh -c 'echo done; read end'";
  const both = await afterwards(child, (tree) => tree.figures().peakRssBytes);
  assert.ok(alone > 100_000 && alone < 50_000_000, `alone: ${alone} bytes`);
  assert.ok(both > 50_000 && both < 2 * alone, `both: ${both} bytes, alone: ${alone}`);
});

Deno.test("the figures of a program that has ended are an error, not 0", linux, async () => {
  const child = new Deno.Command("true").spawn();
  await child.status;
  const tree = new ProcessTree(child.pid);
  try {
    assert.throws(() => tree.figures(), /has ended/);
  } finally {
    tree.stop();
  }
});
