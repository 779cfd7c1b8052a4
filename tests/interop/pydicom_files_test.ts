/*
 * Files of many vendors and transfer syntaxes, each in its own, through the forwarder.
 *
 * storescu writes data sets anew when it sends them, so what it sent is what a storescp without anything in between reads
 * from it; the forwarder's own `send` takes the bytes from the file, so there the file is the measure.
 */

import assert from "node:assert/strict";
import { type DicomFile, inspect } from "../../src/cli/file_source.ts";
import { sendFiles } from "../../src/cli/send.ts";
import { Part10Error } from "../../src/dicom/part10.ts";
import { encodingOf, transferSyntaxName } from "../../src/dicom/uid.ts";
import { FORWARDER_AE, Storescp, storescu } from "../helpers/dcmtk.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { type FileFacts, fingerprints, sha256, splitFile } from "../helpers/hashes.ts";
import { byProposal, pydicomFiles } from "../helpers/pydicom_files.ts";
import { DCMTK, peerTest, PYDICOM } from "../helpers/required_peers.ts";
import { Scratch } from "../helpers/scratch.ts";
import { Sink } from "../helpers/sink.ts";

/** Of the files of pydicom 2.3; fewer would mean that the test has lost its input. */
const LEAST_FILES = 60;
const LEAST_SYNTAXES = 11;

peerTest(
  "every pydicom file that storescu can send arrives as it was sent",
  [DCMTK, PYDICOM],
  async (context) => {
    await using scratch = await Scratch.make();
    const groups = byProposal(pydicomFiles());
    await using storescp = await Storescp.start({ folder: scratch.at("arrived") });
    await using forwarder = await Forwarder.start(scratch.path, {
      // Files of one SOP instance UID with different contents are among them: in order, one after the other.
      destinations: [nodeAt("pacs", storescp.port, { associations: 1 })],
    });
    const expected: FileFacts[] = [];
    const table: string[] = [];
    for (const [option, files] of groups) {
      const name = transferSyntaxName(files[0]!.transferSyntaxUid);
      await context.step(`${name}: ${files.length} files`, async () => {
        const paths = files.map((file) => file.path);
        const folder = scratch.at("direct", option);
        // The same preference as the forwarder's: what is proposed first.
        await using direct = await Storescp.start({ folder, accepts: option.replace("-", "+") });
        await storescu(direct.port, ["-nh", "-R", option], paths);
        await storescu(forwarder.port, ["-nh", "-R", option], paths);
        const taken = direct.stored();
        expected.push(...taken);
        table.push(`${name}: ${taken.length}`);
      });
    }
    await forwarder.delivered("pacs", expected.length);
    assert.deepEqual(fingerprints(storescp.stored()), fingerprints(expected), table.join("\n"));
    const syntaxes = new Set(expected.map((one) => one.transferSyntaxUid));
    assert.ok(expected.length >= LEAST_FILES, `only ${expected.length}:\n${table.join("\n")}`);
    assert.ok(syntaxes.size >= LEAST_SYNTAXES, `only ${syntaxes.size}:\n${table.join("\n")}`);
  },
);

/** A deflated data set of odd length gets the NUL that PS3.5 §A.5 wants behind it; nothing else changes. */
function asSent(file: DicomFile, dataSet: Uint8Array): Uint8Array {
  if (dataSet.length % 2 === 0 || !encodingOf(file.transferSyntaxUid).deflated) return dataSet;
  const padded = new Uint8Array(dataSet.length + 1);
  padded.set(dataSet);
  return padded;
}

peerTest("every pydicom file leaves with the very bytes of its data set", [PYDICOM], async () => {
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", sink.port)],
  });
  const files: DicomFile[] = [];
  for (const { path } of pydicomFiles()) {
    try {
      files.push(await inspect(path));
    } catch (error) {
      // Without a SOP instance UID or a transfer syntax there is nothing to send.
      if (!(error instanceof Part10Error)) throw error;
    }
  }
  const result = await sendFiles(
    files,
    { host: "127.0.0.1", port: forwarder.port, aeTitle: FORWARDER_AE, callingAeTitle: "SENDER" },
    new AbortController().signal,
    () => {},
  );
  assert.deepEqual(result.failed, []);
  assert.ok(files.length >= LEAST_FILES, `only ${files.length}`);
  await forwarder.delivered("pacs", files.length);
  const sent = files.map((file) => {
    const hash = sha256(asSent(file, splitFile(Deno.readFileSync(file.path)).dataSet));
    return `${file.sopClassUid} ${file.sopInstanceUid} ${file.transferSyntaxUid} ${hash}`;
  });
  const arrived = sink.arrivals.map((one) =>
    `${one.sopClassUid} ${one.sopInstanceUid} ${one.transferSyntaxUid} ${one.hash}`
  );
  assert.deepEqual(arrived.sort(), sent.sort());
});

peerTest(
  "a deflated data set of odd length is taken by a peer that wants even fragments",
  [DCMTK, PYDICOM],
  async () => {
    await using scratch = await Scratch.make();
    await using storescp = await Storescp.start({ folder: scratch.at("arrived") });
    await using forwarder = await Forwarder.start(scratch.path, {
      destinations: [nodeAt("pacs", storescp.port)],
    });
    const paths = pydicomFiles().map((file) => file.path);
    const odd = await inspect(paths.find((path) => path.endsWith("image_dfl.dcm"))!);
    assert.equal(odd.length % 2, 1, "the file is what the test is about");
    await sendFiles(
      [odd],
      { host: "127.0.0.1", port: forwarder.port, aeTitle: FORWARDER_AE, callingAeTitle: "SENDER" },
      new AbortController().signal,
      () => {},
    );
    await forwarder.delivered("pacs", 1);
    assert.deepEqual(storescp.stored().map((one) => one.sopInstanceUid), [odd.sopInstanceUid]);
  },
);
