/*
 * Conversion of real and made images, against DCMTK as an independent decoder, and what becomes of a bad file.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";
import dimse from "dcmjs-dimse";
import { generateStudy, part10File, writeStudy } from "../../src/cli/demo_study.ts";
import type { TranscodeRequest, TranscodeResult } from "../../src/transcode/request.ts";
import { canTranscode } from "../../src/transcode/syntaxes.ts";
import { Transcoder } from "../../src/transcode/transcoder.ts";
import { encodeDataSet } from "../../src/dicom/encode.ts";
import {
  dcmtk,
  decodeWithDcmtk,
  dump,
  EXPLICIT,
  haveDcmtk,
  havePydicom,
  IMPLICIT,
  inTempDir,
  mustDcmtk,
  pixelsOf,
  PYDICOM,
  realFiles,
  requestFor,
  requestForDataSet,
} from "./fixture.ts";

const never = new AbortController().signal;

dimse.log.disableAll();

function real(name: string): string {
  return join(PYDICOM, "test_files", name);
}

async function convert(request: TranscodeRequest, transcoder?: Transcoder): Promise<Uint8Array> {
  const own = transcoder ?? new Transcoder();
  try {
    const result = await own.transcode(request, never);
    assert.equal(result.kind, "transcoded", JSON.stringify(result).slice(0, 400));
    return (result as TranscodeResult & { kind: "transcoded" }).dataSet;
  } finally {
    if (transcoder === undefined) own.close();
  }
}

async function reasonOf(request: TranscodeRequest, maxBytes = 1 << 24): Promise<string> {
  const transcoder = new Transcoder({ maxBytes });
  try {
    const result = await transcoder.transcode(request, never);
    assert.equal(result.kind, "impossible", JSON.stringify(result).slice(0, 400));
    return (result as TranscodeResult & { kind: "impossible" }).reason;
  } finally {
    transcoder.close();
  }
}

Deno.test("the table of convertible transfer syntaxes has every one of the library's, and three more", () => {
  const ours = Object.values(dimse.constants.TransferSyntax as Record<string, string>)
    .concat("1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.100")
    .filter((uid) => uid !== IMPLICIT && canTranscode(uid, IMPLICIT));
  const libraryTakes = (uid: string) => {
    try {
      dimse.Transcoding.transcodeDataset(new dimse.Dataset({}, uid), IMPLICIT);
      return true;
    } catch (error) {
      assert.match((error as Error).message, /not supported/);
      return false;
    }
  };
  const theirs = Object.values(dimse.constants.TransferSyntax as Record<string, string>)
    .filter((uid) => uid !== IMPLICIT && libraryTakes(uid));
  assert.ok(theirs.length > 10);
  assert.deepEqual(theirs.filter((uid) => !ours.includes(uid)), []);
  assert.deepEqual(ours.filter((uid) => !theirs.includes(uid)).sort(), [
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.57",
  ]);
});

Deno.test("only the two little endian transfer syntaxes are targets, and nothing converts to itself", () => {
  assert.ok(canTranscode("1.2.840.10008.1.2.4.70", EXPLICIT));
  assert.ok(canTranscode(EXPLICIT, IMPLICIT));
  assert.ok(canTranscode(IMPLICIT, EXPLICIT));
  assert.ok(!canTranscode(EXPLICIT, EXPLICIT));
  assert.ok(!canTranscode(EXPLICIT, "1.2.840.10008.1.2.2"));
  assert.ok(!canTranscode("1.2.840.10008.1.2.4.100", EXPLICIT));
});

Deno.test({
  name: "every real file comes out as DCMTK converts it: each element, each VR, each pixel",
  ignore: !havePydicom() || !haveDcmtk(),
  fn: () =>
    inTempDir(async (dir) => {
      const transcoder = new Transcoder();
      let compared = 0;
      for (const path of realFiles()) {
        const reference = join(dir, "reference.dcm");
        if (!decodeWithDcmtk(path, reference)) continue;
        for (const to of [EXPLICIT, IMPLICIT]) {
          const request = requestFor(path, to);
          if (!canTranscode(request.from, to)) continue;
          const name = `${basename(path)} to ${to}`;
          const result = await transcoder.transcode(request, never);
          if (result.kind !== "transcoded") {
            assert.ok(refusedOnPurpose.has(basename(path)), `${name}: ${JSON.stringify(result)}`);
            continue;
          }
          const ours = join(dir, "ours.dcm");
          Deno.writeFileSync(ours, result.dataSet);
          let theirs = reference;
          if (to === IMPLICIT) {
            theirs = join(dir, "implicit.dcm");
            mustDcmtk("dcmconv", "+ti", reference, theirs);
          }
          const readAs = ["-f", to === EXPLICIT ? "-te" : "-ti"];
          // DCMTK looks into UN here only where the data set is bare.
          if (basename(path) !== "UN_sequence.dcm") {
            assert.deepEqual(dump(ours, ...readAs), dump(theirs), name);
          }
          if (!coloursWrongInDcmtk.has(basename(path))) {
            assert.deepEqual(pixelsOf(ours, ...readAs), pixelsOf(theirs), name);
          }
          compared++;
        }
      }
      transcoder.close();
      assert.ok(compared > 80, `only ${compared} comparisons`);
    }),
});

/** Two vendors read 32-bit big endian pixels in two ways. */
const refusedOnPurpose = new Set(["rtdose_expb.dcm", "rtdose_expb_1frame.dcm"]);

