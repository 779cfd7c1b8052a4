/* Alarms by e-mail, to a real mail server: what arrives, and what is said where it does not. */

import assert from "node:assert/strict";
import { ChannelError, type Notice } from "../../src/alarms/channel.ts";
import { Email, mailOf } from "../../src/alarms/email.ts";
import type { EmailConfig } from "../../src/config/alarms.ts";
import { certificateFor } from "../helpers/certificates.ts";
import { freePort } from "../helpers/child.ts";
import { Scratch } from "../helpers/scratch.ts";
import { SmtpServer } from "../helpers/smtp_server.ts";
import { within } from "../helpers/until.ts";

const SENDER = { site: "St. Anna", version: "1.2.3" };

function notice(more: Partial<Notice> = {}): Notice {
  const at = new Date(2026, 10, 23, 12, 5).getTime();
  return {
    event: "begin",
    key: "destination-down pacs",
    severity: "critical",
    title: "pacs is down",
    text: "Destination pacs is down.",
    since: at - 300_000,
    at,
    ...more,
  };
}

function config(port: number, more: Partial<EmailConfig> = {}): EmailConfig {
  return {
    host: "127.0.0.1",
    port,
    security: "none",
    login: null,
    caFile: null,
    from: "forwarder@hospital.example",
    to: ["radiology@hospital.example", "it@hospital.example"],
    ...more,
  };
}

const LOGIN = { user: "forwarder", password: "SESAME" };

function send(settings: EmailConfig, notices = [notice()], signal = new AbortController().signal) {
  return new Email(settings, SENDER).send(notices, 0, signal);
}

async function failure(...given: Parameters<typeof send>): Promise<string> {
  try {
    await send(...given);
  } catch (error) {
    assert(error instanceof ChannelError, String(error));
    assert.doesNotMatch(error.message, /SESAME|U0VTQU1F/);
    return error.message;
  }
  throw new Error("it was sent");
}

/** A header of a mail, unfolded. */
function header(text: string, name: string): string | undefined {
  const head = text.slice(0, text.indexOf("\n\n")).replaceAll(/\n[ \t]+/g, " ");
  return head.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
}

Deno.test("a mail arrives at everyone, as plain text, with what is wrong in its subject", async () => {
  await using server = new SmtpServer();
  const said = await send(config(server.port));
  assert.match(
    said,
    /took the mail for radiology@hospital\.example, it@hospital\.example \(250 queued as 1\)$/,
  );
  const [mail] = await server.received(1);
  assert.equal(mail!.from, "forwarder@hospital.example");
  assert.deepEqual(mail!.to, ["radiology@hospital.example", "it@hospital.example"]);
  assert.equal(header(mail!.text, "Subject"), "[DICOM Forwarder St. Anna] Pacs is down");
  assert.equal(header(mail!.text, "Auto-Submitted"), "auto-generated");
  assert.match(header(mail!.text, "Content-Type")!, /^text\/plain/);
  assert.match(mail!.text, /Pacs is down\n {2}Destination pacs is down\.\n {2}2026-11-23 12:05/);
});

Deno.test("a site whose name is not ASCII, or tries to be a header, comes as a name and nothing else", async () => {
  await using server = new SmtpServer();
  const site = "M\u00fcnchen\r\nBcc: someone@example";
  await new Email(config(server.port), { site, version: "1" })
    .send([notice()], 0, new AbortController().signal);
  const [mail] = await server.received(1);
  assert.equal(header(mail!.text, "Bcc"), undefined);
  assert.equal(mail!.to.length, 2);
  assert.match(header(mail!.text, "Subject")!, /=\?UTF-8\?/);
});

Deno.test("several messages are one mail, its subject the worst of them, an end said to be one", () => {
  const end = notice({ event: "end", title: "disk", text: "Over." });
  const warning = notice({ severity: "warning", title: "images wait", text: "They wait." });
  const repeat = notice({ event: "repeat", title: "pacs is down" });
  const { subject, text } = mailOf([end, warning, repeat], 2, SENDER);
  assert.equal(subject, "[DICOM Forwarder St. Anna] Still: pacs is down and 2 more");
  assert.match(text, /Over: disk\n.*\n[^]*Images wait\n[^]*2 older messages could not be sent/);
  assert.equal(mailOf([end], 0, SENDER).subject, "[DICOM Forwarder St. Anna] Over: disk");
});

Deno.test("a login is made where the configuration has one, and a refused one is told without the password", async () => {
  await using server = new SmtpServer({ login: LOGIN });
  await send(config(server.port, { login: LOGIN }));
  assert.equal((await server.received(1))[0]!.login, "forwarder SESAME");
  const words = await failure(config(server.port, { login: { ...LOGIN, password: "SESAMES" } }));
  assert.match(words, /does not take user and password: check alarms\.email\.user .* 535 5\.7\.8/);
});

