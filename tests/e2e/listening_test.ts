/*
 * What a forwarder listens on where nothing is said of it: one DICOM port, and the status page for this machine alone [SE-04].
 */

import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { freePort } from "../helpers/child.ts";
import { DaemonProcess } from "../helpers/daemon_process.ts";
import { Scratch } from "../helpers/scratch.ts";
import { until } from "../helpers/until.ts";

interface Listening {
  readonly address: string;
  readonly port: number;
}

/** The TCP sockets that a process listens on. */
function listeningOf(daemon: DaemonProcess): Listening[] {
  const inodes = new Set(
    daemon.openFiles().map((file) => /^socket:\[(\d+)\]$/.exec(file)?.[1]).filter(Boolean),
  );
  return ["tcp", "tcp6"].flatMap((table) =>
    Deno.readTextFileSync(`/proc/${daemon.pid}/net/${table}`).split("\n").slice(1).flatMap(
      (line) => {
        const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
        if (state !== "0A" || !inodes.has(inode)) return [];
        const [address = "", port = ""] = local.split(":");
        return [{ address, port: parseInt(port, 16) }];
      },
    )
  );
}

/** An address of this machine that others reach it by; undefined where it has none. */
function outerAddress(): string | undefined {
  return Object.values(networkInterfaces()).flat()
    .find((one) => one !== undefined && !one.internal && one.family === "IPv4")?.address;
}

async function answers(hostname: string, port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname, port })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
}

Deno.test({
  name:
    "a fresh forwarder listens on its DICOM port and, for this machine alone, on the page's, and nowhere else",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using scratch = await Scratch.make();
    const page = freePort();
    await using daemon = await DaemonProcess.start(scratch.path, {
      store_locally: true,
      local_host: undefined,
      web: { port: page },
    });
    const found = () => listeningOf(daemon).sort((a, b) => a.port - b.port);
    await until(() => found().length >= 2, 10_000, () => JSON.stringify(found()));
    assert.deepEqual(
      found(),
      [
        { address: "00000000", port: daemon.port },
        { address: "0100007F", port: page },
      ].sort((a, b) => a.port - b.port),
    );
    const outer = outerAddress();
    if (outer === undefined) return;
    assert.equal(await answers(outer, daemon.port), true);
    assert.equal(await answers(outer, page), false);
  },
});

Deno.test({
  name: "a forwarder told to listen on loopback is not reached by this machine's other addresses",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using scratch = await Scratch.make();
    await using daemon = await DaemonProcess.start(scratch.path, { store_locally: true });
    assert.deepEqual(listeningOf(daemon), [{ address: "0100007F", port: daemon.port }]);
  },
});