/** Says RGB, but its chroma is subsampled: DCMTK believes the data set and shows wrong colours. */
const coloursWrongInDcmtk = new Set(["SC_rgb_jpeg_lossy_gdcm.dcm"]);

Deno.test({
  name: "a lossy colour image that calls itself RGB falsely gets its true colours",
  ignore: !havePydicom(),
  fn: async () => {
    const lossy = await convert(requestFor(real("SC_rgb_jpeg_lossy_gdcm.dcm"), EXPLICIT));
    const lossless = await convert(requestFor(real("SC_rgb_jpeg_gdcm.dcm"), EXPLICIT));
    const [a, b] = [lossy.subarray(-30000), lossless.subarray(-30000)];
    const difference = a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / 30000;
    assert.ok(difference < 4, `mean difference ${difference}`);
  },
});

Deno.test({
  name: "JPEG 2000 images come out as OpenJPEG under pydicom decodes them",
  ignore: !havePydicom(),
  fn: async () => {
    // CRC-32 of the pixel array of pydicom 2.3.1 with Pillow 9.4.
    for (
      const [name, length, expected] of [
        ["693_J2KI.dcm", 524288, 0x557facee],
        ["J2K_pixelrep_mismatch.dcm", 524288, 0x33bfb872],
        ["JPEG2000.dcm", 524288, 0xae425a11],
        ["SC_rgb_gdcm_KY.dcm", 30000, 0x0ef37133],
      ] as const
    ) {
      const dataSet = await convert(requestFor(real(name), EXPLICIT));
      const pixels = pixelDataOf(dataSet);
      assert.equal(pixels.length, length, name);
      assert.equal(crc32(pixels), expected, name);
    }
  },
});

Deno.test({
  name: "one image under six transfer syntaxes comes out as the same pixels",
  ignore: !havePydicom(),
  fn: async () => {
    for (
      const name of [
        "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_expb.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_implicit.dcm",
      ]
    ) {
      const dataSet = await convert(requestFor(real(name), EXPLICIT));
      const pixels = pixelDataOf(dataSet);
      assert.equal(pixels.length, 8192, name);
      assert.equal(crc32(pixels), 0x2614499c, name);
    }
  },
});

/** The value of the last (7FE0,0010) with an explicit header. */
function pixelDataOf(dataSet: Uint8Array): Uint8Array {
  const view = new DataView(dataSet.buffer, dataSet.byteOffset);
  for (let at = dataSet.length - 12; at >= 0; at--) {
    if (view.getUint32(at, true) === 0x00107fe0 && dataSet[at + 4] === 0x4f) {
      return dataSet.subarray(at + 12, at + 12 + view.getUint32(at + 8, true));
    }
  }
  throw new Error("There is no Pixel Data");
}

