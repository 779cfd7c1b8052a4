/*
 * A destination looked at over real sockets: real nodes with what they take, and what is no node at all.
 */

import assert from "node:assert/strict";
import { configFrom, type DicomDestinationConfig } from "../../src/config/load.ts";
import { type NodeFacts, probeNode } from "../../src/doctor/dicom_node.ts";
import type { Finding } from "../../src/doctor/finding.ts";
import { testDestination } from "../../src/doctor/test_destination.ts";
import type { WaitingThere } from "../../src/doctor/waiting.ts";
import { EXPLICIT_VR_LE, IMPLICIT_VR_LE } from "../../src/dicom/uid.ts";
import { readFileMeta } from "../../src/dicom/part10.ts";
import { Child, freePort, listening, runWell } from "../helpers/child.ts";
import { STORESCP_AE } from "../helpers/dcmtk.ts";
import { Forwarder } from "../helpers/forwarder.ts";
import { CT_IMAGE_STORAGE as CT } from "../helpers/instances.ts";
import { Orthanc, ORTHANC_AE } from "../helpers/orthanc.ts";
import { PeerListener } from "../helpers/peer.ts";
import { DCMTK, OPENSSL, ORTHANC, peerTest, PYTHON } from "../helpers/required_peers.ts";
import { filesIn, Scratch } from "../helpers/scratch.ts";

const NOTHING: WaitingThere = { pairs: [], seen: 0, all: true };
const J2K = "1.2.840.10008.1.2.4.90";
const MR = "1.2.840.10008.5.1.4.1.1.4";

function nodeAt(port: number, more: Record<string, unknown> = {}): DicomDestinationConfig {
  const config = configFrom({
    local_ae_title: "FWD",
    destinations: [{ name: "pacs", host: "127.0.0.1", port, ae_title: STORESCP_AE, ...more }],
  }, "/");
  const [node] = config.destinations;
  assert.equal(node?.type, "dicom");
  return node as DicomDestinationConfig;
}

interface Looked {
  readonly findings: readonly Finding[];
  readonly facts: NodeFacts;
  /** The finding of a probe. */
  of(probe: string): Finding;
}

async function look(
  node: DicomDestinationConfig,
  more: { waiting?: WaitingThere; sendTest?: boolean; signal?: AbortSignal } = {},
): Promise<Looked> {
  const { waiting = NOTHING, sendTest = false, signal = new AbortController().signal } = more;
  const findings: Finding[] = [];
  const facts = await probeNode(
    node,
    {
      localAeTitle: "FWD",
      waiting,
      sendTest,
      now: () => Date.now(),
      uuid: () => crypto.randomUUID(),
    },
    (finding) => findings.push(finding),
    signal,
  );
  return {
    findings,
    facts,
    of(probe) {
      const found = findings.find((one) => one.probe === probe);
      assert.ok(found, `${probe} in ${JSON.stringify(findings, null, 1)}`);
      return found;
    },
  };
}

peerTest(
  "what storescp takes is found out, by its configuration, pair by pair",
  [DCMTK],
  async () => {
    await using scratch = await Scratch.make();
    const file = scratch.at("scp.cfg");
    await Deno.writeTextFile(
      file,
      [
        "[[TransferSyntaxes]]",
        "[Plain]",
        "TransferSyntax1 = LittleEndianImplicit",
        "[Packed]",
        "TransferSyntax1 = JPEG2000LosslessOnly",
        "TransferSyntax2 = LittleEndianImplicit",
        "[[PresentationContexts]]",
        "[Few]",
        "PresentationContext1 = VerificationSOPClass\\Plain",
        "PresentationContext2 = CTImageStorage\\Packed",
        "PresentationContext3 = SecondaryCaptureImageStorage\\Plain",
        "[[Profiles]]",
        "[Default]",
        "PresentationContexts = Few",
        "",
      ].join("\n"),
    );
    const [port, folder] = [freePort(), scratch.folder("stored")];
    const words = ["--fork", "-aet", STORESCP_AE, "-pdu", "131072", "+uf", "-od", folder];
    const scp = new Child("storescp", [...words, "-xf", file, "Default", String(port)], {
      TCP_NODELAY: "1",
    });
    await listening(port, scp);
    const waiting: WaitingThere = {
      pairs: [
        { sopClassUid: CT, transferSyntaxUid: EXPLICIT_VR_LE, count: 7 },
        { sopClassUid: MR, transferSyntaxUid: IMPLICIT_VR_LE, count: 2 },
      ],
      seen: 9,
      all: true,
    };
    try {
      const { of, facts, findings } = await look(nodeAt(port), { waiting, sendTest: true });
      assert.deepEqual([...facts.takes![CT]!].sort(), [IMPLICIT_VR_LE, J2K].sort());
      assert.deepEqual(facts.takes![MR], []);
      assert.match(of("storage").text, /takes 2 of/);
      assert.match(of("association").text, /OFFIS_DCMTK/);
      assert.equal(facts.maxPduLength, 131_072);
      assert.equal(facts.echoes?.length, 5);
      const waits = findings.filter(({ probe }) => probe === "waiting");
      assert.deepEqual(waits.map(({ level }) => level), ["ok", "problem"]);
      assert.match(waits[0]!.text, /7 after decompressing/);
      assert.match(waits[1]!.text, /2 that wait are MR/);
      assert.match(of("test image").text, /answered Success/);
      const [stored] = filesIn(folder);
      const { meta } = readFileMeta(await Deno.readFile(stored!));
      assert.equal(meta.transferSyntaxUid, IMPLICIT_VR_LE);
      const dump = await runWell("dcmdump", ["+P", "0010,0010", "+P", "0020,000d", stored!]);
      assert.match(dump.stdout, /TEST\^DICOM FORWARDER/);
      const told = findings.findLast(({ probe }) => probe === "test image")!.text;
      assert.ok(told.includes(/\[(2\.25\.\d+)\]/.exec(dump.stdout)![1]!), told);
    } finally {
      await scp.end();
    }
  },
);

