/*
 * A small disk of a test's own that can be filled to the last byte or the last inode and emptied again.
 *
 * Where this process may mount one it is an ext4 image behind a loop device; elsewhere the real file system with the
 * errors of a full disk. Owns the image and the mount, and takes both away again.
 */

import { join } from "node:path";
import type { FileSystem } from "../../src/spool/file_system.ts";
import { run } from "./child.ts";
import { FaultyFiles, systemError } from "./faulty_files.ts";

/** A quota cannot be set without tools of its own: its errors are always injected. */
export type Shortage = "bytes" | "inodes" | "quota";

export interface SmallDiskOptions {
  readonly megabytes: number;
  /** What runs out. */
  readonly shortage: Shortage;
  /** False for injected errors, even where a disk could be mounted. */
  readonly mount?: boolean;
}

/** More than a spool's own folders and slots need. */
const FEW_INODES = 1024;
const CHUNK = new Uint8Array(256 * 1024);

export interface SmallDisk extends AsyncDisposable {
  /** A folder on it. */
  readonly path: string;
  /** False where the errors are injected. */
  readonly mounted: boolean;
  /** What the spool has to be given to meet its errors. */
  readonly files: FileSystem | undefined;
  /** Takes all that is left, now and of what becomes free meanwhile, a bit at a time. */
  fill(): Promise<void>;
  /** Takes what has become free since. */
  topUp(): void;
  /** Gives everything back. */
  empty(): void;
}

/** Makes one. */
export async function makeSmallDisk(options: SmallDiskOptions): Promise<SmallDisk> {
  const folder = await Deno.makeTempDir({ prefix: "forwarder-disk-" });
  const { mount = options.shortage !== "quota" } = options;
  if (mount && Deno.build.os === "linux" && Deno.uid() === 0) {
    const disk = await MountedDisk.make(folder, options);
    if (disk !== undefined) return disk;
  }
  return new InjectedDisk(folder, options.shortage === "quota" ? "EDQUOT" : "ENOSPC");
}

class MountedDisk implements SmallDisk {
  readonly mounted = true;
  readonly files = undefined;
  readonly path: string;
  readonly #folder: string;
  readonly #shortage: Shortage;
  readonly #filler: string;
  #made = 0;

  private constructor(folder: string, shortage: Shortage) {
    this.#folder = folder;
    this.path = join(folder, "disk");
    this.#shortage = shortage;
    this.#filler = join(this.path, "filler");
  }

  /** Undefined where the system does not let us. */
  static async make(
    folder: string,
    { megabytes, shortage }: SmallDiskOptions,
  ): Promise<MountedDisk | undefined> {
    const disk = new MountedDisk(folder, shortage);
    const image = join(folder, "image");
    const file = await Deno.open(image, { write: true, createNew: true });
    await file.truncate(megabytes * 1024 * 1024);
    file.close();
    Deno.mkdirSync(disk.path);
    // No blocks kept back for the superuser: full is full.
    const make = ["-q", "-F", "-m", "0"];
    if (shortage === "inodes") make.push("-N", String(FEW_INODES));
    for (
      const [program, ...args] of [
        ["mkfs.ext4", ...make, image],
        ["mount", "-o", "loop", image, disk.path],
      ] as const
    ) {
      try {
        if ((await run(program!, args)).code !== 0) return undefined;
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw error;
      }
    }
    Deno.mkdirSync(disk.#filler);
    return disk;
  }

  async fill(): Promise<void> {
    // Writing back what was promised room for may turn out to need less of it: again until nothing more fits.
    for (let taken = true; taken;) {
      taken = false;
      while (!this.#takeSome()) {
        taken = true;
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      await run("sync", ["-f", this.path]);
    }
  }

  topUp(): void {
    while (!this.#takeSome());
  }

  /** True where nothing is left. */
  #takeSome(): boolean {
    const path = join(this.#filler, String(this.#made++));
    if (this.#shortage === "inodes") {
      return fails(() => {
        for (let n = 0; n < 32; n++) Deno.openSync(`${path}-${n}`, NEW).close();
      });
    }
    let file: Deno.FsFile | undefined;
    if (fails(() => file = Deno.openSync(path, NEW))) return true;
    let taken = 0;
    // A large write may fail as a whole where a small one still fits.
    for (let length = CHUNK.length; length >= 1 && taken < 4 * CHUNK.length;) {
      const full = fails(() => taken += file!.writeSync(CHUNK.subarray(0, length)));
      if (full) length >>>= 1;
    }
    file?.close();
    return taken < 4 * CHUNK.length;
  }

  empty(): void {
    Deno.removeSync(this.#filler, { recursive: true });
    Deno.mkdirSync(this.#filler);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { code, stderr } = await run("umount", ["--lazy", this.path]);
    if (code !== 0) throw new Error(`umount ${this.path}: ${stderr}`);
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** True where there is no room for it. */
function fails(step: () => void): boolean {
  try {
    step();
    return false;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOSPC") return true;
    throw error;
  }
}

const NEW = { write: true, createNew: true } as const;

class InjectedDisk implements SmallDisk {
  readonly mounted = false;
  readonly files = new FaultyFiles();
  readonly path: string;
  readonly #code: string;

  constructor(folder: string, code: string) {
    this.path = folder;
    this.#code = code;
  }

  fill(): Promise<void> {
    this.topUp();
    return Promise.resolve();
  }

  topUp(): void {
    // A quota shows in no figure of the file system.
    if (this.#code === "ENOSPC") this.files.free = 0;
    this.files.fault = (operation, path) => {
      const takesRoom = operation === "write" ||
        operation === "open" && path.endsWith(".part") && !this.files.exists(path);
      return takesRoom ? systemError(this.#code, "No room") : undefined;
    };
  }

  empty(): void {
    this.files.free = 1 << 30;
    this.files.fault = () => undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
