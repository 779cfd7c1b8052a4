/*
 * Orthanc as a peer: a small PACS with a REST interface, on loopback, its storage below a test's folder.
 */

import { join } from "node:path";
import { Child, freePorts } from "./child.ts";
import { until } from "./until.ts";

export const ORTHANC_AE = "ORTHANC";

export class Orthanc implements AsyncDisposable {
  readonly #child: Child;
  readonly #url: string;
  readonly port: number;

  private constructor(child: Child, port: number, httpPort: number) {
    this.#child = child;
    this.port = port;
    this.#url = `http://127.0.0.1:${httpPort}`;
  }

  /** @param more settings of Orthanc's own */
  static async start(folder: string, more: Record<string, unknown> = {}): Promise<Orthanc> {
    const [port, httpPort] = freePorts(2) as [number, number];
    Deno.mkdirSync(folder, { recursive: true });
    const file = join(folder, "orthanc.json");
    Deno.writeTextFileSync(
      file,
      JSON.stringify({
        Name: "test",
        StorageDirectory: join(folder, "storage"),
        IndexDirectory: join(folder, "index"),
        Plugins: [],
        DicomAet: ORTHANC_AE,
        DicomPort: port,
        DicomCheckCalledAet: false,
        DicomAlwaysAllowEcho: true,
        DicomAlwaysAllowStore: true,
        UnknownSopClassAccepted: true,
        HttpPort: httpPort,
        RemoteAccessAllowed: false,
        AuthenticationEnabled: false,
        OverwriteInstances: true,
        StableAge: 1,
        StorageCompression: false,
        ...more,
      }),
    );
    const child = new Child("Orthanc", [file]);
    const orthanc = new Orthanc(child, port, httpPort);
    await until(
      async () => {
        if (child.ended) throw new Error(`Orthanc ended:\n${child.said}`);
        try {
          const response = await fetch(`${orthanc.#url}/system`);
          await response.body?.cancel();
          return response.ok;
        } catch {
          return false;
        }
      },
      30_000,
      () => `Orthanc to answer; it said:\n${child.said}`,
    );
    return orthanc;
  }

  /** Orthanc's ids of what it has. */
  async instances(): Promise<string[]> {
    const response = await this.#ask("/instances");
    return await response.json();
  }

  /** A stored instance as the Part 10 file it is kept as. */
  async file(id: string): Promise<Uint8Array> {
    const response = await this.#ask(`/instances/${id}/file`);
    return new Uint8Array(await response.arrayBuffer());
  }

  /** Takes a Part 10 file in by HTTP. */
  async put(file: Uint8Array): Promise<void> {
    const response = await this.#ask("/instances", {
      method: "POST",
      body: Uint8Array.from(file),
    });
    await response.body?.cancel();
  }

  /** Sends all it has to a node by C-STORE and waits until that is done. */
  async sendAll(node: { aeTitle: string; port: number; tls?: boolean }): Promise<void> {
    const known = await this.#ask("/modalities/node", {
      method: "PUT",
      body: JSON.stringify({
        AET: node.aeTitle,
        Host: "127.0.0.1",
        Port: node.port,
        UseDicomTls: node.tls ?? false,
      }),
    });
    await known.body?.cancel();
    const sent = await this.#ask("/modalities/node/store", {
      method: "POST",
      body: JSON.stringify({ Resources: await this.instances(), Synchronous: true }),
    });
    await sent.body?.cancel();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.end();
  }

  async #ask(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await fetch(this.#url + path, init);
    if (!response.ok) {
      throw new Error(`Orthanc: ${path}: ${response.status} ${await response.text()}`);
    }
    return response;
  }
}
