/*
 * The conversion as a function of bytes, on data sets made byte by byte: what is kept, what is changed, what is refused.
 */

import assert from "node:assert/strict";
import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { type Element, encodeDataSet, encodeElement } from "../../src/dicom/encode.ts";
import { DataSetTranscoder } from "../../src/transcode/data_set.ts";
import { CannotTranscode } from "../../src/transcode/error.ts";

const EXPLICIT = "1.2.840.10008.1.2.1";
const IMPLICIT = "1.2.840.10008.1.2";
const BIG_ENDIAN = "1.2.840.10008.1.2.2";
const RLE = "1.2.840.10008.1.2.5";
const JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70";

const MAX_BYTES = 1 << 24;

function convert(dataSet: Uint8Array, from: string, to: string): Promise<Uint8Array> {
  return new DataSetTranscoder(MAX_BYTES).convert(dataSet, from, to);
}

async function refusal(dataSet: Uint8Array, from: string, to: string): Promise<string> {
  try {
    await convert(dataSet, from, to);
  } catch (error) {
    assert.ok(error instanceof CannotTranscode, String(error));
    return error.message;
  }
  assert.fail("It was converted");
}

function bytes(...pieces: (Uint8Array | number[] | string)[]): Uint8Array {
  return Uint8Array.from(
    pieces.flatMap((piece) =>
      typeof piece === "string"
        ? [...piece].filter((c) => c !== " ").join("").match(/../g)!.map((h) => parseInt(h, 16))
        : [...piece]
    ),
  );
}

/** Image attributes of an 8-bit image of 2 x 2 pixels. */
function image(changes: readonly Element[] = []): Element[] {
  const all = new Map<number, Element>([
    [0x00280002, [0x00280002, "US", 1]],
    [0x00280004, [0x00280004, "CS", "MONOCHROME2"]],
    [0x00280010, [0x00280010, "US", 2]],
    [0x00280011, [0x00280011, "US", 2]],
    [0x00280100, [0x00280100, "US", 8]],
    [0x00280101, [0x00280101, "US", 8]],
    [0x00280102, [0x00280102, "US", 7]],
    [0x00280103, [0x00280103, "US", 0]],
  ]);
  for (const change of changes) all.set(change[0], change);
  return [...all.values()].sort((a, b) => a[0] - b[0]);
}

/** Encapsulated Pixel Data (PS3.5 Table A.4-1): an empty offset table, the fragments, the delimiter. */
function encapsulated(fragments: readonly Uint8Array[]): Uint8Array {
  return bytes(
    "e07f1000 4f42 0000 ffffffff feff00e0 00000000",
    ...fragments.flatMap((fragment) => [
      "feff00e0",
      new Uint8Array(Uint32Array.of(fragment.length).buffer),
      fragment,
    ]),
    "feffdde0 00000000",
  );
}

/** An RLE frame (PS3.5 §G.5) whose segments hold literal runs of the given bytes. */
function rleFrame(...segments: readonly number[][]): Uint8Array {
  const header = new Uint32Array(16);
  header[0] = segments.length;
  const body: number[] = [];
  for (const [i, segment] of segments.entries()) {
    header[i + 1] = 64 + body.length;
    body.push(segment.length - 1, ...segment);
    if (body.length % 2 === 1) body.push(0);
  }
  return bytes(new Uint8Array(header.buffer), body);
}

const FOUR_PIXELS = rleFrame([1, 2, 3, 4]);

