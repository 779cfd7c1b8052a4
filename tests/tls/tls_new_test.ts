/* `tls-new`: what it writes is what OpenSSL and the forwarder take, and nothing is overwritten. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { tlsNewCommand } from "../../src/cli/tls_new.ts";
import { ExitCode } from "../../src/cli/exit_code.ts";
import { configFrom } from "../../src/config/load.ts";
import { lookAtCertificates } from "../../src/doctor/certificates.ts";
import { loadCredentials } from "../../src/tls/credentials.ts";
import { makeCertificate } from "../../src/tls/make_certificate.ts";
import { testConnection } from "../../src/dimse/try_connection.ts";
import { run } from "../helpers/child.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { Scratch } from "../helpers/scratch.ts";

const DAY = 86_400_000;

async function make(
  dir: string,
  name = ["forwarder.example", "192.168.1.5", "fd00::12", "127.0.0.1"],
) {
  return await tlsNewCommand({ dir, name, json: true, now: Date.now() });
}

async function openssl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run("openssl", args);
  return `${code} ${stdout}${stderr}`;
}

Deno.test("what tls-new writes passes openssl verify, each for its purpose alone", async () => {
  await using scratch = await Scratch.make();
  assert.equal(await make(scratch.at("tls")), ExitCode.Ok);
  const at = (name: string) => join(scratch.at("tls"), name);
  const verify = (purpose: string, file: string, ...more: string[]) =>
    openssl(
      "verify",
      "-x509_strict",
      "-purpose",
      purpose,
      "-CAfile",
      at("ca.pem"),
      ...more,
      at(file),
    );
  assert.match(await verify("sslserver", "server.pem"), /^0 .*OK/);
  assert.match(await verify("sslclient", "client.pem"), /^0 .*OK/);
  assert.match(await verify("sslserver", "client.pem"), /^[^0]/);
  assert.match(await verify("sslclient", "server.pem"), /^[^0]/);
  for (
    const [how, name] of [["hostname", "forwarder.example"], ["ip", "192.168.1.5"], [
      "ip",
      "fd00::12",
    ]]
  ) {
    assert.match(await verify("sslserver", "server.pem", `-verify_${how}`, name!), /^0 .*OK/, name);
  }
  assert.match(await verify("sslserver", "server.pem", "-verify_hostname", "b.example"), /^[^0]/);
  const text = await openssl("x509", "-in", at("server.pem"), "-noout", "-text");
  assert.match(text, /CA:FALSE/);
  assert.match(text, /Key Usage: critical\s+Digital Signature\s*\n/);
  const ca = await openssl("x509", "-in", at("ca.pem"), "-noout", "-text");
  assert.match(ca, /Basic Constraints: critical\s+CA:TRUE/);
  assert.match(ca, /Certificate Sign, CRL Sign/);
  const [server] = loadCredentials({
    certificate: at("server.pem"),
    key: at("server.key"),
    keyPassphrase: null,
    ca: [],
  }).certificates;
  assert.equal(Math.round((server!.to - Date.now()) / DAY), 825);
});

Deno.test("keys of tls-new are their owner's alone, and nothing is overwritten", async () => {
  await using scratch = await Scratch.make();
  assert.equal(await make(scratch.path), ExitCode.Ok);
  for (const name of ["ca.key", "server.key", "client.key"]) {
    if (Deno.build.os !== "windows") {
      assert.equal(Deno.statSync(scratch.at(name)).mode! & 0o777, 0o600, name);
    }
  }
  const before = Deno.readTextFileSync(scratch.at("ca.key"));
  Deno.removeSync(scratch.at("server.pem"));
  assert.equal(await make(scratch.path), ExitCode.Failed);
  assert.equal(Deno.readTextFileSync(scratch.at("ca.key")), before);
  assert.equal(await make(scratch.at("other"), ["not a name"]), ExitCode.Usage);
});

Deno.test("a forwarder and a sender with the files of tls-new understand each other", async () => {
  await using scratch = await Scratch.make();
  assert.equal(await make(scratch.at("tls")), ExitCode.Ok);
  const settings = {
    tls: { port: 0, certificate: "tls/server.pem", key: "tls/server.key", ca: "tls/ca.pem" },
    destinations: [nodeAt("pacs", 9)],
  };
  await using forwarder = await Forwarder.start(scratch.path, settings);
  const tls = { ca: "tls/ca.pem", certificate: "tls/client.pem", key: "tls/client.key" };
  const destinations = [
    nodeAt("self", forwarder.daemon.tlsPort!, { tls, ae_title: "DICOMFORWARDER" }),
  ];
  const [node] = configFrom({ destinations }, scratch.path).destinations;
  assert.equal(node!.type, "dicom");
  if (node!.type !== "dicom") return;
  const result = await testConnection("self", node!, node!.timeouts, new AbortController().signal);
  assert.equal(result.ok, true, JSON.stringify(result));
  assert.match(result.steps[0]!.text, /with TLS/);
});

Deno.test("an encrypted key is read with its passphrase, and told of without", async () => {
  await using scratch = await Scratch.make();
  const now = Date.now();
  const made = await makeCertificate({
    subject: "a",
    purpose: "server",
    notBefore: now - DAY,
    notAfter: now + DAY,
  });
  const files = { certificate: scratch.at("a.pem"), key: scratch.at("a.key"), ca: [] };
  Deno.writeTextFileSync(files.certificate, made.certificate);
  Deno.writeTextFileSync(scratch.at("plain.key"), made.key);
  const encrypt = ["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "pass:hunter2"];
  assert.match(await openssl(...encrypt, "-in", scratch.at("plain.key"), "-out", files.key), /^0/);
  assert.equal(
    loadCredentials({ ...files, keyPassphrase: "hunter2" }).key?.trim(),
    loadCredentials({ ...files, key: scratch.at("plain.key"), keyPassphrase: null }).key?.trim(),
  );
  assert.throws(() => loadCredentials({ ...files, keyPassphrase: null }), /key_passphrase/);
  assert.throws(() => loadCredentials({ ...files, keyPassphrase: "x" }), /right passphrase/);
});

Deno.test("check and doctor tell when a certificate ends, and what is wrong with its files", async () => {
  await using scratch = await Scratch.make();
  assert.equal(await make(scratch.path), ExitCode.Ok);
  const config = configFrom({
    tls: { certificate: "server.pem", key: "server.key", ca: "ca.pem" },
    destinations: [
      nodeAt("pacs", 1, { tls: { ca: "ca.pem", certificate: "client.pem", key: "server.key" } }),
    ],
  }, scratch.path);
  const at = (days: number) =>
    lookAtCertificates(config, Date.now() + days * DAY).map(({ level, text }) =>
      `${level} ${text}`
    );
  assert.match(at(0)[0]!, /^ok tls: certificates are good until/);
  assert.match(at(0)[1]!, /^problem tls of pacs: The key .* is not the one of the certificate/);
  assert.match(at(800)[0]!, /^warning tls: the certificate "forwarder.example" .* in 24 days/);
  assert.match(at(826)[0]!, /^problem .* has expired on/);
  assert.match(at(-2)[0]!, /^problem .* is not valid before/);
});
