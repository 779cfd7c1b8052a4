/*
 * TLS between the forwarder and other people's software: DCMTK and Orthanc, each in both roles, with certificates on both
 * sides; and what must not come through.
 */

import assert from "node:assert/strict";
import { writeStudy } from "../../src/cli/demo_study.ts";
import { Authority, type Flaw, writeMade } from "../helpers/certificates.ts";
import { run } from "../helpers/child.ts";
import { echoscu, FORWARDER_AE, Storescp, storescu } from "../helpers/dcmtk.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { factsIn, fingerprints, sha256, splitFile } from "../helpers/hashes.ts";
import { Orthanc, ORTHANC_AE } from "../helpers/orthanc.ts";
import { DCMTK, ORTHANC, peerTest } from "../helpers/required_peers.ts";
import { Scratch } from "../helpers/scratch.ts";

/** Certificates of one test's site. */
class Site {
  readonly scratch: Scratch;
  readonly authority: Authority;
  readonly ca: string;

  private constructor(scratch: Scratch, authority: Authority) {
    this.scratch = scratch;
    this.authority = authority;
    this.ca = writeMade(scratch.path, "ca", authority.made).certificate;
  }

  static async make(scratch: Scratch): Promise<Site> {
    return new Site(scratch, await Authority.make());
  }

  async issue(name: string, purpose: "server" | "client", flaw?: Flaw) {
    const made = await this.authority.issue(purpose, ["127.0.0.1", "localhost"], flaw);
    return writeMade(this.scratch.path, name, made);
  }

  /** The forwarder's `tls`. */
  async listener(more: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    return { tls: { port: 0, ...await this.issue("server", "server"), ca: this.ca, ...more } };
  }

  /** DCMTK's options for one who shows a certificate. */
  async dcmtk(name: string, purpose: "server" | "client", flaw?: Flaw): Promise<string[]> {
    const { key, certificate } = await this.issue(name, purpose, flaw);
    return ["+tls", key, certificate, "+cf", this.ca];
  }

  /** A destination's `tls`. */
  async destination(flaw?: Flaw): Promise<Record<string, unknown>> {
    return { ca: this.ca, ...await this.issue("ours", "client", flaw) };
  }
}

peerTest(
  "storescu to storescp, TLS with certificates on both sides and on both ways, byte for byte",
  [DCMTK],
  async () => {
    await using scratch = await Scratch.make();
    const site = await Site.make(scratch);
    await writeStudy(scratch.at("study"), { instances: 200, rows: 64, columns: 64, seed: 1 });
    // One of more than 20 MB.
    await writeStudy(scratch.at("large"), { instances: 1, rows: 3300, columns: 3300, seed: 2 });
    await using storescp = await Storescp.start({
      folder: scratch.at("arrived"),
      more: await site.dcmtk("pacs", "server"),
    });
    await using forwarder = await Forwarder.start(scratch.path, {
      ...await site.listener(),
      destinations: [nodeAt("pacs", storescp.port, { tls: await site.destination() })],
    });
    const options = await site.dcmtk("modality", "client");
    const echo = await echoscu(forwarder.daemon.tlsPort!, options);
    assert.equal(echo.code, 0, echo.stderr);
    const sent = await Promise.all(
      ["study", "large"].map((folder) =>
        storescu(forwarder.daemon.tlsPort!, [...options, "+sd"], [scratch.at(folder)])
      ),
    );
    assert.deepEqual(sent.map(({ code }) => code), [0, 0], sent[0]!.stderr + sent[1]!.stderr);
    await forwarder.delivered("pacs", 201);
    const given = [...factsIn(scratch.at("study")), ...factsIn(scratch.at("large"))];
    assert.ok(given.some(({ length }) => length > 20_000_000));
    assert.deepEqual(fingerprints(storescp.stored()), fingerprints(given));
  },
);

peerTest("DCMTK with a certificate that is not right gets no association", [DCMTK], async () => {
  await using scratch = await Scratch.make();
  const site = await Site.make(scratch);
  await using forwarder = await Forwarder.start(scratch.path, {
    ...await site.listener(),
    destinations: [nodeAt("pacs", 9)],
  });
  const port = forwarder.daemon.tlsPort!;
  const flaws = ["expired", "not yet valid", "other issuer", "wrong usage", "self-signed"] as const;
  for (const flaw of flaws) {
    const answer = await echoscu(port, await site.dcmtk("modality", "client", flaw));
    assert.notEqual(answer.code, 0, flaw);
  }
  const anonymous = await echoscu(port, ["+tla", "+cf", site.ca]);
  assert.notEqual(anonymous.code, 0);
  const plain = await echoscu(port);
  assert.notEqual(plain.code, 0);
  const right = await echoscu(port, await site.dcmtk("modality", "client"));
  assert.equal(right.code, 0, right.stderr);
});

