/*
 * `sign.ts FILE...`: signs programs with the certificate in the environment: SIGNING_CERTIFICATE, a PFX file in Base64, and
 * SIGNING_PASSWORD.
 *
 * Without a certificate it says so and leaves the files as they are. A signature that fails fails the release: half of it
 * signed would be worse than none.
 */

import { Buffer } from "node:buffer";
import { join } from "node:path";
import { printLine } from "../../src/cli/terminal.ts";
import { runProgram, runScript } from "./script.ts";

const KITS = "C:\\Program Files (x86)\\Windows Kits\\10\\bin";

/** Gives a signature a time, so that it outlives its certificate. */
const TIMESTAMPS = "http://timestamp.digicert.com";

/** The newest of the kits' folders, `10.0.22621.0`; others are passed over. Undefined for none. */
export function newestKit(folders: readonly string[]): string | undefined {
  const numbers = (name: string) => name.split(".").map(Number);
  return folders.filter((name) => /^\d+(\.\d+){3}$/.test(name)).sort((one, other) => {
    const [a, b] = [numbers(one), numbers(other)];
    const index = a.findIndex((part, at) => part !== b[at]);
    return index < 0 ? 0 : a[index]! - b[index]!;
  }).at(-1);
}

async function main(files: string[]): Promise<void> {
  const certificate = Deno.env.get("SIGNING_CERTIFICATE") ?? "";
  if (certificate === "") return printLine(`No certificate: unsigned stays ${files.join(", ")}`);
  const kit = newestKit([...Deno.readDirSync(KITS)].map(({ name }) => name));
  if (kit === undefined) throw new Error(`There is no Windows Kit in ${KITS}, and so no signtool.`);
  const tool = join(KITS, kit, "x64", "signtool.exe");
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, "certificate.pfx");
    await Deno.writeFile(file, Buffer.from(certificate, "base64"));
    const identity = ["/f", file, "/p", Deno.env.get("SIGNING_PASSWORD") ?? ""];
    const digests = ["/fd", "SHA256", "/td", "SHA256", "/tr", TIMESTAMPS];
    const name = ["/d", "DICOM Forwarder"];
    await runProgram([tool, "sign", ...identity, ...digests, ...name, ...files], "Signing");
    await runProgram([tool, "verify", "/pa", ...files], "Verifying the signature");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) await runScript(() => main(Deno.args));
