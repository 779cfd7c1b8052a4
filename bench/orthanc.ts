/*
 * Orthanc as a durable router: its storage area synced, and a script in Lua that sends each instance on and deletes it when
 * that has succeeded.
 *
 * Of two ways to say that in Lua this is the faster. `Delete(SendToModality(...))` appends to one job, which Orthanc
 * serializes whole at each of its steps: a backlog costs the square of its length. Its network is DCMTK's and
 * needs the same environment: without it each image waits 40 ms for an acknowledgement, which says nothing about Orthanc.
 */

import { join } from "node:path";
import { DCMTK_ENVIRONMENT } from "./dcmtk_log.ts";
import { type ProcessFigures, ProcessTree } from "./process_tree.ts";
import { end, freePort, listens, type Subject } from "./subject.ts";

export class Orthanc implements Subject {
  readonly aeTitle = "ORTHANC";
  readonly port: number;
  readonly #child: Deno.ChildProcess;
  readonly #tree: ProcessTree;
  readonly #http: number;

  private constructor(port: number, http: number, child: Deno.ChildProcess) {
    this.port = port;
    this.#http = http;
    this.#child = child;
    this.#tree = new ProcessTree(child.pid);
  }

  static async start(home: string, destinations: readonly number[]): Promise<Orthanc> {
    const [port, http] = [freePort(), freePort()];
    const script = join(home, "forward.lua");
    if (destinations.length > 1) throw new Error("Orthanc is measured with one destination");
    await Deno.writeTextFile(
      script,
      [
        "function OnStoredInstance(instanceId, tags, metadata, origin)",
        '  if RestApiPost("/modalities/pacs/store", instanceId) then',
        '    RestApiDelete("/instances/" .. instanceId)',
        "  end",
        "end",
        "",
      ].join("\n"),
    );
    const config = join(home, "orthanc.json");
    await Deno.writeTextFile(
      config,
      JSON.stringify({
        Name: "bench",
        StorageDirectory: join(home, "storage"),
        IndexDirectory: join(home, "storage"),
        SyncStorageArea: true,
        StorageCompression: false,
        Plugins: [],
        LuaScripts: destinations.length > 0 ? [script] : [],
        DicomAet: "ORTHANC",
        DicomPort: port,
        DicomCheckCalledAet: false,
        DicomAlwaysAllowStore: true,
        DicomModalities: Object.fromEntries(
          destinations.map((to) => ["pacs", ["ANY", "127.0.0.1", to]]),
        ),
        MaximumPduLength: 131_072,
        HttpPort: http,
        RemoteAccessAllowed: false,
        AuthenticationEnabled: false,
      }),
    );
    const child = new Deno.Command("Orthanc", {
      args: [config],
      env: DCMTK_ENVIRONMENT,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      await listens(port, "Orthanc");
      await listens(http, "Orthanc");
      return new Orthanc(port, http, child);
    } catch (error) {
      await end(child, "SIGKILL");
      throw error;
    }
  }

  figures(): ProcessFigures {
    return this.#tree.figures();
  }

  async kept(): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.#http}/statistics`);
    const { CountInstances } = await response.json();
    return CountInstances;
  }

  async stop(): Promise<void> {
    this.#tree.stop();
    await end(this.#child, "SIGTERM");
  }
}