peerTest("Orthanc takes the test image, and a dcmqrscp's titles are told apart", [
  DCMTK,
  ORTHANC,
], async () => {
  await using scratch = await Scratch.make();
  {
    await using orthanc = await Orthanc.start(scratch.at("orthanc"));
    const node = nodeAt(orthanc.port, { ae_title: ORTHANC_AE });
    const { of, facts } = await look(node, { sendTest: true });
    assert.match(of("test image").text, /answered Success/);
    assert.equal((await orthanc.instances()).length, 1);
    assert.ok(facts.takes![CT]!.includes(J2K));
  }
  const port = freePort();
  const folder = scratch.folder("db");
  const config = scratch.at("qr.cfg");
  await Deno.writeTextFile(
    config,
    [
      "NetworkTCPPort = 104",
      "MaxPDUSize = 16384",
      "MaxAssociations = 4",
      "HostTable BEGIN",
      "known = (KNOWN, localhost, 11999)",
      "HostTable END",
      "VendorTable BEGIN",
      "VendorTable END",
      "AETable BEGIN",
      `QRSCP ${folder} RW (10, 1024mb) known`,
      "AETable END",
      "",
    ].join("\n"),
  );
  const scp = new Child("dcmqrscp", ["-c", config, String(port)]);
  try {
    await listening(port, scp);
    const calling = await look(nodeAt(port, { ae_title: "QRSCP" }));
    assert.equal(calling.of("association").level, "problem");
    const known = { ae_title: "QRSCP", calling_ae_title: "KNOWN" };
    const accepted = await look(nodeAt(port, known));
    assert.equal(accepted.of("association").level, "ok");
    assert.equal(accepted.of("echo").level, "ok");
  } finally {
    await scp.end();
  }
});

Deno.test("a rejection names the title that is wrong, and where it is corrected", async () => {
  await using scratch = await Scratch.make();
  await using strict = await Forwarder.start(scratch.path, {
    local_ae_title: "OTHER",
    store_locally: true,
    allowed_calling_ae_titles: ["KNOWN"],
  });
  const any = await look(nodeAt(strict.port, { ae_title: "OTHER", calling_ae_title: "*" }));
  assert.match(any.of("titles").text, /looked at as FWD/);
  const called = (await look(nodeAt(strict.port, { calling_ae_title: "KNOWN" }))).of("association");
  assert.equal(called.level, "problem");
  assert.match(called.text, /does not answer to the AE title STORESCP/);
  const calling = (await look(nodeAt(strict.port, { ae_title: "OTHER" }))).of("association");
  assert.match(calling.text, /does not know us as FWD/);
  assert.match(calling.change!.text, /FWD with the address 127\.0\.0\.1/);
});

peerTest("a port for TLS is told from one for plain DICOM", [OPENSSL], async () => {
  await using scratch = await Scratch.make();
  const [key, certificate] = [scratch.at("key.pem"), scratch.at("certificate.pem")];
  await runWell("openssl", [
    ..."req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test".split(" "),
    ...["-keyout", key, "-out", certificate],
  ]);
  for (const version of ["-tls1_2", "-tls1_3"]) {
    const port = freePort();
    const server = new Child("openssl", [
      ...["s_server", "-accept", `127.0.0.1:${port}`, "-key", key, "-cert", certificate],
      ...["-quiet", version],
    ]);
    try {
      await listening(port, server);
      const finding = (await look(nodeAt(port))).of("association");
      assert.equal(finding.level, "problem");
      assert.match(finding.text, /expects TLS/, version);
      assert.match(finding.change!.text, /without TLS/);
    } finally {
      await server.end();
    }
  }
});

