/*
 * The installer's parts, and the words that its compiler is called with. Another program stands in for the compiler.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { compilerPath, compilerWords } from "../../.ci/release/installer.ts";
import { ROOT } from "../../.ci/release/script.ts";

const WINDOWS = Deno.build.os === "windows";

/** Runs the task in a folder with a program and a script to take, and a compiler that writes down its words. */
async function runTask(folder: string, ...args: string[]) {
  const told = join(folder, "told.json");
  const compiler = join(folder, "compiler.ts");
  await Deno.writeTextFile(
    compiler,
    `Deno.writeTextFileSync(${JSON.stringify(told)}, JSON.stringify(Deno.args));`,
  );
  await Deno.writeTextFile(join(folder, "some.exe"), "a program");
  await Deno.writeTextFile(join(folder, "some.iss"), "");
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--frozen", ".ci/release/installer.ts"],
      ...["--out", join(folder, "out"), "--stage", join(folder, "stage"), ...args],
    ],
    cwd: ROOT,
    env: { NO_COLOR: "1", ISCC: `${Deno.execPath()} run -A --no-config ${compiler}` },
    stdin: "null",
  }).output();
  const words: string[] = code === 0 ? JSON.parse(await Deno.readTextFile(told)) : [];
  return { code, stderr: new TextDecoder().decode(stderr), words };
}

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "forwarder-installer-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the installer is made of a given program, nssm, the papers and the pictures", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(join(folder, "stage"));
    await Deno.writeTextFile(join(folder, "stage", "left over"), "");
    const script = join(folder, "some.iss");
    const { code, stderr, words } = await runTask(
      folder,
      ...["--exe", join(folder, "some.exe"), "--script", script],
    );
    assert.equal(code, 0, stderr);
    const stage = join(folder, "stage");
    assert.deepEqual(words, [
      script,
      `/O${join(folder, "out")}`,
      `/DVersion=${manifest.version}`,
      `/DStage=${WINDOWS ? stage : `Z:${stage.replaceAll("/", "\\")}`}`,
    ]);
    const names = [...Deno.readDirSync(stage)].map(({ name }) => name);
    for (const name of ["README.md", "LICENSE", "CHANGELOG.md", "docs", "dicomforwarder.ico"]) {
      assert.ok(names.includes(name), `${name} in ${names}`);
    }
    assert.ok(!names.includes("left over"), "the folder is emptied first");
    assert.equal(await Deno.readTextFile(join(stage, "dicomforwarder.exe")), "a program");
    const nssm = await Deno.readFile(join(stage, "nssm.exe"));
    assert.equal(new TextDecoder("latin1").decode(nssm.subarray(0, 2)), "MZ");
  });
});

Deno.test("without the installer's script nothing is made, and the sentence names it", async () => {
  await inFolder(async (folder) => {
    const { code, stderr } = await runTask(folder, "--script", join(folder, "none.iss"));
    assert.equal(code, 1);
    assert.match(stderr, /no installer script at .*none\.iss/);
    await assert.rejects(Deno.stat(join(folder, "stage")), Deno.errors.NotFound);
  });
});

Deno.test("the compiler runs as it is on Windows, in wine elsewhere, and by ISCC where that is set", () => {
  assert.deepEqual(compilerWords(undefined, "windows", "I.exe"), ["I.exe"]);
  assert.deepEqual(compilerWords(undefined, "linux", "/c/I.exe"), ["wine", "/c/I.exe"]);
  assert.deepEqual(compilerWords("", "darwin", "/c/I.exe"), ["wine", "/c/I.exe"]);
  assert.deepEqual(compilerWords("/lab/run iscc", "linux", "I.exe"), ["/lab/run", "iscc"]);
});

Deno.test("wine is told where its drive Z has a file", () => {
  assert.equal(compilerPath("/a/b c.iss", true), "Z:\\a\\b c.iss");
  assert.equal(compilerPath("/a/b c.iss", false), "/a/b c.iss");
});