Deno.test("everything in front of the pixels leaves as it came, byte for byte", async () => {
  const before = bytes(
    encodeElement([0x00080005, "CS", ["", "ISO 2022 IR 87"]]),
    // Yamada^Tarou=<ESC>$B... in ISO 2022 IR 87, PS3.5 §H.3.1
    bytes(
      "10001000 504e 2000",
      "59616d6164615e5461726f753d1b2442",
      "3b334544 1b28425e 1b24 42424040 3a20",
    ),
    // A private element, a DS with zeros nobody needs, a DA with dots, an odd VR-less length: nothing of ours to judge.
    encodeElement([0x00110010, "LO", "VENDOR"]),
    encodeElement([0x00111001, "UN", Uint8Array.of(1, 2, 3, 4)]),
    bytes("18005000 4453 0600 302e38303030"),
    bytes("20001000 4441 0a00 313939372e30342e3234"),
    // A sequence of undefined length with an item of defined and one of undefined length.
    bytes(
      "28001030 5351 0000 ffffffff feff00e0 00000000 feff00e0 ffffffff feff0de0 00000000 feffdde0 00000000",
    ),
  );
  const attributes = encodeDataSet(image());
  const after = encodeElement([0xfffcfffc, "OB", Uint8Array.of(0, 0)]);
  const converted = await convert(
    bytes(before.subarray(0, 0), before, attributes, encapsulated([FOUR_PIXELS]), after),
    RLE,
    EXPLICIT,
  );
  assert.deepEqual(
    converted,
    bytes(before, attributes, encodeElement([0x7fe00010, "OB", Uint8Array.of(1, 2, 3, 4)]), after),
  );
});

Deno.test("a compressed icon inside a sequence is converted with its own attributes", async () => {
  const icon = image([[0x00280010, "US", 1]]);
  const content = bytes(encodeDataSet(icon), encapsulated([rleFrame([9, 8])]));
  const sequence = bytes(
    "88000002 5351 0000",
    new Uint8Array(Uint32Array.of(content.length + 8).buffer),
    "feff00e0",
    new Uint8Array(Uint32Array.of(content.length).buffer),
    content,
  );
  const converted = await convert(
    bytes(encodeDataSet(image()), sequence, encapsulated([FOUR_PIXELS])),
    RLE,
    EXPLICIT,
  );
  assert.deepEqual(
    converted,
    encodeDataSet([
      ...image(),
      [0x00880200, "SQ", [[...icon, [0x7fe00010, "OB", Uint8Array.of(9, 8)]]]],
      [0x7fe00010, "OB", Uint8Array.of(1, 2, 3, 4)],
    ]),
  );
});

