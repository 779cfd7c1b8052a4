/*
 * When a forwarder says that it is ready.
 */

import assert from "node:assert/strict";
import { readiness } from "../../src/daemon/control.ts";

Deno.test("a forwarder is ready while it listens and takes what comes, and says why where it is not", () => {
  const listening = ["0.0.0.0:11112"];
  assert.deepEqual(readiness({ listening, disk: { refuses: null } }), { ok: true, reasons: [] });
  const refuses = "Too little free space";
  assert.deepEqual(readiness({ listening, disk: { refuses } }), { ok: false, reasons: [refuses] });
  assert.deepEqual(readiness({ listening: [], disk: { refuses } }), {
    ok: false,
    reasons: ["It does not listen", refuses],
  });
});
