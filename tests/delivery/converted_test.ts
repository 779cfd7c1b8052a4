/*
 * Conversion on the way to a DICOM node, with a converter of the test's own: which file it is given.
 */

import assert from "node:assert/strict";
import { DicomDestination } from "../../src/delivery/dicom.ts";
import type { DicomDestinationConfig } from "../../src/config/load.ts";
import { configFrom } from "../../src/config/load.ts";
import type { TranscodeRequest, TranscodeResult } from "../../src/transcode/request.ts";
import type { Transcoder } from "../../src/transcode/transcoder.ts";
import { nodeAt } from "../helpers/forwarder.ts";
import { dataSet, store, withSpool } from "../helpers/spools.ts";

const RLE = "1.2.840.10008.1.2.5";
const CONTEXT = { id: 1, abstractSyntax: "1.2.840.10008.5.1.4.1.1.2" };

function configured(): DicomDestinationConfig {
  const [destination] = configFrom({ destinations: [nodeAt("pacs", 104)] }, "/").destinations;
  if (destination?.type !== "dicom") throw new Error("not a DICOM destination");
  return destination;
}

/** Reads the file it is given, after `before`. */
function converter(before: () => void): { transcoder: Transcoder; paths: string[] } {
  const paths: string[] = [];
  const transcode = ({ path }: TranscodeRequest): Promise<TranscodeResult> => {
    paths.push(path);
    before();
    try {
      return Promise.resolve({ kind: "transcoded", dataSet: Deno.readFileSync(path) });
    } catch (error) {
      return Promise.resolve({ kind: "impossible", reason: String(error) });
    }
  };
  return { transcoder: { transcode } as unknown as Transcoder, paths };
}

Deno.test("an instance that another destination takes while it is being converted is converted all the same", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["other", "pacs"], dataSet(), { transferSyntaxUid: RLE });
    const { transcoder, paths } = converter(() => spool.delivered(entry, "other"));
    const destination = new DicomDestination(configured(), spool, transcoder, {
      now: Date.now,
      tellComments: true,
    });
    const instance = spool.openEntry(entry, false)!;
    const context = { ...CONTEXT, transferSyntax: "1.2.840.10008.1.2.1" };
    const signal = new AbortController().signal;
    const converted = await destination.transcoded(entry, instance, context, signal);
    instance.close();
    assert.ok(!("kind" in converted), JSON.stringify(converted));
    assert.equal(paths.length, 2);
    await spool.close();
  }));

Deno.test("a conversion that is impossible is not tried again where the file is still called the same", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["pacs"], dataSet(), { transferSyntaxUid: RLE });
    const { transcoder, paths } = converter(() => Deno.removeSync(entry.path));
    const destination = new DicomDestination(configured(), spool, transcoder, {
      now: Date.now,
      tellComments: true,
    });
    const instance = spool.openEntry(entry, false)!;
    const context = { ...CONTEXT, transferSyntax: "1.2.840.10008.1.2.1" };
    const signal = new AbortController().signal;
    const converted = await destination.transcoded(entry, instance, context, signal);
    instance.close();
    assert.ok("kind" in converted && converted.kind === "refused", JSON.stringify(converted));
    assert.equal(paths.length, 1);
    await spool.close();
  }));
