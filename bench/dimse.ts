/*
 * dcmjs-dimse's Scp, started as a receiver (`dimse_scp.ts`).
 */

import { fileURLToPath } from "node:url";
import { FileReceiver } from "./file_receiver.ts";

export function startDimse(home: string): Promise<FileReceiver> {
  const program = fileURLToPath(new URL("dimse_scp.ts", import.meta.url));
  return FileReceiver.start(
    home,
    "dcmjs-dimse",
    (port, directory) =>
      new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--frozen", "--no-check", program, String(port), directory],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn(),
  );
}
