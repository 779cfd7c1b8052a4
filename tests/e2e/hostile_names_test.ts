/*
 * Texts that have broken out of folders, logs and pages elsewhere, in every field a peer can fill.
 *
 * UIDs that are none are refused; everything else is taken and archived under a name made safe. Whatever happens, no file
 * appears outside the spool, the archive and the log, and no log line is anything but a line.
 */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { isUid } from "../../src/dicom/uid.ts";
import { ATTACKS } from "../helpers/attack_names.ts";
import { Forwarder } from "../helpers/forwarder.ts";
import { asBytes, type InstanceFields, instanceOf } from "../helpers/instances.ts";
import { captureLog } from "../helpers/log_file.ts";
import { contentsOf, Scratch } from "../helpers/scratch.ts";
import { Sender } from "../helpers/sender.ts";

/** One character a byte: that is how they travel. */
const HOSTILE: readonly string[] = [
  // Some of the names harm only beside others: by themselves they are UIDs, or nothing but padding.
  ...ATTACKS.map(asBytes).filter((text) => !isUid(text) && text.trim() !== ""),
  "../../../../../../../../tmp/forwarder-escaped",
  "/etc/cron.d/forwarder-escaped",
  "1.2.3\r\n2026-01-01 00:00:00.000 ERROR forged",
  "../".repeat(85),
  "a".repeat(4096),
];

/** Where some of them would lead. */
const ELSEWHERE = ["/tmp/forwarder-escaped", "/etc/cron.d/forwarder-escaped", "/x"];

const SAFE_PART = /^(?![ .-])[A-Za-z0-9._ ~-]{1,64}$/;

/** AE titles are 16 characters long, whatever is in them (PS3.8 Table 9-11). */
function aeTitleOf(text: string): string {
  return text.slice(0, 16);
}

Deno.test("hostile texts in any field create nothing outside the spool and the archive", async (context) => {
  await using scratch = await Scratch.make();
  // Two levels further down, so that what climbs out of its folder still lands where it is seen.
  const home = scratch.folder("deep", "home");
  const log = await captureLog(scratch.at("deep", "home", "logs"));
  let good = 0;
  try {
    await using forwarder = await Forwarder.start(home, {
      store_locally: true,
      storage_dir: "archive",
      require_called_ae_title: false,
    });
    const before = outside(scratch);
    const store = async (
      fields: InstanceFields & { readonly commandUid?: string },
      titles: { calling?: string; called?: string } = {},
    ) => {
      await using sender = await Sender.open(forwarder.port, { ...titles, responseMs: 5000 });
      const instance = instanceOf(fields);
      return await sender.send({
        ...instance,
        sopInstanceUid: fields.commandUid ?? instance.sopInstanceUid,
      });
    };
    const each = async (
      name: string,
      attempt: (text: string, uid: string) => Promise<number>,
      expected: (text: string) => number,
    ) => {
      await context.step(name, async () => {
        for (const [index, text] of HOSTILE.entries()) {
          const status = await attempt(text, `1.2.77.${name.length}.${index}`);
          assert.equal(
            status.toString(16),
            expected(text).toString(16),
            JSON.stringify(text.slice(0, 80)),
          );
          if (status === 0) good++;
          assert.deepEqual(outside(scratch), before, JSON.stringify(text.slice(0, 80)));
        }
        // The next good one is served.
        assert.equal(await store({ sopInstanceUid: `1.2.78.${name.length}` }), 0);
        good++;
      });
    };
    await each(
      "SOP Instance UID of the command",
      (text) => store({ commandUid: text, sopInstanceUid: "1.2.3" }),
      () => 0x0117,
    );
    await each(
      "SOP Instance UID of both",
      (text) => store({ sopInstanceUid: text }),
      (text) => isUid(text) ? 0 : 0x0117,
    );
    await each(
      "SOP Instance UID of the data set",
      (text, uid) => store({ commandUid: uid, sopInstanceUid: text }),
      () => 0xa900,
    );
    await each(
      "Study Instance UID",
      (text, uid) => store({ sopInstanceUid: uid, studyUid: text }),
      () => 0,
    );
    await each(
      "Series Instance UID",
      (text, uid) => store({ sopInstanceUid: uid, seriesUid: text }),
      () => 0,
    );
    await each(
      "Patient ID",
      (text, uid) => store({ sopInstanceUid: uid, patientId: text }),
      () => 0,
    );
    await each("Modality", (text, uid) => store({ sopInstanceUid: uid, modality: text }), () => 0);
    await each(
      "Calling AE title",
      (text, uid) => store({ sopInstanceUid: uid }, { calling: aeTitleOf(text) }),
      () => 0,
    );
    await each(
      "Called AE title",
      (text, uid) => store({ sopInstanceUid: uid }, { called: aeTitleOf(text) }),
      () => 0,
    );
    await forwarder.delivered("archive", good);
  } finally {
    const lines = await log();
    for (const line of lines) {
      assert.match(line, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (DEBUG|INFO|WARN|ERROR)/);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(line, /[\x00-\x1f\x7f-\x9f\u202e]/);
    }
    const refusals = lines.filter((line) => /Instance refused/.test(line));
    assert.ok(refusals.length >= 2 * HOSTILE.length, `only ${refusals.length} refusals are logged`);
  }
  for (const path of ELSEWHERE) assert.equal(existsSync(path), false, path);
  const archived = contentsOf(scratch.at("deep", "home", "archive"));
  const files = archived.filter((path) => path.endsWith(".dcm"));
  assert.equal(files.length, good);
  for (const path of files) {
    const parts = path.split("/");
    assert.equal(parts.length, 4, path);
    for (const part of parts) assert.match(part, SAFE_PART, path);
  }
  const names = new Set(files.map((path) => path.toLowerCase()));
  assert.equal(names.size, files.length, "two names differ in upper and lower case alone");
});

/** Everything below the test's folder but what belongs to the spool, the archive and the log. */
function outside(scratch: Scratch): string[] {
  return contentsOf(scratch.path).filter((path) =>
    !/^deep\/home\/(spool|archive|logs)\//.test(path)
  );
}
