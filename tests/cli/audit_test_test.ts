/*
 * `audit-test` as a person runs it: one valid message at the server, and an exit code that says whether it got there.
 */

import assert from "node:assert/strict";
import { certificateFor } from "../helpers/certificates.ts";
import { Scratch } from "../helpers/scratch.ts";
import { SyslogServer } from "../helpers/syslog_server.ts";
import { inFolder, runCli } from "./run_cli.ts";

for (const protocol of ["udp", "tcp", "tls"] as const) {
  Deno.test(`audit-test sends one message over ${protocol}, under the permissions of the program`, async () => {
    await using scratch = await Scratch.make();
    const tls = await certificateFor(scratch.path, "localhost");
    await using server = await SyslogServer.start({ protocol, tls });
    const host = protocol === "tls" ? "localhost" : "127.0.0.1";
    const trust = protocol === "tls" ? { ca_file: tls.issuer } : {};
    const audit = { host, port: server.port, protocol, ...trust, site: "SITE" };
    await inFolder({ pacs_host: "h", audit }, async (folder) => {
      const { code, stdout, stderr } = await runCli(["audit-test"], folder);
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, new RegExp(`port ${server.port} \\(${protocol}\\): `));
    });
    await server.has(1);
    const [audited] = server.audits();
    assert.equal(audited!.event, "110113");
    assert.equal(audited!.source.get("AuditSourceID"), "SITE");
    assert.deepEqual(server.faults, []);
  });
}

Deno.test("audit-test says why a server takes no message, and that none is configured", async () => {
  const gone = await SyslogServer.start({ protocol: "tcp" });
  await gone.stop();
  const audit = { host: "127.0.0.1", port: gone.port, protocol: "tcp" };
  await inFolder({ pacs_host: "h", audit }, async (folder) => {
    const { code, stdout } = await runCli(["audit-test", "--json"], folder);
    assert.equal(code, 1);
    const { ok, lines } = JSON.parse(stdout);
    assert.equal(ok, false);
    assert.match(lines[0], /^127\.0\.0\.1, port \d+ \(tcp\): .*refused/i);
  });
  await inFolder({ pacs_host: "h" }, async (folder) => {
    const { code, stdout } = await runCli(["audit-test"], folder);
    assert.equal(code, 1);
    assert.match(stdout, /audit is not in the configuration/);
  });
});