Deno.test({
  name: "what DCMTK compresses, under every process it has, comes out as DCMTK decompresses it",
  ignore: !havePydicom() || !haveDcmtk(),
  fn: () =>
    inTempDir(async (dir) => {
      const [phantom] = await writeStudy(dir, { instances: 1, rows: 101, columns: 77 });
      const colour = join(dir, "colour.dcm");
      mustDcmtk("dcmdrle", real("SC_rgb_rle_2frame.dcm"), colour);
      const signed = real("CT_small.dcm");
      const odd = join(dir, "odd.dcm");
      Deno.writeFileSync(odd, oddFrames());
      const cases: [string, string, string[], boolean][] = [
        ["dcmcjpeg", signed, ["+e1"], true],
        ["dcmcjpeg", signed, ["+el", "+sv", "4"], true],
        ["dcmcjpeg", signed, ["+el", "+sv", "7"], true],
        ["dcmcjpeg", signed, ["+ee"], false],
        ["dcmcjpeg", phantom!, ["+e1"], true],
        ["dcmcjpeg", phantom!, ["+eb"], false],
        ["dcmcjpeg", phantom!, ["+ee"], false],
        ["dcmcjpeg", colour, ["+e1"], true],
        ["dcmcjpeg", colour, ["+e1", "+fs", "1"], true],
        ["dcmcjpeg", colour, ["+e1", "+fs", "1", "-ot"], true],
        ["dcmcjpeg", colour, ["+eb"], false],
        ["dcmcjpeg", colour, ["+eb", "+s4"], false],
        ["dcmcjpls", signed, ["+el"], true],
        ["dcmcjpls", phantom!, ["+el"], true],
        ["dcmcjpls", phantom!, ["+en", "+md", "3"], false],
        ["dcmcjpls", colour, ["+el", "+il"], true],
        ["dcmcjpls", colour, ["+el", "+is"], true],
        ["dcmcjpeg", odd, ["+e1"], true],
        ["dcmcjpls", odd, ["+el"], true],
        ["dcmcrle", odd, [], true],
        ["dcmcrle", signed, [], true],
        ["dcmcrle", colour, [], true],
      ];
      const transcoder = new Transcoder();
      for (const [program, source, options, lossless] of cases) {
        const name = `${program} ${options.join(" ")} ${basename(source)}`;
        const compressed = join(dir, "compressed.dcm");
        const reference = join(dir, "reference.dcm");
        mustDcmtk(program, ...options, source, compressed);
        assert.ok(decodeWithDcmtk(compressed, reference), name);
        const ours = join(dir, "ours.dcm");
        Deno.writeFileSync(ours, await convert(requestFor(compressed, EXPLICIT), transcoder));
        assert.deepEqual(dump(ours, "-f", "-te"), dump(reference), name);
        const pixels = pixelsOf(ours, "-f", "-te");
        assert.deepEqual(pixels, pixelsOf(reference), name);
        if (lossless) assert.deepEqual(pixels, pixelsOf(source), name);
        else assert.ok(dump(ours, "-f", "-te").includes("(0028,2110) CS [01]"), name);
      }
      transcoder.close();
    }),
});

