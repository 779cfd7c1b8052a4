/* `alarm-test` as a person runs it, under the program's permissions. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { certificateFor } from "../helpers/certificates.ts";
import { Scratch } from "../helpers/scratch.ts";
import { SmtpServer } from "../helpers/smtp_server.ts";
import { WebhookServer } from "../helpers/webhook_server.ts";
import { runCli } from "./run_cli.ts";

function write(folder: string, alarms: Record<string, unknown>): void {
  const config = { pacs_host: "pacs.example", alarms };
  Deno.writeTextFileSync(join(folder, "config.json"), JSON.stringify(config));
}

Deno.test(
  "alarm-test sends to the webhook and, encrypted, to the mail server, and says so",
  async () => {
    await using scratch = await Scratch.make();
    await using server = new WebhookServer();
    const certificate = await certificateFor(scratch.path, "localhost");
    const login = { user: "forwarder", password: "SESAME" };
    for (const security of ["starttls", "tls"]) {
      await using mail = new SmtpServer({ certificate, tls: security === "tls", login });
      const email = {
        host: "localhost",
        port: mail.port,
        security,
        ca_file: "ca.pem",
        ...login,
        from: "forwarder@hospital.example",
        to: ["it@hospital.example"],
      };
      write(scratch.path, { webhook: { url: server.url("/SESAME") }, email });
      const { code, stdout, stderr } = await runCli(["alarm-test"], scratch.path);
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, /^webhook: sent: .*204/m);
      assert.match(stdout, /^e-mail: sent: mail server localhost:\d+ took the mail for it@/m);
      assert.doesNotMatch(stdout + stderr, /SESAME/);
      const [sent] = await mail.received(1);
      assert.ok(sent!.encrypted, security);
      assert.equal(sent!.login, "forwarder SESAME");
    }
    assert.equal(server.posted.length, 2);
  },
);

Deno.test("alarm-test ends with 1 where a channel does not take it, and says why, as text and as JSON", async () => {
  await using scratch = await Scratch.make();
  await using server = new WebhookServer();
  server.answer = () => new Response(null, { status: 500 });
  write(scratch.path, { webhook: { url: server.url() } });
  const text = await runCli(["alarm-test"], scratch.path);
  assert.equal(text.code, 1);
  assert.match(text.stdout, /^webhook: NOT SENT: .*answered 500/);
  const json = await runCli(["alarm-test", "--json"], scratch.path);
  assert.equal(json.code, 1);
  const { ok, lines } = JSON.parse(json.stdout);
  assert.deepEqual([ok, lines.length], [false, 1]);
});

Deno.test("alarm-test without a channel says that alarms go to the log", async () => {
  await using scratch = await Scratch.make();
  write(scratch.path, {});
  const { code, stdout } = await runCli(["alarm-test"], scratch.path);
  assert.equal(code, 0);
  assert.match(stdout, /go to the log alone/);
});
