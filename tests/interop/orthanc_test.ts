/* Orthanc at both ends. It keeps and sends what it read, so its own copies are the measure. */

import assert from "node:assert/strict";
import { writeStudy } from "../../src/cli/demo_study.ts";
import { FORWARDER_AE, Storescp, storescu } from "../helpers/dcmtk.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { factsIn, factsOf, sha256, splitFile } from "../helpers/hashes.ts";
import { Orthanc, ORTHANC_AE } from "../helpers/orthanc.ts";
import { DCMTK, ORTHANC, peerTest, PYDICOM, PYDICOM_FILES } from "../helpers/required_peers.ts";
import { Scratch } from "../helpers/scratch.ts";

/** Compressed files, whose frames a PACS has to keep as they are. */
const COMPRESSED = ["JPEG2000.dcm", "MR_small_RLE.dcm", "SC_rgb_jpeg_dcmtk.dcm"];

async function contentsOfOrthanc(orthanc: Orthanc): Promise<string[]> {
  const found: string[] = [];
  for (const id of await orthanc.instances()) {
    const { meta, dataSet } = splitFile(await orthanc.file(id));
    found.push(`${meta.get(0x0003)} ${meta.get(0x0010)} ${sha256(dataSet)}`);
  }
  return found.sort();
}

peerTest(
  "a study sent to Orthanc through the forwarder is stored byte for byte",
  [ORTHANC, DCMTK],
  async () => {
    await using scratch = await Scratch.make();
    const study = scratch.at("study");
    await writeStudy(study, { instances: 40, rows: 256, columns: 256, seed: 3 });
    await using orthanc = await Orthanc.start(scratch.at("orthanc"));
    await using forwarder = await Forwarder.start(scratch.path, {
      destinations: [nodeAt("pacs", orthanc.port, { ae_title: ORTHANC_AE })],
    });
    const sent = await storescu(forwarder.port, ["+sd"], [study]);
    assert.equal(sent.code, 0, sent.stderr);
    await forwarder.delivered("pacs", 40);
    const expected = factsIn(study).map((one) =>
      `${one.sopInstanceUid} ${one.transferSyntaxUid} ${one.hash}`
    );
    assert.deepEqual(await contentsOfOrthanc(orthanc), expected.sort());
  },
);

peerTest(
  "compressed files reach Orthanc in their own transfer syntax",
  [ORTHANC, DCMTK, PYDICOM],
  async () => {
    await using scratch = await Scratch.make();
    const paths = COMPRESSED.map((name) => `${PYDICOM_FILES}/${name}`);
    const options = ["-nh", "-xf", scratch.at("profile.cfg"), "all"];
    Deno.writeTextFileSync(scratch.at("profile.cfg"), profileOf(paths));
    // What Orthanc makes of these files by itself is what it must make of them behind the forwarder.
    await using orthanc = await Orthanc.start(scratch.at("behind"));
    await using alone = await Orthanc.start(scratch.at("alone"));
    await using forwarder = await Forwarder.start(scratch.path, {
      destinations: [nodeAt("pacs", orthanc.port, { ae_title: ORTHANC_AE })],
    });
    const direct = await storescu(alone.port, options, paths);
    assert.equal(direct.code, 0, direct.stderr);
    const sent = await storescu(forwarder.port, options, paths);
    assert.equal(sent.code, 0, sent.stderr);
    await forwarder.delivered("pacs", paths.length);
    const behind = await contentsOfOrthanc(orthanc);
    assert.equal(behind.length, paths.length);
    assert.deepEqual(behind, await contentsOfOrthanc(alone));
  },
);

peerTest(
  "what Orthanc sends passes through the forwarder byte for byte",
  [ORTHANC, DCMTK],
  async () => {
    await using scratch = await Scratch.make();
    const study = scratch.at("study");
    const paths = await writeStudy(study, { instances: 40, rows: 256, columns: 256, seed: 4 });
    await using orthanc = await Orthanc.start(scratch.at("orthanc"));
    await using storescp = await Storescp.start({ folder: scratch.at("arrived") });
    await using forwarder = await Forwarder.start(scratch.path, {
      destinations: [nodeAt("pacs", storescp.port)],
    });
    for (const path of paths) await orthanc.put(await Deno.readFile(path));
    await orthanc.sendAll({ aeTitle: FORWARDER_AE, port: forwarder.port });
    await forwarder.delivered("pacs", paths.length);
    const sent = factsIn(study).map((one) => `${one.sopInstanceUid} ${one.hash}`).sort();
    const arrived = storescp.stored().map((one) => `${one.sopInstanceUid} ${one.hash}`).sort();
    assert.deepEqual(arrived, sent);
  },
);

/** A DCMTK association profile that proposes for each file its own transfer syntax and no other. */
function profileOf(paths: readonly string[]): string {
  const lines = ["[[TransferSyntaxes]]"];
  const contexts: string[] = [];
  for (const [index, path] of paths.entries()) {
    const { sopClassUid, transferSyntaxUid } = factsOf(path);
    lines.push(`[Syntax${index}]`, `TransferSyntax1 = ${transferSyntaxUid}`);
    contexts.push(`PresentationContext${index + 1} = ${sopClassUid}\\Syntax${index}`);
  }
  lines.push("[[PresentationContexts]]", "[Contexts]", ...contexts);
  lines.push("[[Profiles]]", "[all]", "PresentationContexts = Contexts");
  return lines.join("\n") + "\n";
}