/** Three frames of 5 x 3 pixels of one byte: a frame has an odd length, and no padding of its own (PS3.5 §8.1.1). */
function oddFrames(): Uint8Array {
  const dataSet = encodeDataSet([
    [0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.7.2"],
    [0x00080018, "UI", "1.2.3"],
    [0x00080064, "CS", "SYN"],
    [0x00280002, "US", 1],
    [0x00280004, "CS", "MONOCHROME2"],
    [0x00280008, "IS", 3],
    [0x00280010, "US", 3],
    [0x00280011, "US", 5],
    [0x00280100, "US", 8],
    [0x00280101, "US", 8],
    [0x00280102, "US", 7],
    [0x00280103, "US", 0],
    [0x7fe00010, "OB", Uint8Array.from({ length: 45 }, (_, i) => (i * 37) % 251)],
  ]);
  return part10File({
    sopClassUid: "1.2.840.10008.5.1.4.1.1.7.2",
    sopInstanceUid: "1.2.3",
    transferSyntaxUid: EXPLICIT,
    studyUid: "1.2",
    seriesUid: "1.2",
    dataSet,
  });
}

Deno.test({
  name: "JPEG-LS with its colours apart comes out as colour planes, and says so",
  ignore: !havePydicom() || !haveDcmtk(),
  fn: () =>
    inTempDir(async (dir) => {
      const colour = join(dir, "colour.dcm");
      const compressed = join(dir, "compressed.dcm");
      mustDcmtk("dcmdrle", real("SC_rgb_rle.dcm"), colour);
      mustDcmtk("dcmcjpls", "+el", "+in", colour, compressed);
      const ours = join(dir, "ours.dcm");
      Deno.writeFileSync(ours, await convert(requestFor(compressed, EXPLICIT)));
      assert.ok(dump(ours, "-f", "-te").includes("(0028,0006) US 1"));
      const planes = pixelsOf(ours, "-f", "-te");
      const interleaved = planes.map((_, i) => planes[(i % 3) * 10000 + Math.floor(i / 3)]!);
      assert.deepEqual(interleaved, pixelsOf(colour));
    }),
});

Deno.test("high-throughput JPEG 2000 and JPEG XL of the library's own making lose nothing", () =>
  inTempDir(async (dir) => {
    await dimse.Transcoding.initializeAsync();
    const [instance] = generateStudy({ instances: 1, rows: 64, columns: 48 });
    const grey = pixelDataOf(instance!.dataSet);
    const colour = grey.slice(0, 64 * 32 * 3);
    const transcoder = new Transcoder();
    for (
      const uid of ["201", "202", "110", "90", "80"].map((arc) => `1.2.840.10008.1.2.4.${arc}`)
    ) {
      const isXl = uid.endsWith(".110");
      for (
        const [samples, bits, columns, pixels] of [
          [1, isXl ? 16 : 12, 48, grey],
          [3, 8, 32, colour],
        ] as const
      ) {
        const allocated = bits > 8 ? 16 : 8;
        const native = new dimse.Dataset({
          SOPClassUID: "1.2.840.10008.5.1.4.1.1.7",
          SamplesPerPixel: samples,
          PhotometricInterpretation: samples === 3 ? "RGB" : "MONOCHROME2",
          ...(samples === 3 ? { PlanarConfiguration: 0 } : {}),
          Rows: 64,
          Columns: columns,
          BitsAllocated: allocated,
          BitsStored: bits,
          HighBit: bits - 1,
          PixelRepresentation: 0,
          PixelData: [pixels.slice().buffer],
        }, EXPLICIT);
        const path = join(dir, `${uid}-${samples}.dcm`);
        dimse.Transcoding.transcodeDataset(native, uid).toFile(path);
        const converted = await convert(requestFor(path, EXPLICIT), transcoder);
        assert.deepEqual(pixelDataOf(converted), pixels, `${uid} ${samples}`);
      }
    }
    transcoder.close();
  }));

Deno.test({
  name: "conversion works with read permission alone",
  ignore: !havePydicom(),
  fn: () =>
    inTempDir(async (dir) => {
      const script = join(dir, "script.ts");
      const module = new URL("../../src/transcode/transcoder.ts", import.meta.url).href;
      const requests = ["JPGExtended.dcm", "MR_small_implicit.dcm", "SC_rgb_rle.dcm"]
        .map((name) => requestFor(real(name), EXPLICIT));
      await Deno.writeTextFile(
        script,
        `import { Transcoder } from ${JSON.stringify(module)};
        const transcoder = new Transcoder();
        for (const request of ${JSON.stringify(requests)}) {
          const result = await transcoder.transcode(request, new AbortController().signal);
          console.log(result.kind);
        }
        transcoder.close();`,
      );
      const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
      const { stdout, stderr } = spawnSync(
        Deno.execPath(),
        ["run", "--quiet", "--no-prompt", "--no-check", "--config", config, "--allow-read", script],
        { encoding: "utf8" },
      );
      assert.equal(stdout, "transcoded\n".repeat(3), stderr);
    }),
});

Deno.test({
  name: "a real file that is damaged or contradicts itself is refused with its reason",
  ignore: !havePydicom(),
  fn: async () => {
    for (
      const [name, to, expected] of [
        [
          "JPEG2000-embedded-sequence-delimiter.dcm",
          EXPLICIT,
          /^The instance cannot be converted from JPEG 2000 to Explicit VR Little Endian: its compressed image is .* but the data set says 256 x 1024 with 1\.$/,
        ],
        ["rtdose_expb.dcm", EXPLICIT, /32-bit pixels are big endian/],
        ["rtplan_truncated.dcm", EXPLICIT, /ends within the value of \(300A,00B0\)/],
        ["MR_truncated.dcm", IMPLICIT, /ends within the value of \(7FE0,0010\)/],
        ["SC_rgb_jpeg.dcm", EXPLICIT, /\(0008,0008\) at byte 0 has the unknown VR/],
      ] as const
    ) {
      assert.match(await reasonOf(requestFor(real(name), to)), expected, name);
    }
  },
});

Deno.test({
  name: "a compressed image that is cut short is refused rather than filled with grey",
  ignore: !havePydicom() || !haveDcmtk(),
  fn: () =>
    inTempDir(async (dir) => {
      const [phantom] = await writeStudy(dir, { instances: 1, rows: 64, columns: 64 });
      for (const [program, option] of [["dcmcjpeg", "+eb"], ["dcmcjpls", "+el"]] as const) {
        const compressed = join(dir, "compressed.dcm");
        assert.ok(dcmtk(program, option, phantom!, compressed));
        const { from, dataSetOffset } = requestFor(compressed, EXPLICIT);
        const dataSet = Deno.readFileSync(compressed).slice(dataSetOffset);
        // The last third of the only frame is lost, the item says so: zeros to the end, then the delimiter.
        const lost = Math.floor(dataSet.length / 3);
        dataSet.fill(0, dataSet.length - 8 - lost, dataSet.length - 8);
        assert.match(
          await reasonOf(requestForDataSet(dir, dataSet, from)),
          /cut short: the end marker is missing/,
        );
      }
    }),
});

Deno.test("a file that does not agree with its CRC, or is shorter than it should be, is corrupt", () =>
  inTempDir(async (dir) => {
    const [instance] = generateStudy({ instances: 1, rows: 16, columns: 16 });
    const request = requestForDataSet(dir, instance!.dataSet, EXPLICIT, IMPLICIT);
    const transcoder = new Transcoder();
    const kinds = [];
    for (
      const changed of [
        request,
        { ...request, crc32: request.crc32 ^ 1 },
        { ...request, dataSetLength: request.dataSetLength + 2 },
        { ...request, dataSetOffset: request.dataSetOffset - 2 },
      ]
    ) {
      kinds.push((await transcoder.transcode(changed, never)).kind);
    }
    transcoder.close();
    assert.deepEqual(kinds, ["transcoded", "corrupt", "corrupt", "corrupt"]);
  }));

Deno.test("a file that is not there is named, and the next job is done", () =>
  inTempDir(async (dir) => {
    const [instance] = generateStudy({ instances: 1, rows: 16, columns: 16 });
    const request = requestForDataSet(dir, instance!.dataSet, EXPLICIT, IMPLICIT);
    const transcoder = new Transcoder();
    const missing = await transcoder.transcode({ ...request, path: join(dir, "none") }, never);
    assert.match((missing as { reason: string }).reason, /its file cannot be read .*none/);
    assert.equal((await transcoder.transcode(request, never)).kind, "transcoded");
    transcoder.close();
  }));

Deno.test("what is over the size limit, as stored, inflated or decoded, is refused", () =>
  inTempDir(async (dir) => {
    const [instance] = generateStudy({ instances: 1, rows: 600, columns: 600 });
    const stored = requestForDataSet(dir, instance!.dataSet, EXPLICIT, IMPLICIT);
    assert.match(
      await reasonOf(stored, 1 << 19),
      /it is 1 MiB, over the limit of 0 MiB for conversion\.$/,
    );
    const { deflateRawSync } = await import("node:zlib");
    const bomb = new Uint8Array(deflateRawSync(new Uint8Array(1 << 22)));
    assert.match(
      await reasonOf(requestForDataSet(dir, bomb, "1.2.840.10008.1.2.1.99"), 1 << 20),
      /more than the limit of 1 MiB/,
    );
  }));
