/*
 * The executable: what is in it, for each target.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { compileArguments } from "../../.ci/release/compile.ts";
import { ROOT } from "../../.ci/release/script.ts";
import { executableName, releaseName, targetNamed, TARGETS } from "../../.ci/release/targets.ts";

Deno.test("the compiled program holds the worker, its codecs and the status pages, and no package of the build", async () => {
  const folder = await Deno.makeTempDir({ prefix: "forwarder-compile-" });
  try {
    const target = targetNamed(Deno.build.target);
    const output = join(folder, executableName(target));
    // The base runtime is the one at hand: the output holds what a release would, though it need not start.
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: compileArguments(target, output),
      cwd: ROOT,
      env: { DENORT_BIN: Deno.execPath(), NO_COLOR: "1" },
      stdout: "null",
      stderr: "piped",
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    const binary = Buffer.from((await Deno.readFile(output)).buffer);
    // Words that stand in the worker's source and in no module that the program imports.
    assert.ok(binary.includes("The worker was sent a job before its start"), "the worker is in it");
    assert.ok(binary.includes("dcmjs-native-codecs.wasm"), "the codecs are in it");
    for (const page of ["index.html", "uPlot.esm.js", "uPlot.min.css"]) {
      assert.ok(binary.includes(`"n":"${page}"`), `${page} is in it`);
    }
    for (const foreign of ["ISCC.exe", "nssm64.exe", "fast-check"]) {
      const embedded = binary.includes(`"n":"${foreign}"`);
      assert.ok(!embedded, `${foreign} is in it`);
    }
    // The form of the list of embedded files, so that the check above means something.
    assert.ok(binary.includes('"n":"worker.ts"'), "the list of embedded files is in it");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("only a program for Windows is given an icon, which the compiler refuses for others", () => {
  for (const target of TARGETS) {
    const words = compileArguments(target, "out");
    assert.equal(words.includes("--icon"), target.system === "windows", target.triple);
    assert.equal(words[words.indexOf("--target") + 1], target.triple);
  }
});

Deno.test("the executables of a release have different names, with .exe on Windows alone", () => {
  const names = TARGETS.map(releaseName);
  assert.equal(new Set(names).size, TARGETS.length);
  assert.deepEqual(names.filter((name) => name.endsWith(".exe")), [
    "dicomforwarder-windows-x64.exe",
  ]);
});

Deno.test("an unknown target is answered with the known ones", () => {
  assert.throws(() => targetNamed("riscv"), /no target "riscv".*x86_64-pc-windows-msvc/);
});
