/*
 * `release_notes.ts TAG`: checks that a tag names the version in deno.json, and prints what CHANGELOG.md says of it.
 *
 * A release whose tag, version and changes do not agree is not made.
 */

import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { printLine } from "../../src/cli/terminal.ts";
import { ROOT, runScript } from "./script.ts";

/**
 * The section of a version, `## 1.2.0` or `## 1.2.0 (2027-01-31)`, without its heading. An error where the tag is not the
 * version's, or the section is missing or empty.
 */
export function releaseNotes(tag: string, version: string, changelog: string): string {
  if (tag !== `v${version}`) {
    throw new Error(
      `The tag is "${tag}", but deno.json has version ${version}: v${version} is wanted.`,
    );
  }
  const lines = changelog.split(/\r?\n/);
  const heading = (line: string) => /^## (\S+)/.exec(line)?.[1];
  const start = lines.findIndex((line) => heading(line) === version);
  if (start < 0) throw new Error(`CHANGELOG.md has no section "## ${version}".`);
  const length = lines.slice(start + 1).findIndex((line) => heading(line) !== undefined);
  const section = lines.slice(start + 1, length < 0 ? undefined : start + 1 + length);
  const notes = section.join("\n").trim();
  if (notes === "") throw new Error(`The section "## ${version}" of CHANGELOG.md is empty.`);
  return notes;
}

if (import.meta.main) {
  await runScript(async () => {
    const changelog = await Deno.readTextFile(join(ROOT, "CHANGELOG.md"));
    printLine(releaseNotes(Deno.args[0] ?? "", manifest.version, changelog));
  });
}
