/*
 * Elements written by encode.ts, byte by byte against PS3.5, and read back by dcmjs as an independent reader.
 */

import assert from "node:assert/strict";
import dcmjs from "dcmjs";
import {
  type Element,
  encodeDataSet,
  encodeElement,
  encodeHeader,
} from "../../src/dicom/encode.ts";

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

Deno.test("a text of odd length is padded with a space and has a 16-bit length", () => {
  // (0010,0010) PN, length 4, "Doe "
  assert.equal(
    hex(encodeElement([0x00100010, "PN", "Doe"])),
    "10 00 10 00 50 4e 04 00 44 6f 65 20",
  );
});

Deno.test("a UID of odd length is padded with NUL", () => {
  // (0008,0018) UI, length 4, "1.2" NUL
  assert.equal(
    hex(encodeElement([0x00080018, "UI", "1.2"])),
    "08 00 18 00 55 49 04 00 31 2e 32 00",
  );
});

Deno.test("bytes have a 32-bit length behind two reserved bytes and are padded with zero", () => {
  // (7FE0,0010) OB, reserved, length 4, 01 02 03 and padding
  assert.equal(
    hex(encodeElement([0x7fe00010, "OB", Uint8Array.of(1, 2, 3)])),
    "e0 7f 10 00 4f 42 00 00 04 00 00 00 01 02 03 00",
  );
});

Deno.test("numbers are little endian in the size of their VR", () => {
  const cases: [Element, string][] = [
    [[0x00280010, "US", 0x1234], "28 00 10 00 55 53 02 00 34 12"],
    [[0x00280106, "SS", [-2, 3]], "28 00 06 01 53 53 04 00 fe ff 03 00"],
    [[0x00020000, "UL", 0x12345678], "02 00 00 00 55 4c 04 00 78 56 34 12"],
    [[0x00186020, "SL", -1], "18 00 20 60 53 4c 04 00 ff ff ff ff"],
    [[0x00280009, "AT", 0x00181063], "28 00 09 00 41 54 04 00 18 00 63 10"],
    [[0x00109431, "FL", 1.5], "10 00 31 94 46 4c 04 00 00 00 c0 3f"],
    [[0x00189087, "FD", -2], "18 00 87 90 46 44 08 00 00 00 00 00 00 00 00 c0"],
  ];
  for (const [element, bytes] of cases) assert.equal(hex(encodeElement(element)), bytes);
});

Deno.test("several values are separated by backslashes", () => {
  assert.equal(
    hex(encodeElement([0x00280030, "DS", [0.5, 1]])),
    "28 00 30 00 44 53 06 00 30 2e 35 5c 31 20",
  );
});

Deno.test("a sequence and its items have defined lengths", () => {
  // (0008,1140) SQ, length 20: item of 12, (0008,1150) UI "1.2" NUL
  assert.equal(
    hex(encodeElement([0x00081140, "SQ", [[[0x00081150, "UI", "1.2"]]]])),
    "08 00 40 11 53 51 00 00 14 00 00 00 fe ff 00 e0 0c 00 00 00 08 00 50 11 55 49 04 00 31 2e 32 00",
  );
  assert.equal(
    hex(encodeElement([0x00081140, "SQ", []])),
    "08 00 40 11 53 51 00 00 00 00 00 00",
  );
});

Deno.test("a character outside ASCII is one byte of ISO 8859-1", () => {
  assert.equal(
    hex(encodeElement([0x00100020, "LO", "\u00e9\u00ff"])),
    "10 00 20 00 4c 4f 02 00 e9 ff",
  );
});

Deno.test("what does not fit its VR is refused with tag and value", () => {
  const cases: [Element, RegExp][] = [
    [[0x00280010, "US", 65536], /\(0028,0010\) US: 65536 is out of its range/],
    [[0x00280010, "US", 1.5], /1\.5 is out of its range/],
    [[0x00080050, "SH", "12345678901234567"], /\(0008,0050\) SH: "12345678901234567" is over 16/],
    [[0x00180050, "DS", 1 / 3], /0\.3333333333333333" is over 16/],
    [[0x00100010, "PN", "\u5c71"], /is not Latin-1/],
    [[0x00201040, "LO", Array(2000).fill("x".repeat(40))], /81999|82000/],
  ];
  for (const [element, message] of cases) {
    assert.throws(() => encodeElement(element), (error: Error) => {
      assert.ok(error instanceof RangeError);
      assert.match(error.message, message);
      return true;
    });
  }
  assert.throws(() => encodeHeader(0x7fe00010, "OW", 3), RangeError);
});

Deno.test("tags out of order are refused", () => {
  assert.throws(
    () => encodeDataSet([[0x00100020, "LO", "1"], [0x00100010, "PN", "Doe"]]),
    /\(0010,0010\) after \(0010,0020\)/,
  );
});

Deno.test("dcmjs reads back the values that were written", () => {
  const bytes = encodeDataSet([
    [0x00080008, "CS", ["ORIGINAL", "PRIMARY"]],
    [0x00081140, "SQ", [
      [[0x00081150, "UI", "1.2.3"], [0x00081155, "UI", "1.2.3.4"]],
      [[0x00081150, "UI", "1.2.5"]],
    ]],
    [0x00100010, "PN", "Doe^Jane"],
    [0x00200037, "DS", [1, 0, 0, 0, 0.5, 0]],
    [0x00280010, "US", 512],
    [0x7fe00010, "OW", Uint8Array.of(1, 2, 3, 4)],
  ]);
  const stream = new dcmjs.data.ReadBufferStream(bytes.buffer);
  const dict = dcmjs.data.DicomMessage._read(stream, "1.2.840.10008.1.2.1");
  const set = dcmjs.data.DicomMetaDictionary.naturalizeDataset(dict);
  assert.deepEqual(set["ImageType"], ["ORIGINAL", "PRIMARY"]);
  assert.equal(set["ReferencedImageSequence"].length, 2);
  assert.equal(set["ReferencedImageSequence"][0].ReferencedSOPInstanceUID, "1.2.3.4");
  assert.equal(String(set["PatientName"]), "Doe^Jane");
  assert.deepEqual([...set["ImageOrientationPatient"]].map(Number), [1, 0, 0, 0, 0.5, 0]);
  assert.equal(set["Rows"], 512);
  assert.deepEqual([...new Uint8Array(set["PixelData"][0])], [1, 2, 3, 4]);
});
