/*
 * Every file that the forwarder makes is its owner's alone (0600, or 0400 where nobody writes any more), every folder 0700,
 * whatever the umask it was started with.
 */

import assert from "node:assert/strict";
import { everyFate } from "../helpers/every_fate.ts";
import { Scratch } from "../helpers/scratch.ts";

/** What the test itself makes. */
const NOT_OURS = /^(config\.json|blocked(\/KANARIID4711)?)$/;

/** Kinds of files that have to have been seen, or the test has looked at nothing. */
const KINDS = [
  /^spool\/(LOCK|VERSION)$/,
  /^spool\/incoming\//,
  /^spool\/queue\/..\/.*\.dcm$/,
  /^spool\/failed\/refusing\/.*\.dcm$/,
  /^spool\/failed\/refusing\/.*\.json$/,
  /^spool\/held\/down\/.*\.json$/,
  /^spool\/corrupt\/.*\.json$/,
  /^spool\/ledger\/.*\.jsonl$/,
  /^spool\/(health|alarms|paused|control)\.json$/,
  /^logs\/dicom_forwarder_.*\.log$/,
  /^storage\/KANARIID4711\/.*\.dcm$/,
];

for (const umask of ["000", "077"]) {
  Deno.test({
    name: `every file and folder is closed to all but its owner under umask ${umask}`,
    ignore: Deno.build.os === "windows",
    fn: async () => {
      await using scratch = await Scratch.make();
      const seen = new Map<string, string>();
      await everyFate(scratch, { log_patient_info: true }, { umask }, () => {
        for (const [path, mode] of modesBelow(scratch.path)) seen.set(`${path} ${mode}`, path);
      });
      const wrong = [...seen].filter(([line, path]) =>
        !NOT_OURS.test(path) && !/ (folder 700|file [64]00)$/.test(line)
      );
      assert.deepEqual(wrong.map(([line]) => line), []);
      const paths = [...seen.values()];
      for (const kind of KINDS) assert.ok(paths.some((path) => kind.test(path)), String(kind));
    },
  });
}

/** Every file and folder below one, with its kind and mode. */
function* modesBelow(folder: string, prefix = ""): Generator<[path: string, mode: string]> {
  for (const { name, isDirectory } of entriesOf(folder)) {
    const path = `${folder}/${name}`;
    try {
      const mode = (Deno.lstatSync(path).mode! & 0o7777).toString(8);
      yield [prefix + name, `${isDirectory ? "folder" : "file"} ${mode}`];
    } catch (error) {
      // It has moved on between the two looks.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      continue;
    }
    if (isDirectory) yield* modesBelow(path, `${prefix}${name}/`);
  }
}

function entriesOf(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)];
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return [];
  }
}
