/*
 * Installs the programs that tests talk to: where they are missing, apt-get is there, and this user may. Says what is
 * missing otherwise. `deno task test` runs it first.
 */

import { ALL_PEERS, missingPackages } from "./required_peers.ts";

async function apt(...args: string[]): Promise<void> {
  const { success } = await new Deno.Command("apt-get", {
    args: ["-q", "-y", ...args],
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`apt-get ${args.join(" ")} failed`);
}

function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(line + "\n"));
}

const missing = missingPackages(ALL_PEERS);
if (missing.length > 0) {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) {
    say(`Tests against ${missing.join(", ")} are skipped. To run them, install these packages.`);
  } else {
    say(`Installing ${missing.join(", ")} ...`);
    try {
      await apt("update");
      await apt("install", "--no-install-recommends", ...missing);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      say(`Cannot install ${missing.join(", ")}: ${reason}. Tests that need them are skipped.`);
    }
  }
}
