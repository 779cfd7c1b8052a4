/*
 * The made-up CT study: complete, valid, reproducible, and read by others (dcmjs, dcmjs-dimse, DCMTK) as it was meant.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { Buffer } from "node:buffer";
import dimse from "dcmjs-dimse";
import {
  type GeneratedInstance,
  generateStudy,
  part10File,
  writeStudy,
} from "../../src/cli/demo_study.ts";
import { isUid } from "../../src/dicom/uid.ts";

/** Attributes of type 1 and 2 of the CT Image IOD (PS3.3 Table A.3-1), by keyword. */
const REQUIRED = [
  ...["PatientName", "PatientID", "PatientBirthDate", "PatientSex"],
  ...["StudyInstanceUID", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID"],
  ...["AccessionNumber", "Modality", "SeriesInstanceUID", "SeriesNumber", "PatientPosition"],
  ...["FrameOfReferenceUID", "PositionReferenceIndicator", "Manufacturer", "InstanceNumber"],
  ...["ImageType", "AcquisitionNumber", "PixelSpacing", "ImageOrientationPatient"],
  ...["ImagePositionPatient", "SliceThickness", "SamplesPerPixel", "PhotometricInterpretation"],
  ...["Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"],
  ...["RescaleIntercept", "RescaleSlope", "KVP", "SOPClassUID", "SOPInstanceUID", "PixelData"],
];

function parsed(instance: GeneratedInstance): Record<string, unknown> {
  const buffer = Buffer.from(instance.dataSet);
  return new dimse.Dataset(buffer, instance.transferSyntaxUid).getElements();
}

function pixelsOf(instance: GeneratedInstance, count: number): Uint16Array {
  const { dataSet } = instance;
  return new Uint16Array(dataSet.slice(dataSet.length - 2 * count).buffer);
}

Deno.test("an instance has every required attribute of a CT image, and the values say what was asked", () => {
  const [instance] = generateStudy({
    instances: 1,
    rows: 64,
    columns: 48,
    patientId: "P-7",
    patientName: "M\u00fcller^Eva",
  });
  assert.ok(instance);
  const set = parsed(instance);
  for (const keyword of REQUIRED) assert.ok(keyword in set, `${keyword} is missing`);
  assert.equal(set["PatientID"], "P-7");
  assert.equal(String(set["PatientName"]), "M\u00fcller^Eva");
  assert.equal(set["SOPInstanceUID"], instance.sopInstanceUid);
  assert.equal(set["SOPClassUID"], instance.sopClassUid);
  assert.equal(set["StudyInstanceUID"], instance.studyUid);
  assert.equal(set["SeriesInstanceUID"], instance.seriesUid);
  assert.equal(set["Rows"], 64);
  assert.equal(set["Columns"], 48);
  assert.equal((set["PixelData"] as ArrayBuffer[])[0]?.byteLength, 2 * 64 * 48);
});

Deno.test("the same seed gives the same bytes, another seed other UIDs and other pixels", () => {
  const options = { instances: 3, rows: 32, columns: 32 };
  const first = [...generateStudy({ ...options, seed: 5 })];
  const again = [...generateStudy({ ...options, seed: 5 })];
  const other = [...generateStudy({ ...options, seed: 1_800_000_000_123 })];
  assert.deepEqual(first, again);
  for (const [i, instance] of first.entries()) {
    assert.notEqual(instance.sopInstanceUid, other[i]!.sopInstanceUid);
    assert.notDeepEqual(pixelsOf(instance, 1024), pixelsOf(other[i]!, 1024));
  }
});

Deno.test("UIDs are valid, one study, distinct series and instances, all pixels different", () => {
  const study = [...generateStudy({ instances: 10, rows: 16, columns: 16, series: 3 })];
  assert.equal(study.length, 10);
  assert.equal(new Set(study.map((i) => i.studyUid)).size, 1);
  assert.equal(new Set(study.map((i) => i.seriesUid)).size, 3);
  assert.equal(new Set(study.map((i) => i.sopInstanceUid)).size, 10);
  assert.equal(new Set(study.map((i) => pixelsOf(i, 256).join())).size, 10);
  for (const { studyUid, seriesUid, sopInstanceUid } of study) {
    for (const uid of [studyUid, seriesUid, sopInstanceUid]) {
      assert.ok(isUid(uid), uid);
      assert.match(uid, /^2\.25\.[1-9][0-9]{0,38}(\.[1-9][0-9]*)*$/);
    }
  }
});

Deno.test("slices follow each other at even distances, each with its own anatomy", () => {
  const study = [...generateStudy({ instances: 5, rows: 128, columns: 128 })];
  const z = study.map((i) => (parsed(i)["ImagePositionPatient"] as number[]).map(Number)[2]!);
  const gaps = z.slice(1).map((value, i) => value - z[i]!);
  for (const gap of gaps) assert.ok(Math.abs(gap - gaps[0]!) < 0.01 && gap < 0, `${gaps}`);
  const lung = study.map((i) => pixelsOf(i, 128 * 128).filter((v) => v > 60 && v < 300).length);
  // Lungs in the second slice of five, none in the last.
  assert.ok(lung[1]! > 1500, `${lung}`);
  assert.ok(lung[4]! < 200, `${lung}`);
  for (const instance of study) {
    const pixels = pixelsOf(instance, 128 * 128);
    assert.ok(pixels.every((value) => value < 4096));
    assert.ok(pixels.some((value) => value > 1500), "no bone");
  }
});

Deno.test("sizes are those the benchmarks count on", () => {
  const [large] = generateStudy({ instances: 1 });
  const [small] = generateStudy({ instances: 1, rows: 76, columns: 76 });
  assert.ok(Math.abs(part10File(large!).length - 526_000) < 1000, `${part10File(large!).length}`);
  assert.ok(Math.abs(part10File(small!).length - 13_000) < 1000, `${part10File(small!).length}`);
});

Deno.test("impossible sizes are refused by name", () => {
  for (
    const [options, message] of [
      [{ instances: 0 }, /instances must be 1 to/],
      [{ instances: 1, rows: 70000 }, /rows must be 1 to 65535, is 70000/],
      [{ instances: 1, columns: 1.5 }, /columns/],
      [{ instances: 1, series: 0 }, /series/],
      [{ instances: 1, seed: -1 }, /seed/],
    ] as const
  ) {
    assert.throws(() => generateStudy(options).next(), message);
  }
});

Deno.test("files are Part 10, and DCMTK reads them without a warning", async (t) => {
  const dir = await Deno.makeTempDir();
  try {
    const paths = await writeStudy(join(dir, "new", "folder"), {
      instances: 3,
      rows: 32,
      columns: 32,
    });
    assert.equal(paths.length, 3);
    const dataset = dimse.Dataset.fromFile(paths[0]!);
    assert.equal(dataset?.getTransferSyntaxUid(), "1.2.840.10008.1.2.1");
    assert.equal(String(dataset?.getElement("PatientName")), "Phantom^Demo");

    const found = spawnSync("dcmdump", ["--version"]).status === 0;
    if (!found && Deno.env.get("CI") === "true") assert.fail("dcmdump (Debian dcmtk) is missing");
    await t.step({
      name: "dcmdump",
      ignore: !found,
      fn: () => {
        for (const path of paths) {
          const { status, stdout, stderr } = spawnSync("dcmdump", ["+E", path], {
            encoding: "latin1",
          });
          assert.equal(status, 0);
          assert.equal(stderr, "");
          assert.match(stdout, /\(0008,0016\) UI =CTImageStorage/);
          assert.doesNotMatch(stdout, /Warning|Error/i);
        }
      },
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
