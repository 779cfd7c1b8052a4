/*
 * With `log_patient_info` set to false, who the patient is stands in the data sets and in the archive's folder names, and
 * nowhere else: not in the log at its most talkative, not in alarms, not in what is kept beside the images.
 */

import assert from "node:assert/strict";
import { CANARIES, everyFate } from "../helpers/every_fate.ts";
import { contentsOf, Scratch } from "../helpers/scratch.ts";

/** Each canary, and each part of a name. */
const WORDS = Object.values(CANARIES).flatMap((text) => text.split("^"));

/** Files that are data sets, by their names and nothing else: a file of another kind must not hide behind a length. */
const DATA_SET = /^(spool\/.*\.(dcm|part)|storage\/.*\.dcm)$/;

/** Folders named after the patient: the archive, and the file that the test puts in its way. */
const NAMED_AFTER_PATIENT = /^(storage|blocked)\//;

function wordsIn(text: string): string[] {
  return WORDS.filter((word) => text.toUpperCase().includes(word));
}

Deno.test("a patient is named in the data sets and the archive's folders, and nowhere else where log_patient_info is false", async () => {
  await using scratch = await Scratch.make();
  const found: string[] = [];
  const looked = new Set<string>();
  const look = () => {
    for (const path of contentsOf(scratch.path)) {
      if (!NAMED_AFTER_PATIENT.test(path)) {
        for (const word of wordsIn(path)) found.push(`the name ${path}: ${word}`);
      }
      if (path.endsWith("/") || DATA_SET.test(path)) continue;
      looked.add(path);
      const text = new TextDecoder("latin1").decode(Deno.readFileSync(scratch.at(path)));
      for (const word of wordsIn(text)) {
        const line = text.split("\n").find((one) => one.toUpperCase().includes(word)) ?? "";
        found.push(`${path}: ${line.slice(0, 300)}`);
      }
    }
  };
  const { said } = await everyFate(scratch, { log_patient_info: false }, {}, look, true);
  for (const [who, text] of said) {
    for (const word of wordsIn(text)) {
      const at = text.toUpperCase().indexOf(word);
      found.push(`${who}: ...${text.slice(Math.max(0, at - 150), at + 50)}`);
    }
  }
  assert.deepEqual([...new Set(found)], []);
  for (const kind of [/\.log$/, /ledger\/.*jsonl$/, /health\.json$/, /alarms\.json$/]) {
    assert.ok([...looked].some((path) => kind.test(path)), String(kind));
  }
  // The very things that would have named the patient happened.
  const log = said.get("first run")!;
  for (const event of [/warning/, /A900/, /cannot be written/, /SOMEBODYELSE/, /C000|ends/]) {
    assert.match(log, event);
  }
});

Deno.test("where log_patient_info is true the same canaries are found, so that the search finds them", async () => {
  await using scratch = await Scratch.make();
  const { said } = await everyFate(scratch, { log_patient_info: true }, {});
  const log = said.get("first run")!;
  for (const word of [CANARIES.patientId, CANARIES.accession, CANARIES.patientName]) {
    assert.ok(log.includes(word), word);
  }
  const named = [...said].filter(([, text]) => wordsIn(text).length > 0).map(([who]) => who);
  assert.ok(!named.includes("alarms"), "alarms have a switch of their own");
});
