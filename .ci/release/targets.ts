/*
 * The systems and processors that the program is released for, and what its files are called there.
 */

import type { System } from "./permissions.ts";

/** One target of `deno compile`. */
export interface Target {
  /** What the compiler calls it. */
  readonly triple: string;
  readonly system: System;
  readonly processor: "x64" | "arm64";
}

export const TARGETS: readonly Target[] = [
  { triple: "x86_64-pc-windows-msvc", system: "windows", processor: "x64" },
  { triple: "x86_64-unknown-linux-gnu", system: "linux", processor: "x64" },
  { triple: "aarch64-unknown-linux-gnu", system: "linux", processor: "arm64" },
  { triple: "x86_64-apple-darwin", system: "darwin", processor: "x64" },
  { triple: "aarch64-apple-darwin", system: "darwin", processor: "arm64" },
];

/** The target of that name, as the compiler calls it. An error lists them where there is none. */
export function targetNamed(triple: string): Target {
  const target = TARGETS.find((one) => one.triple === triple);
  if (target !== undefined) return target;
  const known = TARGETS.map((one) => one.triple).join(", ");
  throw new Error(`There is no target "${triple}". The targets are ${known}.`);
}

/** The target's executable, `dicomforwarder.exe` or `dicomforwarder`. */
export function executableName({ system }: Target): string {
  return system === "windows" ? "dicomforwarder.exe" : "dicomforwarder";
}

/** The executable's name where those of several targets lie in one folder, `dicomforwarder-linux-x64`. */
export function releaseName({ system, processor }: Target): string {
  const name = `dicomforwarder-${system === "darwin" ? "macos" : system}-${processor}`;
  return system === "windows" ? `${name}.exe` : name;
}
