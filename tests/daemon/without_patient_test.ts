/*
 * What a destination said reaches an overview without the patient in it.
 */

import assert from "node:assert/strict";
import { withoutPatient } from "../../src/daemon/without_patient.ts";

Deno.test("of what a node answered its status stays, and its comment goes", () => {
  const cases = [
    ["Success (0000)", "Success (0000)"],
    ["Cannot understand (C000): DOE^JANE (1234): x\ny", "Cannot understand (C000)"],
    ["10.0.0.1:104 refused the connection", "10.0.0.1:104 refused the connection"],
    [
      "no answer within 60 s (on instance 1.2.3, attempt 2 of it)",
      "no answer within 60 s (on instance 1.2.3, attempt 2 of it)",
    ],
  ] as const;
  for (const [said, wanted] of cases) assert.equal(withoutPatient(said), wanted);
});

Deno.test("of a path in an archive the archive's folder stays, and what is below it goes", () => {
  const cases = [
    ["stored as /a b/archive/DOE JANE/1.2/1.3/1.4.dcm", "stored as /a b/archive/..."],
    [
      "Cannot write to /a b/archive: No space left (os error 28): mkdir '/a b/archive/DOE'",
      "Cannot write to /a b/archive: No space left (os error 28): mkdir '/a b/archive/...",
    ],
    [
      "Permission denied (os error 13): link '/spool/x' -> '/a b/archive/DOE/1'",
      "Permission denied (os error 13): link '/spool/x' -> '/a b/archive/...",
    ],
    ["Cannot write to /a b/archive: Is a file", "Cannot write to /a b/archive: Is a file"],
  ] as const;
  for (const [said, wanted] of cases) assert.equal(withoutPatient(said, "/a b/archive"), wanted);
  assert.equal(withoutPatient("stored as /a b/archive/DOE/1", "/a b/archive/"), cases[0][1]);
  assert.equal(withoutPatient("stored as /DOE/1.dcm", "/"), "stored as /...");
});