peerTest("a storescp with a certificate that is not right gets nothing", [DCMTK], async () => {
  await using scratch = await Scratch.make();
  const site = await Site.make(scratch);
  await writeStudy(scratch.at("study"), { instances: 1, rows: 16, columns: 16, seed: 1 });
  const flaws: Flaw[] = ["expired", "other issuer", "wrong usage", "self-signed", "wrong name"];
  for (const flaw of flaws) {
    const folder = scratch.at("arrived", flaw.replaceAll(" ", "-"));
    const files = await site.issue("pacs", "server", flaw);
    await using storescp = await Storescp.start({
      folder,
      more: ["+tls", files.key, files.certificate, "+cf", site.ca],
    });
    const settings = (verifyName: boolean) => ({
      spool_dir: scratch.at("spool", flaw.replaceAll(" ", "-")),
      destinations: [
        nodeAt("pacs", storescp.port, { tls: { ca: site.ca, verify_name: verifyName } }),
      ],
    });
    await using forwarder = await Forwarder.start(scratch.path, settings(true));
    const sent = await storescu(forwarder.port, ["+sd"], [scratch.at("study")]);
    assert.equal(sent.code, 0, sent.stderr);
    await forwarder.troubled("pacs", /TLS to 127.0.0.1:\d+ failed: its certificate/);
    assert.deepEqual(storescp.stored(), [], flaw);
  }
});

peerTest("Orthanc sends to us and receives from us with TLS", [ORTHANC, DCMTK], async () => {
  await using scratch = await Scratch.make();
  const site = await Site.make(scratch);
  const study = scratch.at("study");
  await writeStudy(study, { instances: 20, rows: 128, columns: 128, seed: 3 });
  // Orthanc shows one certificate in both roles.
  const both = await site.issue("orthanc", "server");
  const client = await site.issue("orthanc-client", "client");
  const secured = (files: { certificate: string; key: string }) => ({
    DicomTlsEnabled: true,
    DicomTlsCertificate: files.certificate,
    DicomTlsPrivateKey: files.key,
    DicomTlsTrustedCertificates: site.ca,
    DicomTlsRemoteCertificateRequired: true,
  });
  await using orthanc = await Orthanc.start(scratch.at("behind"), secured(both));
  await using before = await Orthanc.start(scratch.at("before"), {
    ...secured(client),
    DicomTlsEnabled: false,
  });
  await using forwarder = await Forwarder.start(scratch.path, {
    ...await site.listener({ only: true }),
    destinations: [
      nodeAt("pacs", orthanc.port, { ae_title: ORTHANC_AE, tls: await site.destination() }),
    ],
  });
  for (const { path } of factsIn(study)) await before.put(Deno.readFileSync(path));
  await before.sendAll({ aeTitle: FORWARDER_AE, port: forwarder.daemon.tlsPort!, tls: true });
  await forwarder.delivered("pacs", 20);
  const found: string[] = [];
  for (const id of await orthanc.instances()) {
    const { meta, dataSet } = splitFile(await orthanc.file(id));
    found.push(`${meta.get(0x0003)} ${sha256(dataSet)}`);
  }
  const expected = factsIn(study).map((one) => `${one.sopInstanceUid} ${one.hash}`);
  assert.deepEqual(found.sort(), expected.sort());
});

Deno.test("openssl gets TLS 1.2 with ECDHE and AEAD, TLS 1.3, and nothing else", async () => {
  await using scratch = await Scratch.make();
  const site = await Site.make(scratch);
  await using forwarder = await Forwarder.start(scratch.path, {
    ...await site.listener(),
    destinations: [nodeAt("pacs", 9)],
  });
  const { certificate, key } = await site.issue("modality", "client");
  const ask = async (...how: string[]) => {
    const answer = await run("openssl", [
      ...["s_client", "-connect", `127.0.0.1:${forwarder.daemon.tlsPort}`, "-CAfile", site.ca],
      ...["-verify_return_error", "-cert", certificate, "-key", key, ...how],
    ]);
    const agreed = /New, (TLSv[0-9.]+), Cipher is ([A-Z0-9_-]+)/.exec(answer.stdout);
    if (agreed !== null) return agreed.slice(1).join(" ");
    return /alert (protocol version|handshake failure)/.exec(answer.stderr)?.[0] ?? answer.stderr;
  };
  assert.match(await ask("-tls1_3"), /^TLSv1.3 TLS_/);
  assert.match(await ask("-tls1_2"), /^TLSv1.2 ECDHE-ECDSA-(AES|CHACHA)/);
  const weak = ["-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"];
  // The refusal is ours: an alert that came, not OpenSSL's own unwillingness.
  assert.match(await ask("-tls1", ...weak), /^alert /);
  assert.match(await ask("-tls1_1", ...weak), /^alert /);
  const refused = [
    "AES128-SHA",
    "AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-SHA",
    "DHE-RSA-AES128-GCM-SHA256",
    "NULL-SHA256:@SECLEVEL=0",
  ];
  for (const cipher of refused) {
    assert.match(await ask("-tls1_2", "-cipher", cipher), /^alert /, cipher);
  }
});
