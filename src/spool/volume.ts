/*
 * Whether a volume can be trusted with a spool: a decision from what is known of it.
 *
 * Pure; what is known is `volume_probe.ts`'s to find out. A spool needs renames that are atomic in a crash and a sync that
 * reaches the disk. FAT has no journal, and what a server on the network does is not in this machine's hands. What is not
 * known counts for nothing: only what has shown itself is refused.
 */

/** Longest path of a spool on Windows, in UTF-16 units: with names of ours behind it, Windows' own tools still reach most. */
export const LONGEST_ROOT = 150;

/** Time stamps that are coarser than this, in ms, are FAT's (2 s) or exFAT's (10 ms). */
const FAT_TIME_STEP_MS = 10;

/** What is known of a volume. */
export interface VolumeFacts {
  readonly system: typeof Deno.build.os;
  /** As configured, absolute. */
  readonly path: string;
  /** Without links and mapped drives; undefined where nothing of the path exists. */
  readonly realPath: string | undefined;
  /** The type of the file system as statfs tells it on Linux; undefined elsewhere. */
  readonly type: number | undefined;
  /** Whether a file can have a second name; undefined where that could not be tried. */
  readonly hardLinks: boolean | undefined;
  /** How much a time stamp was off that had been set, in ms; undefined where that could not be tried. */
  readonly timeErrorMs: number | undefined;
}

export type VolumeVerdict =
  | { readonly kind: "sound" }
  /** To be used, and to be told of. */
  | { readonly kind: "doubtful"; readonly reason: string }
  /** Not to be used unless a person insists. */
  | { readonly kind: "unsafe"; readonly reason: string }
  /** Not to be used at all. */
  | { readonly kind: "unusable"; readonly reason: string };

type Type = readonly [
  name: string,
  what: "FAT" | "a network folder" | "a file system of another program" | "memory",
];

/** f_type of statfs(2), by linux/magic.h and the file systems' own sources. */
const TYPES: ReadonlyMap<number, Type> = new Map([
  [0x4d44, ["FAT", "FAT"]],
  [0x2011bab0, ["exFAT", "FAT"]],
  [0x6969, ["NFS", "a network folder"]],
  [0xff534d42, ["CIFS", "a network folder"]],
  [0xfe534d42, ["SMB", "a network folder"]],
  [0x517b, ["SMB", "a network folder"]],
  [0x564c, ["NCP", "a network folder"]],
  [0x5346414f, ["AFS", "a network folder"]],
  [0x6b414653, ["AFS", "a network folder"]],
  [0x73757245, ["Coda", "a network folder"]],
  [0x00c36400, ["Ceph", "a network folder"]],
  [0x0bd00bd0, ["Lustre", "a network folder"]],
  [0x01021997, ["9P", "a network folder"]],
  [0x786f4256, ["a shared folder of VirtualBox", "a network folder"]],
  // sshfs, s3fs, rclone, shared folders of virtual machines, NTFS: what is behind it, nobody says.
  [0x65735546, ["FUSE", "a file system of another program"]],
  [0x01021994, ["tmpfs", "memory"]],
  [0x858458f6, ["ramfs", "memory"]],
]);

const WHY = {
  "FAT": "it keeps no promise about names in a crash, which can take images that were answered",
  "a network folder":
    "whether a sync reaches a disk there is not in this machine's hands, and images that were answered can be lost",
  "a file system of another program":
    "whether a sync reaches a disk is that program's affair, and images that were answered can be lost",
} as const;

/** Decides whether a spool may be on a volume. */
export function judgeVolume(facts: VolumeFacts): VolumeVerdict {
  const { system, path, realPath = path, type, hardLinks, timeErrorMs } = facts;
  if (system === "windows") {
    if (path.length > LONGEST_ROOT) {
      const reason =
        `its path has ${path.length} characters, ${LONGEST_ROOT} is the most on Windows`;
      return { kind: "unusable", reason };
    }
    if (isNetworkPath(realPath) || isNetworkPath(path)) {
      return unsafe("a network folder", `${realPath} is a network folder`);
    }
  }
  const known = type === undefined ? undefined : TYPES.get(type >>> 0);
  if (known !== undefined) {
    const [name, what] = known;
    if (what === "memory") {
      const reason = `it is in memory (${name}): a power cut or a restart of the machine takes ` +
        "every image that has not been delivered";
      return { kind: "doubtful", reason };
    }
    return unsafe(what, what === "FAT" ? `its volume is ${name}` : `it is on ${what} (${name})`);
  }
  if (hardLinks === false && timeErrorMs !== undefined && timeErrorMs >= 1) {
    const step = timeErrorMs <= FAT_TIME_STEP_MS ? "exFAT" : "FAT";
    return unsafe("FAT", `its volume behaves as ${step} does: no hard links, coarse time stamps`);
  }
  return { kind: "sound" };
}

function unsafe(what: keyof typeof WHY, finding: string): VolumeVerdict {
  return { kind: "unsafe", reason: `${finding}: ${WHY[what]}` };
}

/** `\\server\share`, also as `\\?\UNC\server\share`; not `\\?\C:\folder`, which is a drive of this machine. */
function isNetworkPath(path: string): boolean {
  const plain = path.replaceAll("/", "\\");
  return plain.startsWith("\\\\") && !/^\\\\[?.]\\(?!UNC\\)/i.test(plain);
}