Deno.test("RLE puts the bytes of 16-bit and colour pixels in their places", async () => {
  const wide = await convert(
    bytes(
      encodeDataSet(image([
        [0x00280100, "US", 16],
        [0x00280101, "US", 16],
        [0x00280102, "US", 15],
      ])),
      encapsulated([rleFrame([0x11, 0x22, 0x33, 0x44], [1, 2, 3, 4])]),
    ),
    RLE,
    EXPLICIT,
  );
  assert.deepEqual([...wide.subarray(-8)], [1, 0x11, 2, 0x22, 3, 0x33, 4, 0x44]);
  assert.equal(String.fromCharCode(...wide.subarray(-16, -14)), "OW");

  const colour = (planar: number) => [
    ...[[0x00280002, "US", 3], [0x00280004, "CS", "RGB"], [0x00280006, "US", planar]] as Element[],
  ];
  const frame = rleFrame([1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]);
  const [interleaved, planes] = await Promise.all([0, 1].map((planar) =>
    convert(
      bytes(encodeDataSet(image(colour(planar))), encapsulated([frame])),
      RLE,
      EXPLICIT,
    )
  ));
  assert.deepEqual([...interleaved!.subarray(-12)], [1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12]);
  assert.deepEqual([...planes!.subarray(-12)], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
});

Deno.test("offset tables and group lengths that no longer hold are left out", async () => {
  const converted = await convert(
    bytes(
      encodeElement([0x00280000, "UL", 84]),
      encodeDataSet(image()),
      encodeElement([0x7fe00001, "OV", new Uint8Array(8)]),
      encodeElement([0x7fe00002, "OV", new Uint8Array(8)]),
      encapsulated([FOUR_PIXELS]),
    ),
    RLE,
    EXPLICIT,
  );
  assert.deepEqual(
    converted,
    encodeDataSet([...image(), [0x7fe00010, "OB", Uint8Array.of(1, 2, 3, 4)]]),
  );
});

Deno.test("explicit to implicit VR and back keeps every value and every VR of the dictionary", async () => {
  const explicit = encodeDataSet([
    [0x00080008, "CS", ["ORIGINAL", "PRIMARY"]],
    [0x00081140, "SQ", [[[0x00081150, "UI", "1.2.3"], [0x00081155, "UI", "1.2.3.4"]], []]],
    [0x00100010, "PN", "M\u00fcller^Eva"],
    [0x00110010, "LO", "VENDOR"],
    [0x00111001, "UN", Uint8Array.of(1, 2, 3, 4)],
    ...image([[0x00280103, "US", 1], [0x00280106, "SS", -5]]),
    [0x60000010, "US", 2],
    [0x60020010, "US", 2],
    [0x60023000, "OW", Uint8Array.of(5, 6)],
    [0x7fe00010, "OW", Uint8Array.of(1, 2, 3, 4)],
  ]);
  const implicit = await convert(explicit, EXPLICIT, IMPLICIT);
  // (0008,0008) without a VR and with a 32-bit length
  assert.deepEqual([...implicit.subarray(0, 8)], [8, 0, 8, 0, 16, 0, 0, 0]);
  assert.deepEqual(await convert(implicit, IMPLICIT, EXPLICIT), explicit);
});

Deno.test("a value too long for the 16-bit length of its VR becomes UN", async () => {
  // (0010,4000) LT in implicit VR, 70,000 bytes: PS3.5 §6.2.2
  const implicit = bytes(
    "10000040",
    new Uint8Array(Uint32Array.of(70000).buffer),
    new Uint8Array(70000),
  );
  const converted = await convert(implicit, IMPLICIT, EXPLICIT);
  assert.deepEqual([...converted.subarray(0, 12)], [...bytes("10000040 554e 0000 70110100")]);
});

Deno.test("a private sequence of undefined length stays a sequence, its content explicit too", async () => {
  const implicit = bytes(
    "11001000 06000000 56454e444f52", // private creator
    "11000110 ffffffff feff00e0 ffffffff 08001800 04000000 312e3200 feff0de0 00000000 feffdde0 00000000",
  );
  assert.deepEqual(
    await convert(implicit, IMPLICIT, EXPLICIT),
    bytes(
      "11001000 4c4f 0600 56454e444f52",
      "11000110 5351 0000 ffffffff feff00e0 ffffffff 08001800 5549 0400 312e3200 feff0de0 00000000 feffdde0 00000000",
    ),
  );
});

Deno.test("UN of undefined length is implicit inside and passes unread", async () => {
  const un =
    "11000110 554e 0000 ffffffff feff00e0 ffffffff 08001800 04000000 312e3200 feff0de0 00000000 feffdde0 00000000";
  const image16 = bytes(encodeDataSet(image()), encapsulated([FOUR_PIXELS]));
  const converted = await convert(bytes(un, image16), RLE, EXPLICIT);
  assert.deepEqual(converted.subarray(0, bytes(un).length), bytes(un));
  const implicit = await convert(bytes(un), EXPLICIT, IMPLICIT);
  assert.deepEqual(implicit, bytes("11000110", bytes(un).subarray(8)));
});

Deno.test("big endian values are swapped by their VR", async () => {
  const big = bytes(
    "0008 0008 4353 0002 4142", // CS "AB"
    "0018 6020 534c 0004 00000005", // SL 5
    "0018 9087 4644 0008 3ff0000000000000", // FD 1
    "0028 0009 4154 0004 00181063", // AT (0018,1063)
    "0028 0100 5553 0002 0010", // US 16
    "7fe0 0010 4f57 0000 00000004 01020304", // OW
  );
  const expected = encodeDataSet([
    [0x00080008, "CS", "AB"],
    [0x00186020, "SL", 5],
    [0x00189087, "FD", 1],
    [0x00280009, "AT", 0x00181063],
    [0x00280100, "US", 16],
    [0x7fe00010, "OW", Uint8Array.of(2, 1, 4, 3)],
  ]);
  assert.deepEqual(await convert(big, BIG_ENDIAN, EXPLICIT), expected);
});

Deno.test("a deflated data set is inflated", async () => {
  const plain = encodeDataSet([[0x00100010, "PN", "Doe"]]);
  const deflated = new Uint8Array(deflateRawSync(plain));
  assert.deepEqual(await convert(deflated, "1.2.840.10008.1.2.1.99", EXPLICIT), plain);
  assert.match(
    await refusal(Uint8Array.of(255, 255, 255), "1.2.840.10008.1.2.1.99", EXPLICIT),
    /cannot be inflated/,
  );
});

Deno.test("an image whose frames cannot be had whole is refused", async () => {
  const cases: [readonly Element[], Uint8Array[], RegExp][] = [
    [[], [], /Pixel Data is empty/],
    [[], [rleFrame([1, 2, 3])], /ends after 3 of 4 pixels/],
    [[], [rleFrame([1, 2, 3, 4], [1, 2, 3, 4])], /does not have the 1 segments/],
    [[], [new Uint8Array(10)], /does not have the 1 segments/],
    [[[0x00280008, "IS", 2]], [FOUR_PIXELS], /2 frames lie in 1 fragments/],
    [[[0x00280008, "IS", "x"]], [FOUR_PIXELS], /Number of Frames is "x"/],
    [[[0x00280100, "US", 1]], [FOUR_PIXELS], /Bits Allocated is 1/],
    [[[0x00280102, "US", 9]], [FOUR_PIXELS], /pixel cells make no sense/],
    [[[0x00280010, "US", 0]], [FOUR_PIXELS], /no Rows \(0028,0010\)/],
    [
      [[0x00280010, "US", 65535], [0x00280011, "US", 65535]],
      [FOUR_PIXELS],
      /it is 4096 MiB once uncompressed, over the limit of 16 MiB/,
    ],
  ];
  for (const [changes, fragments, expected] of cases) {
    const dataSet = bytes(encodeDataSet(image(changes)), encapsulated(fragments));
    assert.match(await refusal(dataSet, RLE, EXPLICIT), expected);
  }
});

/** The headers of a JPEG: SOI, SOF3, SOS, EOI. */
function jpeg(precision: number, rows: number, columns: number, components: number): Uint8Array {
  const list = Array.from({ length: components }, (_, i) => i + 1);
  return bytes(
    "ffd8 ffc3",
    [0, 8 + 3 * components, precision, 0, rows, 0, columns, components],
    list.flatMap((id) => [id, 0x11, 0]),
    "ffda",
    [0, 6 + 2 * components, components],
    list.flatMap((id) => [id, 0]),
    [1, 0, 0, 0, 0xff, 0xd9],
  );
}

Deno.test("an image that contradicts its codestream is refused before it is decoded", async () => {
  const cases: [readonly Element[], Uint8Array, RegExp][] = [
    [
      [],
      jpeg(8, 2, 3, 1),
      /compressed image is 3 x 2 with 1 components, but the data set says 2 x 2/,
    ],
    [[], jpeg(8, 2, 2, 3), /with 3 components/],
    [[], jpeg(12, 2, 2, 1), /compressed samples have 12 bits, its pixels 8/],
    [[[0x00280002, "US", 4]], jpeg(8, 2, 2, 4), /images of 4 samples a pixel/],
    [
      [[0x00280002, "US", 3], [0x00280004, "CS", "YBR_ICT"]],
      jpeg(8, 2, 2, 3),
      /colours are YBR_ICT, which cannot be decoded from JPEG/,
    ],
    [
      [[0x00280100, "US", 16], [0x00280101, "US", 12], [0x00280102, "US", 15]],
      jpeg(12, 2, 2, 1),
      /not right-aligned/,
    ],
    [[], bytes("ffd8 ffe0 0004 0000 ffd9"), /no valid image header/],
    [[], bytes("00010203 0405 ffd9"), /no valid image header/],
    [[], bytes("ffd8 ffd8 ffd8 ffd8"), /cut short/],
  ];
  for (const [changes, codestream, expected] of cases) {
    const dataSet = bytes(encodeDataSet(image(changes)), encapsulated([codestream]));
    assert.match(await refusal(dataSet, JPEG_LOSSLESS, EXPLICIT), expected);
  }
});

Deno.test("a data set that is not what its transfer syntax says is refused with the place", async () => {
  const compressed = bytes(encodeDataSet(image()), encapsulated([FOUR_PIXELS]));
  const cases: [Uint8Array, string, string, RegExp][] = [
    [
      bytes("08000800 5a5a 0000"),
      EXPLICIT,
      IMPLICIT,
      /\(0008,0008\) at byte 0 has the unknown VR "ZZ"/,
    ],
    [bytes("08000800 4353 0400 4142"), EXPLICIT, IMPLICIT, /byte 8: 4 bytes wanted, 2 there/],
    [bytes("08000800 43"), EXPLICIT, IMPLICIT, /within an element header/],
    [bytes("08004011 5351 0000 ffffffff"), EXPLICIT, IMPLICIT, /a sequence has no end/],
    [
      bytes("08004011 5351 0000 08000000 08000800 00000000"),
      EXPLICIT,
      IMPLICIT,
      /\(0008,0008\) where an item belongs/,
    ],
    [compressed, EXPLICIT, IMPLICIT, /compressed, against its transfer syntax/],
    [
      bytes("09001000 4f42 0000 ffffffff feffdde0 00000000"),
      RLE,
      EXPLICIT,
      /\(0009,0010\) is encapsulated/,
    ],
    [compressed.subarray(0, compressed.length - 8), RLE, EXPLICIT, /within a fragment/],
    [
      bytes(...Array(40).fill("08004011 5351 0000 ffffffff feff00e0 ffffffff")),
      EXPLICIT,
      IMPLICIT,
      /nested more than 32 levels/,
    ],
    [compressed, RLE, BIG_ENDIAN, /no decoder/],
  ];
  for (const [dataSet, from, to, expected] of cases) {
    assert.match(await refusal(dataSet, from, to), expected);
  }
});

Deno.test("more elements than any image has are refused before they fill the memory", async () => {
  const many = new Uint8Array(8 * 500_001);
  const view = new DataView(many.buffer);
  for (let at = 0; at < many.length; at += 8) view.setUint32(at, 0x00180008, true);
  for (let at = 4; at < many.length; at += 8) view.setUint16(at, 0x5343, true);
  assert.match(await refusal(many, EXPLICIT, IMPLICIT), /more than 500000 elements/);
});

Deno.test("whatever bytes come, the answer is a data set or a reason", async () => {
  const seeds = [
    bytes(encodeDataSet(image()), encapsulated([FOUR_PIXELS])),
    encodeDataSet([
      [0x00081140, "SQ", [[[0x00081150, "UI", "1.2.3"]], []]],
      ...image(),
      [0x7fe00010, "OW", Uint8Array.of(1, 2, 3, 4)],
    ]),
  ];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...seeds),
      fc.constantFrom(EXPLICIT, IMPLICIT, BIG_ENDIAN, RLE),
      fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 6 }),
      fc.nat(400),
      async (seed, from, changes, cut) => {
        const damaged = seed.slice(0, cut < 300 ? undefined : cut - 300);
        for (const [at, value] of changes) damaged[at % damaged.length] = value;
        try {
          await convert(damaged, from, from === IMPLICIT ? EXPLICIT : IMPLICIT);
        } catch (error) {
          assert.ok(error instanceof CannotTranscode, String((error as Error).stack));
        }
      },
    ),
    { numRuns: 3000 },
  );
});
