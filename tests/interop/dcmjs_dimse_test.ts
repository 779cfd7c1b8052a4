/*
 * dcmjs-dimse at both ends. It decodes and encodes data sets anew, so what it sends without anything in between is the
 * measure of what it sends through the forwarder.
 */

import assert from "node:assert/strict";
import { type EventEmitter, once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import dimse from "dcmjs-dimse";
import { generateStudy, writeStudy } from "../../src/cli/demo_study.ts";
import { FORWARDER_AE } from "../helpers/dcmtk.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { sha256 } from "../helpers/hashes.ts";
import { Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { until } from "../helpers/until.ts";

const { Client, Scp } = dimse;
const { CStoreRequest, CEchoRequest } = dimse.requests;
const { CStoreResponse } = dimse.responses;
const { PresentationContextResult, Status, TransferSyntax } = dimse.constants;

const STUDY = { instances: 10, rows: 64, columns: 64, seed: 5 };

dimse.log.setLevel("error");

/** Sends requests over one association; resolves with the statuses answered when it is released. */
async function sendByClient(port: number, requests: dimse.requests.Request[]): Promise<number[]> {
  const client = new Client();
  const statuses: number[] = [];
  for (const request of requests) {
    request.on("response", (response: dimse.responses.Response) => {
      statuses.push(response.getStatus());
    });
    client.addRequest(request);
  }
  const ended = Promise.race([
    once(client as unknown as EventEmitter, "closed"),
    once(client as unknown as EventEmitter, "networkError").then(([error]) => {
      throw error;
    }),
  ]);
  client.send("127.0.0.1", port, "DCMJS", FORWARDER_AE);
  await ended;
  return statuses;
}

Deno.test("what dcmjs-dimse sends passes through the forwarder unchanged", async () => {
  await using scratch = await Scratch.make();
  const paths = await writeStudy(scratch.at("study"), STUDY);
  await using direct = new Sink();
  await using sink = new Sink();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", sink.port)],
  });
  const requests = () => paths.map((path) => new CStoreRequest(path));
  const success = Array(paths.length).fill(Status.Success);
  assert.deepEqual(await sendByClient(direct.port, requests()), success);
  assert.deepEqual(await sendByClient(forwarder.port, requests()), success);
  await sink.received(paths.length);
  const told = (from: Sink) =>
    from.arrivals.map((one) => `${one.sopInstanceUid} ${one.transferSyntaxUid} ${one.hash}`).sort();
  assert.deepEqual(told(sink), told(direct));
});

Deno.test("dcmjs-dimse's C-ECHO is answered with Success", async () => {
  await using scratch = await Scratch.make();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", 9)],
  });
  assert.deepEqual(await sendByClient(forwarder.port, [new CEchoRequest()]), [Status.Success]);
});

/** UID and hash of the pixels of everything the provider below has taken. */
const taken = new Map<string, string>();

class StorageProvider extends Scp {
  override associationRequested(association: dimse.association.Association): void {
    for (const { id } of association.getPresentationContexts()) {
      const context = association.getPresentationContext(id);
      const result = context.getTransferSyntaxUids().includes(TransferSyntax.ExplicitVRLittleEndian)
        ? PresentationContextResult.Accept
        : PresentationContextResult.RejectTransferSyntaxesNotSupported;
      context.setResult(result, TransferSyntax.ExplicitVRLittleEndian);
    }
    this.sendAssociationAccept();
  }

  override cStoreRequest(
    request: dimse.requests.CStoreRequest,
    callback: (response: dimse.responses.CStoreResponse) => void,
  ): void {
    const pixels = request.getDataset()?.getElement("PixelData") as unknown as [ArrayBuffer];
    taken.set(request.getAffectedSopInstanceUid(), sha256(new Uint8Array(pixels[0])));
    const response = CStoreResponse.fromRequest(request);
    response.setStatus(Status.Success);
    callback(response);
  }

  override associationReleaseRequested(): void {
    this.sendAssociationReleaseResponse();
  }
}

Deno.test("dcmjs-dimse takes what the forwarder delivers", async () => {
  await using scratch = await Scratch.make();
  const study = [...generateStudy(STUDY)];
  // The library's own Server would listen on every network interface.
  const server = createServer((socket) => void new StorageProvider(socket, {}));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    await using forwarder = await Forwarder.start(scratch.path, {
      destinations: [nodeAt("pacs", port, { timeouts: { idle_release: 0.2 } })],
    });
    await sendAll(forwarder.port, study);
    await forwarder.delivered("pacs", study.length);
    const pixelBytes = 2 * STUDY.rows * STUDY.columns;
    const expected = study.map(({ sopInstanceUid, dataSet }) =>
      [sopInstanceUid, sha256(dataSet.subarray(dataSet.length - pixelBytes))] as const
    );
    assert.deepEqual(taken, new Map(expected));
    await until(() => forwarder.destination("pacs").sessions === 0, 5000, "the release");
  } finally {
    server.close();
  }
});
