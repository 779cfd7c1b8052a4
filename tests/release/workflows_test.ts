/*
 * The workflows run what this repository has, on one Deno, with actions that nobody can change afterwards.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { ROOT } from "../../.ci/release/script.ts";
import { ALL_PEERS } from "../helpers/required_peers.ts";

const FOLDER = join(ROOT, ".github/workflows");
const WORKFLOWS = [...Deno.readDirSync(FOLDER)].map(({ name }) => name);

const read = (name: string) => Deno.readTextFileSync(join(FOLDER, name));

/** What follows each match's first group, over all workflows. At least one. */
function all(pattern: RegExp): string[] {
  const found = WORKFLOWS.flatMap((name) =>
    [...read(name).matchAll(pattern)].map((one) => one[1]!)
  );
  assert.ok(found.length > 0, `nothing matches ${pattern}`);
  return found;
}

Deno.test("every action is named by its commit, with its version beside it", () => {
  for (const action of all(/uses: (.*)/g)) {
    assert.match(action, /^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  }
});

Deno.test("every task and script that a workflow runs is there", () => {
  for (const task of all(/deno@\S+ task (\S+)/g)) assert.ok(task in manifest.tasks, task);
  for (const script of all(/(\.ci\/\S+)/g)) assert.ok(Deno.statSync(join(ROOT, script)).isFile);
});

Deno.test("a workflow that runs the tests installs every peer that they need", () => {
  const wanted = ALL_PEERS.map((peer) => peer.package).sort();
  for (const packages of all(/apt-get install -q -y --no-install-recommends (.*)/g)) {
    assert.deepEqual(packages.split(" ").sort(), wanted);
  }
});

Deno.test("one version of Deno runs, tests and builds", () => {
  const here = /deno@(\S+)/.exec(Deno.readTextFileSync(join(ROOT, ".ci/run")))?.[1];
  for (const version of all(/deno@(\S+)/g)) assert.equal(version, here);
});

Deno.test("a workflow grants nothing but what each job names", () => {
  const release = read("release.yml");
  assert.match(release, /^permissions: \{\}$/m);
  const writing = release.split("\n").filter((line) => /: write\b/.test(line));
  assert.deepEqual(
    writing.map((line) => line.trim().split(":")[0]),
    ["contents", "id-token", "attestations"],
  );
  assert.doesNotMatch(read("ci.yml"), /: write\b/);
  assert.match(read("ci.yml"), /^permissions:\n {2}contents: read$/m);
});
