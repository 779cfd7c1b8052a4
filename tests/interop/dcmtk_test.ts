/* DCMTK at both ends: storescu and echoscu to the forwarder, storescp behind it. */

import assert from "node:assert/strict";
import { writeStudy } from "../../src/cli/demo_study.ts";
import { echoscu, Storescp, storescu } from "../helpers/dcmtk.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { factsIn, fingerprints } from "../helpers/hashes.ts";
import { DCMTK, peerTest } from "../helpers/required_peers.ts";
import { Scratch } from "../helpers/scratch.ts";

const INSTANCES = 1000;

peerTest("1,000 CT instances from storescu reach storescp byte for byte", [DCMTK], async () => {
  await using scratch = await Scratch.make();
  const study = scratch.at("study");
  await writeStudy(study, { instances: INSTANCES, seed: 1, series: 4 });
  await using storescp = await Storescp.start({ folder: scratch.at("arrived") });
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", storescp.port)],
  });
  const sent = await storescu(forwarder.port, ["-pdu", "131072", "+sd"], [study]);
  assert.equal(sent.code, 0, sent.stderr);
  await forwarder.delivered("pacs", INSTANCES, 120_000);
  const arrived = storescp.stored();
  assert.equal(arrived.length, INSTANCES);
  assert.deepEqual(fingerprints(arrived), fingerprints(factsIn(study)));
});

peerTest("echoscu gets Success", [DCMTK], async () => {
  await using scratch = await Scratch.make();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", 9)],
  });
  const answer = await echoscu(forwarder.port);
  assert.equal(answer.code, 0, answer.stderr);
  assert.match(answer.stdout + answer.stderr, /Received Echo Response \(Success\)/);
});

peerTest("echoscu that calls another AE title is rejected, and told so", [DCMTK], async () => {
  await using scratch = await Scratch.make();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", 9)],
  });
  const answer = await echoscu(forwarder.port, ["-aec", "ELSEWHERE"]);
  assert.notEqual(answer.code, 0);
  assert.match(answer.stdout + answer.stderr, /Called AE Title Not Recognized/);
});

peerTest(
  "storescu with small PDUs and many associations at once loses nothing",
  [DCMTK],
  async () => {
    await using scratch = await Scratch.make();
    const senders = 6;
    const studies = [];
    for (let seed = 1; seed <= senders; seed++) {
      const folder = scratch.at("study", String(seed));
      await writeStudy(folder, { instances: 20, rows: 64, columns: 64, seed });
      studies.push(folder);
    }
    await using storescp = await Storescp.start({ folder: scratch.at("arrived") });
    await using forwarder = await Forwarder.start(scratch.path, {
      destinations: [nodeAt("pacs", storescp.port)],
    });
    const sent = await Promise.all(
      studies.map((study) =>
        storescu(forwarder.port, ["-pdu", "4096", "--max-send-pdu", "4096", "+sd"], [study])
      ),
    );
    assert.deepEqual(sent.map(({ code }) => code), Array(senders).fill(0));
    await forwarder.delivered("pacs", senders * 20);
    assert.deepEqual(
      fingerprints(storescp.stored()),
      fingerprints(studies.flatMap((study) => factsIn(study))),
    );
  },
);
