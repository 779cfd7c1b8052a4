/* Memory does not depend on the size of an instance. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { encodeDataSet, encodeHeader } from "../../src/dicom/encode.ts";
import { DaemonProcess } from "../helpers/daemon_process.ts";
import { nodeAt } from "../helpers/forwarder.ts";
import { Scratch } from "../helpers/scratch.ts";
import { Sender } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";

/** Multi-frame Grayscale Word Secondary Capture Image Storage. */
const MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.7.3";
const UID = "1.2.826.0.1.3680043.10.1";
const FRAMES = 2048;
const FRAME_BYTES = 512 * 512 * 2;
const PIXEL_BYTES = FRAMES * FRAME_BYTES;
const MOST_MEMORY = 200 * 1000 * 1000;

function head(): Uint8Array {
  const elements = encodeDataSet([
    [0x00080016, "UI", MULTI_FRAME],
    [0x00080018, "UI", UID],
    [0x00080060, "CS", "OT"],
    [0x00100020, "LO", "LARGE"],
    [0x0020000d, "UI", `${UID}.1`],
    [0x0020000e, "UI", `${UID}.2`],
    [0x00280002, "US", 1],
    [0x00280004, "CS", "MONOCHROME2"],
    [0x00280008, "IS", FRAMES],
    [0x00280010, "US", 512],
    [0x00280011, "US", 512],
    [0x00280100, "US", 16],
    [0x00280101, "US", 16],
    [0x00280102, "US", 15],
    [0x00280103, "US", 0],
  ]);
  const pixelHeader = encodeHeader(0x7fe00010, "OW", PIXEL_BYTES);
  const bytes = new Uint8Array(elements.length + pixelHeader.length);
  bytes.set(elements);
  bytes.set(pixelHeader, elements.length);
  return bytes;
}

Deno.test({
  name: "a 1 GB multi-frame instance passes with a peak of less than 200 MB of memory",
  // The peak is read from /proc.
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using scratch = await Scratch.make();
    await using sink = new Sink();
    await using daemon = await DaemonProcess.start(scratch.path, {
      destinations: [nodeAt("pacs", sink.port)],
    });
    const start = head();
    const digest = createHash("sha256");
    let offset = 0;
    const dataSet = {
      length: start.length + PIXEL_BYTES,
      // Every stretch differs from every other, so that a mix-up cannot stay unnoticed.
      read(into: Uint8Array) {
        into.fill(offset >>> 16 & 0xff);
        for (let at = 0; at < into.length; at += 251) into[at] = (offset + at) * 31 & 0xff;
        if (offset < start.length) into.set(start.subarray(offset, offset + into.length));
        offset += into.length;
        digest.update(into);
      },
      vouch: () => offset === start.length + PIXEL_BYTES,
    };
    const instance = {
      sopClassUid: MULTI_FRAME,
      sopInstanceUid: UID,
      transferSyntaxUid: "1.2.840.10008.1.2.1",
    };
    {
      await using sender = await Sender.open(daemon.port, { pairs: [instance] });
      assert.equal(await sender.stream(instance, dataSet), 0);
    }
    await sink.received(1, 90_000);
    const [arrival] = sink.arrivals;
    assert.equal(arrival?.length, start.length + PIXEL_BYTES);
    assert.equal(arrival?.hash, digest.digest("hex"));
    const peak = daemon.peakMemory();
    assert.ok(peak < MOST_MEMORY, `peak resident memory was ${Math.round(peak / 1e6)} MB`);
  },
});