Deno.test("a server that wants a login where none is configured, or has none, is told as that", async () => {
  await using wants = new SmtpServer({
    login: LOGIN,
    answer: (command) => command === "MAIL" ? "530 5.7.0 Authentication required" : undefined,
  });
  assert.match(await failure(config(wants.port)), /wants a login: set alarms\.email\.user/);
  await using none = new SmtpServer({
    answer: (command) => command === "AUTH" ? "502 not implemented" : undefined,
  });
  assert.match(await failure(config(none.port, { login: LOGIN })), /check alarms\.email\.user/);
});

Deno.test("a server without STARTTLS gets neither mail nor password where encryption is asked for", async () => {
  await using server = new SmtpServer({ login: LOGIN });
  const words = await failure(config(server.port, { security: "starttls", login: LOGIN }));
  assert.match(words, /no encrypted connection comes about: check port and security/);
  assert.ok(!server.commands.includes("AUTH") && !server.commands.includes("MAIL"));
});

Deno.test(
  "a certificate of an unknown issuer is refused, with STARTTLS and with TLS, before the password is sent, and one of a named issuer is taken",
  async () => {
    await using scratch = await Scratch.make();
    const certificate = await certificateFor(scratch.path, "localhost");
    for (const security of ["starttls", "tls"] as const) {
      await using server = new SmtpServer({ certificate, tls: security === "tls", login: LOGIN });
      const settings = config(server.port, { host: "localhost", security, login: LOGIN });
      assert.match(
        await failure(settings),
        /issuer .* not trust.*alarms\.email\.ca_file/,
        security,
      );
      assert.ok(!server.commands.includes("AUTH"));
      await send({ ...settings, caFile: certificate.issuer });
      assert.ok((await server.received(1))[0]!.encrypted);
      const other = { ...settings, host: "127.0.0.1", caFile: certificate.issuer };
      assert.match(await failure(other), /certificate is for another name/, security);
      const missing = { ...settings, caFile: scratch.at("no.pem") };
      assert.match(
        await failure(missing),
        /no\.pem \(ca_file\) cannot be read: there is no such file/,
      );
      const key = { ...settings, caFile: certificate.key };
      assert.match(await failure(key), /server\.key \(ca_file\) has no certificate in it/);
    }
  },
);

Deno.test("what hinders a mail is told in words that say what to do", async () => {
  const refusing = (which: string, line: string) => (command: string) =>
    command.startsWith(which) ? line : undefined;
  const rows: [string, RegExp][] = [
    [
      "RCPT",
      /does not take sender or recipient: check alarms\.email\.from and to .*550 no such user/,
    ],
    ["MAIL", /does not take sender or recipient/],
    ["MAIL-TEXT", /does not take the mail: look at its log .*550 no such user/],
  ];
  for (const [which, wanted] of rows) {
    await using server = new SmtpServer({
      answer: (command) =>
        which === "MAIL" && command === "MAIL-TEXT"
          ? undefined
          : refusing(which, "550 no such user")(command),
    });
    assert.match(await failure(config(server.port)), wanted, which);
  }
  await using busy = new SmtpServer({ answer: refusing("GREETING", "421 too busy") });
  assert.match(await failure(config(busy.port)), /421 too busy/);
  await using closing = new SmtpServer({ answer: refusing("DATA", "close") });
  assert.match(await failure(config(closing.port)), /broke off: look at the mail server's log/);
  assert.match(
    await failure(config(freePort())),
    /nothing listens there: check alarms\.email\.host/,
  );
  assert.match(
    await failure(config(25, { host: "no-such-host.invalid" })),
    /host name cannot be resolved/,
  );
});

Deno.test("a recipient that is not taken is told, and the others get the mail", async () => {
  await using server = new SmtpServer({
    answer: (command) => command.includes("it@hospital") ? "550 unknown" : undefined,
  });
  const said = await send(config(server.port));
  assert.match(said, /took the mail for radiology@hospital\.example .*, but not for it@hospital/);
  assert.deepEqual((await server.received(1))[0]!.to, ["radiology@hospital.example"]);
});

Deno.test("an attempt at a server that hangs ends with the signal", async () => {
  for (const where of ["GREETING", "DATA"]) {
    const stop = new AbortController();
    await using server = new SmtpServer({
      answer(command) {
        if (command !== where) return undefined;
        // When the attempt has come to where it hangs.
        queueMicrotask(() => stop.abort());
        return "hang";
      },
    });
    const words = failure(config(server.port), [notice()], stop.signal);
    assert.match(await within(words, 3000, "the attempt to end"), /broken off/, where);
  }
});
