/*
 * One version, in deno.json: a release with another tag is refused, and no other file has a copy that could be left behind.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { releaseNotes } from "../../.ci/release/release_notes.ts";
import { ROOT } from "../../.ci/release/script.ts";

const CHANGELOG = `# Changes

## Unreleased

- Not yet.

## 1.10.0 (2027-01-31)

- Faster.

- Safer.

## 1.1.0

- Older.
`;

Deno.test("the notes of a release are its own section of the changes", () => {
  assert.equal(
    releaseNotes("v1.10.0", "1.10.0", CHANGELOG),
    "- Faster.\n\n- Safer.".replaceAll("\\n", "\n"),
  );
  assert.equal(releaseNotes("v1.1.0", "1.1.0", CHANGELOG), "- Older.");
});

Deno.test("a tag that is not the version, or a version without changes, makes no release", () => {
  assert.throws(() => releaseNotes("v1.1.0", "1.10.0", CHANGELOG), /tag is "v1\.1\.0".*v1\.10\.0/);
  assert.throws(() => releaseNotes("1.1.0", "1.1.0", CHANGELOG), /v1\.1\.0 is wanted/);
  assert.throws(() => releaseNotes("v2.0.0", "2.0.0", CHANGELOG), /no section "## 2\.0\.0"/);
  assert.throws(() => releaseNotes("v2.0.0", "2.0.0", "## 2.0.0\n\n## 1.0.0\n"), /is empty/);
});

Deno.test("README, the installer and the workflows have no copy of the version", async () => {
  const workflows = [...Deno.readDirSync(join(ROOT, ".github/workflows"))]
    .map(({ name }) => join(".github/workflows", name));
  for (const name of ["README.md", "installer.iss", ...workflows]) {
    const text = await Deno.readTextFile(join(ROOT, name)).catch((error) => {
      // The installer's script need not be there for the rest to be true.
      if (name === "installer.iss" && error instanceof Deno.errors.NotFound) return "";
      throw error;
    });
    const copies = text.split("\n").filter((line) => hasVersion(line, manifest.version));
    assert.deepEqual(copies, [], name);
  }
});

/** Whether a line has the version as a number of its own: 1.2.0 is not in 11.2.0 nor in 1.2.0.4. */
function hasVersion(line: string, version: string): boolean {
  return new RegExp(`(?<![\\d.])${version.replaceAll(".", "\\.")}(?![\\d]|\\.\\d)`).test(line);
}

Deno.test("a copy of the version would be seen", () => {
  assert.ok(hasVersion("badge/version-0.1.0-blue", "0.1.0"));
  assert.ok(!hasVersion("at 10.1.0.5, and 0.1.01", "0.1.0"));
});
