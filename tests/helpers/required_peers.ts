/*
 * The programs of others that tests talk to, and what to do where they are missing.
 *
 * Tests that need one are skipped with its name where it is missing, and fail where CI is set: a build that tests nothing
 * must not look like one that does.
 */

/** A Debian package and the files of it that tests use. */
export interface RequiredPeer {
  readonly package: string;
  readonly files: readonly string[];
}

export const DCMTK: RequiredPeer = {
  package: "dcmtk",
  files: [
    "/usr/bin/storescu",
    "/usr/bin/storescp",
    "/usr/bin/echoscu",
    "/usr/bin/dcmcjpeg",
    "/usr/bin/dcmdjpeg",
    "/usr/bin/dcmcrle",
    "/usr/bin/dcmdrle",
  ],
};

export const ORTHANC: RequiredPeer = { package: "orthanc", files: ["/usr/sbin/Orthanc"] };

/** Where python3-pydicom keeps its test files. */
export const PYDICOM_FILES = "/usr/lib/python3/dist-packages/pydicom/data/test_files";

export const PYDICOM: RequiredPeer = { package: "python3-pydicom", files: [PYDICOM_FILES] };

/** Builds the library that makes system calls fail (tests/crash/faults.c). */
export const COMPILER: RequiredPeer = { package: "gcc", files: ["/usr/bin/gcc"] };

/** The terminal that the wizard is driven in. */
export const TMUX: RequiredPeer = { package: "tmux", files: ["/usr/bin/tmux"] };

/** The browser that the status pages are tried in. */
export const CHROMIUM: RequiredPeer = { package: "chromium", files: ["/usr/bin/chromium"] };

/** A server that speaks TLS. */
export const OPENSSL: RequiredPeer = { package: "openssl", files: ["/usr/bin/openssl"] };

/** A web server. */
export const PYTHON: RequiredPeer = { package: "python3", files: ["/usr/bin/python3"] };

export const ALL_PEERS: readonly RequiredPeer[] = [
  DCMTK,
  ORTHANC,
  PYDICOM,
  COMPILER,
  TMUX,
  CHROMIUM,

  OPENSSL,
  PYTHON,
];

/** Packages of which a file is missing. */
export function missingPackages(peers: readonly RequiredPeer[]): string[] {
  return peers.filter(({ files }) => !files.every(exists)).map((peer) => peer.package);
}

/** A test against real peers. */
export function peerTest(
  name: string,
  peers: readonly RequiredPeer[],
  test: (context: Deno.TestContext) => Promise<void>,
): void {
  const missing = missingPackages(peers).join(" ");
  if (missing === "") Deno.test(name, test);
  else if (Deno.env.get("CI")) {
    Deno.test(name, () => {
      throw new Error(`Under CI every peer must be there: apt-get install ${missing}`);
    });
  } else {Deno.test({
      name: `${name} (skipped: apt-get install ${missing})`,
      ignore: true,
      fn: test,
    });}
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
