/*
 * Where the figures come from: the machine, the programs and the disk. A disk in memory is refused, for a sync costs
 * nothing there.
 */

import { availableParallelism, cpus, totalmem } from "node:os";

/** Told with the results. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly deno: string;
  readonly dcmtk: string;
  readonly orthanc: string;
  /** Device, file system and mount options of the benchmark's folder. */
  readonly disk: string;
}

const IN_MEMORY: ReadonlySet<string> = new Set(["tmpfs", "ramfs", "devtmpfs"]);

/**
 * Describes the machine.
 *
 * @param directory where the benchmark's data go
 * @throws where that is in memory, or DCMTK is not installed
 */
export async function describeMachine(directory: string): Promise<Machine> {
  const mount = await output("findmnt", "-n", "-o", "FSTYPE,SOURCE,OPTIONS", "-T", directory);
  const fileSystem = mount.split(/\s+/)[0] ?? "";
  if (IN_MEMORY.has(fileSystem)) {
    throw new Error(`${directory} is in memory (${fileSystem}): choose a disk with --dir`);
  }
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${Deno.build.os} ${Deno.osRelease()}`,
    deno: Deno.version.deno,
    dcmtk: /storescu (v\S+)/.exec(await output("storescu", "--version"))?.[1] ?? "unknown",
    orthanc: /Orthanc (\S+)/.exec(await output("Orthanc", "--version"))?.[1] ?? "unknown",
    disk: mount.replaceAll(/\s+/g, " "),
  };
}

/** Puts on the disk what earlier work left in memory, so that nobody is timed for another's writing. */
export async function settleDisk(): Promise<void> {
  await output("sync");
}

/** Written at once, in bytes. */
const PIECE = 1 << 20;

/**
 * Has the system touch as much memory as a load's files will take in the page cache, and frees it again. Where free memory
 * is given back to the host of a virtual machine, whoever comes first would otherwise wait for it, and others not.
 *
 * @param path of a file that is left empty
 */
export function warmMemory(path: string, bytes: number): void {
  const file = Deno.openSync(path, { write: true, create: true });
  try {
    const piece = new Uint8Array(PIECE);
    for (let at = 0; at < bytes; at += PIECE) {
      for (let done = 0; done < PIECE;) done += file.writeSync(piece.subarray(done));
    }
    file.truncateSync(0);
  } finally {
    file.close();
  }
}

async function output(program: string, ...args: string[]): Promise<string> {
  let result: Deno.CommandOutput;
  try {
    result = await new Deno.Command(program, { args, stdin: "null" }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(
      `${program} is not installed: the benchmark needs DCMTK, Orthanc and util-linux`,
    );
  }
  const decoder = new TextDecoder();
  if (!result.success) {
    throw new Error(
      `${program} ended with ${result.code}: ${decoder.decode(result.stderr).trim()}`,
    );
  }
  return decoder.decode(result.stdout).trim();
}
