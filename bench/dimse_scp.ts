/*
 * dcmjs-dimse's own Scp as a receiver, a program of its own: each data set is streamed into a file, nothing is synced, and
 * Success is answered when the file is written.
 *
 *     deno run -A bench/dimse_scp.ts PORT FOLDER
 */

import { createWriteStream } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { Writable } from "node:stream";
import dimse from "dcmjs-dimse";

const { Scp } = dimse;
const { CStoreResponse } = dimse.responses;
const { PresentationContextResult, Status, TransferSyntax } = dimse.constants;

const [port, folder] = Deno.args;
if (port === undefined || folder === undefined) throw new Error("Usage: dimse_scp.ts PORT FOLDER");

dimse.log.setLevel("silent");

let files = 0;

class FileProvider extends Scp {
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

  override createStoreWritableStream(): Writable {
    return createWriteStream(join(folder!, `${files++}.dcm`));
  }

  override createDatasetFromStoreWritableStream(
    writable: Writable,
    _context: dimse.association.PresentationContext,
    callback: (dataset: dimse.Dataset) => void,
  ): void {
    // The data set is in the file; whoever wants it reads it there.
    const done = () => callback(undefined as unknown as dimse.Dataset);
    if (writable.writableFinished) done();
    else writable.once("finish", done);
  }

  override cStoreRequest(
    request: dimse.requests.CStoreRequest,
    callback: (response: dimse.responses.CStoreResponse) => void,
  ): void {
    const response = CStoreResponse.fromRequest(request);
    response.setStatus(Status.Success);
    callback(response);
  }

  override associationReleaseRequested(): void {
    this.sendAssociationReleaseResponse();
  }
}

createServer((socket) => {
  socket.setNoDelay(true);
  new FileProvider(socket, {});
}).listen(Number(port), "127.0.0.1");