peerTest("a web server is recognised", [PYTHON], async () => {
  await using scratch = await Scratch.make();
  const port = freePort();
  const words = ["-m", "http.server", String(port), "--bind", "127.0.0.1"];
  const server = new Child("/usr/bin/python3", [...words, "--directory", scratch.path]);
  try {
    await listening(port, server);
    const { of } = await look(nodeAt(port, { timeouts: { association: 0.5 } }));
    assert.match(of("association").text, /a web server answers/);
  } finally {
    await server.end();
  }
});

Deno.test("a server that greets with a banner is named, and offered no TLS", async () => {
  const listener = await PeerListener.listen();
  const looking = look(nodeAt(listener.port));
  // The first connection only finds out whether there is one.
  (await listener.accept()).close();
  const peer = await listener.accept();
  await peer.send(new TextEncoder().encode("SSH-2.0-OpenSSH_9.6\r\n"));
  const { of } = await looking;
  assert.match(of("association").text, /an SSH server/);
  peer.close();
  let more = false;
  void listener.accept().then(() => more = true);
  await listener.close();
  assert.equal(more, false);
});

Deno.test("a port that says nothing is told after the time-out, with one offer of TLS in between", async () => {
  const listener = await PeerListener.listen();
  const looking = look(nodeAt(listener.port, { timeouts: { association: 0.3 } }));
  const peers = [await listener.accept(), await listener.accept()];
  const hello = await listener.accept();
  assert.equal((await hello.receive(1))[0], 0x16);
  const { of } = await looking;
  assert.equal(of("association").level, "problem");
  assert.match(of("association").text, /does not answer the association request/);
  for (const peer of [...peers, hello]) peer.close();
  await listener.close();
});

Deno.test("a port that resets each connection is told as one that closes", async () => {
  const listener = await PeerListener.listen();
  const looking = look(nodeAt(listener.port));
  (await listener.accept()).close();
  const resetting = (async () => {
    for (let n = 0; n < 2; n++) {
      const peer = await listener.accept();
      await peer.receive(1);
      peer.reset();
    }
  })();
  const { of } = await looking;
  await resetting;
  assert.match(of("association").text, /closed the connection without an answer/);
  assert.match(of("association").change!.text, /FWD \(ours\)/);
  await listener.close();
});

Deno.test("a port that aborts each association is offered no TLS", async () => {
  const listener = await PeerListener.listen();
  const looking = look(nodeAt(listener.port));
  (await listener.accept()).close();
  const peer = await listener.accept();
  await peer.receivePdu();
  await peer.send(Uint8Array.of(7, 0, 0, 0, 0, 4, 0, 0, 0, 0));
  const { of } = await looking;
  assert.match(of("association").text, /aborted instead of answering/);
  peer.close();
  await listener.close();
});

Deno.test("a stop ends the look at a silent node at once", async () => {
  const listener = await PeerListener.listen();
  const stop = new AbortController();
  const looking = look(nodeAt(listener.port), { signal: stop.signal });
  (await listener.accept()).close();
  const peer = await listener.accept();
  await peer.receivePdu();
  stop.abort();
  const { of } = await looking;
  assert.match(of("association").text, /stopped/);
  peer.close();
  await listener.close();
});

Deno.test("a closed port and an unknown name end it before DICOM", async () => {
  const closed = await look(nodeAt(freePort()));
  assert.equal(closed.findings.length, 1);
  assert.match(closed.of("connection").text, /nothing listens/);
  const unknown = await look(nodeAt(104, { host: "no-such-host.invalid" }));
  assert.match(unknown.of("name").text, /not known/);
});

Deno.test("the quick test of a destination says what works and what does not", async () => {
  await using scratch = await Scratch.make();
  await using peer = await Forwarder.start(scratch.path, {
    local_ae_title: "PEER",
    store_locally: true,
  });
  const signal = new AbortController().signal;
  const test = async (destination: Record<string, unknown>) => {
    const config = configFrom({ destinations: [{ name: "one", ...destination }] }, scratch.path);
    return await testDestination(config, config.destinations[0]!, signal);
  };
  const node = { host: "127.0.0.1", port: peer.port, ae_title: "PEER" };
  const right = await test(node);
  assert.equal(right.ok, true, right.lines.join("\n"));
  assert.match(right.lines.join("\n"), /reachable.*\n.*accepted.*\n.*Success \(0000\)/);
  const misnamed = await test({ ...node, ae_title: "NOBODY" });
  assert.equal(misnamed.ok, false);
  assert.match(misnamed.lines.join("\n"), /FAILED: .*NOBODY/);
  const lost = await test({ ...node, host: "no-such-host.invalid" });
  assert.equal(lost.ok, false);
  assert.match(lost.lines.join("\n"), /not known/);
  const folder = await test({ type: "directory", path: scratch.folder("there") });
  assert.equal(folder.ok, true, folder.lines.join("\n"));
  assert.deepEqual(filesIn(scratch.at("there")), []);
  await Deno.writeTextFile(scratch.at("file"), "");
  const none = await test({ type: "directory", path: "/proc/nothing-can-be-made-here" });
  assert.equal(none.ok, Deno.build.os !== "linux", none.lines.join("\n"));
});
