/*
 * A destination that refuses the stored transfer syntax gets the image uncompressed, with the pixels that DCMTK's own
 * decoders make of it; what cannot be converted is kept, with one sentence that says why.
 */

import assert from "node:assert/strict";
import dcmjs from "dcmjs";
import { writeStudy } from "../../src/cli/demo_study.ts";
import { runWell } from "../helpers/child.ts";
import { Storescp, storescu } from "../helpers/dcmtk.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { factsOf, sha256 } from "../helpers/hashes.ts";
import { dataSetOf } from "../helpers/instances.ts";
import { DCMTK, peerTest, PYDICOM, PYDICOM_FILES } from "../helpers/required_peers.ts";
import { contentsOf, filesIn, Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";

const IMPLICIT_VR_LE = "1.2.840.10008.1.2";

/** SHA-256 of Pixel Data (7FE0,0010), read by a library that is no part of the program's way. */
function pixelHash(path: string): string {
  const file = dcmjs.data.DicomMessage.readFile(Uint8Array.from(Deno.readFileSync(path)).buffer);
  const [pixels] = file.dict["7FE00010"].Value as [ArrayBuffer];
  return sha256(new Uint8Array(pixels));
}

interface Conversion {
  readonly name: string;
  /** How storescu proposes the compressed transfer syntax. */
  readonly proposes: string;
  /** Makes the compressed file and the uncompressed one to compare with; gives their paths. */
  readonly prepare: (scratch: Scratch) => Promise<[compressed: string, expected: string]>;
}

async function compressed(
  scratch: Scratch,
  encoder: string,
  options: readonly string[],
  decoder: string,
): Promise<[string, string]> {
  const [original] = await writeStudy(scratch.at("study"), { instances: 1, seed: 11 });
  const [small, large] = [scratch.at("compressed.dcm"), scratch.at("expected.dcm")];
  await runWell(encoder, [...options, original!, small]);
  await runWell(decoder, [small, large]);
  // Lossless all the way: the decoder's pixels are those that went in.
  assert.equal(pixelHash(large), pixelHash(original!));
  return [small, large];
}

const CONVERSIONS: readonly Conversion[] = [
  {
    name: "JPEG Lossless",
    proposes: "-xs",
    prepare: (scratch) => compressed(scratch, "dcmcjpeg", ["+e1"], "dcmdjpeg"),
  },
  {
    name: "RLE Lossless",
    proposes: "-xr",
    prepare: (scratch) => compressed(scratch, "dcmcrle", [], "dcmdrle"),
  },
  {
    name: "JPEG-LS Lossless",
    proposes: "-xt",
    prepare: (scratch) => compressed(scratch, "dcmcjpls", ["+el"], "dcmdjpls"),
  },
  {
    // DCMTK has no JPEG 2000; the same image lies beside it uncompressed.
    name: "JPEG 2000 Lossless",
    proposes: "-xv",
    prepare: () =>
      Promise.resolve([
        `${PYDICOM_FILES}/MR_small_jp2klossless.dcm`,
        `${PYDICOM_FILES}/MR_small.dcm`,
      ]),
  },
];

peerTest(
  "a destination that takes implicit VR only gets compressed images uncompressed, pixel for pixel",
  [DCMTK, PYDICOM],
  async (context) => {
    for (const { name, proposes, prepare } of CONVERSIONS) {
      await context.step(name, async () => {
        await using scratch = await Scratch.make();
        const [file, expected] = await prepare(scratch);
        await using storescp = await Storescp.start({
          folder: scratch.at("arrived"),
          accepts: "+xi",
        });
        await using forwarder = await Forwarder.start(scratch.path, {
          destinations: [nodeAt("pacs", storescp.port)],
        });
        const sent = await storescu(forwarder.port, ["-R", proposes], [file]);
        assert.equal(sent.code, 0, sent.stderr);
        await forwarder.delivered("pacs", 1);
        const [arrived] = storescp.stored();
        assert.equal(arrived?.transferSyntaxUid, IMPLICIT_VR_LE);
        assert.equal(arrived.sopInstanceUid, factsOf(file).sopInstanceUid);
        assert.equal(pixelHash(arrived.path), pixelHash(expected));
      });
    }
  },
);

peerTest(
  "what a destination refuses and nobody can convert is kept in failed/ with one sentence",
  [DCMTK],
  async () => {
    await using scratch = await Scratch.make();
    await using storescp = await Storescp.start({ folder: scratch.at("arrived"), accepts: "+xi" });
    await using forwarder = await Forwarder.start(scratch.path, {
      destinations: [nodeAt("pacs", storescp.port, { retry_attempts: 0 })],
    });
    const film = {
      sopClassUid: "1.2.840.10008.5.1.4.1.1.77.1.4.1",
      sopInstanceUid: "1.2.3.4.100",
      transferSyntaxUid: "1.2.840.10008.1.2.4.100",
    };
    const dataSet = dataSetOf(film);
    await sendAll(forwarder.port, [{ ...film, dataSet }]);
    await forwarder.failed("pacs", 1);
    const failed = filesIn(scratch.at("spool", "failed", "pacs")).sort();
    assert.equal(failed.length, 2);
    const [file, reason] = failed as [string, string];
    assert.equal(factsOf(file).hash, sha256(dataSet));
    const told = JSON.parse(Deno.readTextFileSync(reason));
    assert.equal(told.kind, "refused");
    assert.match(told.reason, /^STORESCP does not take MPEG2 Main Profile \/ Main Level, and it /);
    assert.doesNotMatch(told.reason, /\n/);
    assert.deepEqual(contentsOf(storescp.folder), []);
  },
);
