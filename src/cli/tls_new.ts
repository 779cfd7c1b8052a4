/*
 * `tls-new`: an authority and certificates for a site that has none.
 *
 * Writes three certificates with their keys (authority, server, client) into a folder and says what to do with each. Never
 * overwrites: a key that is gone is gone for every node that trusts it. Keys can be read by their owner alone.
 */

import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { type Made, makeCertificate } from "../tls/make_certificate.ts";
import { ExitCode } from "./exit_code.ts";
import { printJson, printLine, warnLine } from "./terminal.ts";

const DAY_MS = 86_400_000;
/** What some systems take at most of a server's certificate. */
const DAYS = 825;
const AUTHORITY_DAYS = 3650;
/** A clock of a node may be slow by so much, in ms. */
const SLACK_MS = DAY_MS;

export interface TlsNewOptions {
  readonly dir: string;
  /** Names and addresses of this machine as senders call it. */
  readonly name: readonly string[];
  readonly json: boolean;
  /** ms since 1970 */
  readonly now: number;
}

/** Runs `tls-new`. */
export async function tlsNewCommand(options: TlsNewOptions): Promise<ExitCode> {
  const folder = resolve(options.dir);
  const names = options.name.length > 0 ? [...options.name] : ownNames();
  const bad = names.find((name) => !/^[A-Za-z0-9._:-]{1,253}$/.test(name));
  if (bad !== undefined || names.length === 0) {
    warnLine(
      bad === undefined
        ? "This machine's name is not known here: give it with --name."
        : `${JSON.stringify(bad)} is no host name or IP address.`,
    );
    return ExitCode.Usage;
  }
  try {
    return await make(folder, names, options);
  } catch (error) {
    const trouble = error instanceof Deno.errors.AlreadyExists
      ? "a file of that name is there already. Nothing is overwritten: give another --dir"
      : error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotADirectory
      ? error.message
      : undefined;
    if (trouble === undefined) throw error;
    warnLine(`Cannot write to ${folder}: ${trouble}.`);
    return ExitCode.Failed;
  }
}

async function make(
  folder: string,
  names: readonly string[],
  { now, json }: TlsNewOptions,
): Promise<ExitCode> {
  const files = {
    ca: join(folder, "ca.pem"),
    caKey: join(folder, "ca.key"),
    server: join(folder, "server.pem"),
    serverKey: join(folder, "server.key"),
    client: join(folder, "client.pem"),
    clientKey: join(folder, "client.key"),
  };
  for (const file of Object.values(files)) {
    if (exists(file)) throw new Deno.errors.AlreadyExists(file);
  }
  const notBefore = now - SLACK_MS;
  const notAfter = now + DAYS * DAY_MS;
  const issuer = await makeCertificate({
    subject: `DICOM Forwarder CA ${new Date(now).toISOString().slice(0, 10)}`,
    purpose: "authority",
    notBefore,
    notAfter: now + AUTHORITY_DAYS * DAY_MS,
  });
  const server = await makeCertificate({
    subject: names[0]!.slice(0, 64),
    purpose: "server",
    names,
    notBefore,
    notAfter,
    issuer,
  });
  const client = await makeCertificate({
    subject: `${names[0]!.slice(0, 50)} client`,
    purpose: "client",
    notBefore,
    notAfter,
    issuer,
  });
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  await write(files.caKey, files.ca, issuer);
  await write(files.serverKey, files.server, server);
  await write(files.clientKey, files.client, client);
  const until = new Date(notAfter).toISOString().slice(0, 10);
  if (json) printJson({ ok: true, names, until, ...files });
  else say(folder, names, until);
  return ExitCode.Ok;
}

async function write(keyFile: string, certificateFile: string, made: Made): Promise<void> {
  // The key first: a certificate without its key is of no use.
  await Deno.writeTextFile(keyFile, made.key, { createNew: true, mode: 0o600 });
  await Deno.writeTextFile(certificateFile, made.certificate, { createNew: true, mode: 0o644 });
}

function exists(file: string): boolean {
  try {
    Deno.lstatSync(file);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** This machine's name, where the program may ask for it. */
function ownNames(): string[] {
  try {
    return [hostname(), "localhost", "127.0.0.1"];
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return [];
    throw error;
  }
}

function say(folder: string, names: readonly string[], until: string): void {
  const path = (name: string) => JSON.stringify(join(folder, name));
  const lines = [
    `In ${folder}, good until ${until} for ${names.join(", ")}:`,
    "",
    "  ca.pem      whom to trust: give it to every node",
    "  ca.key      with it anybody can make certificates that are trusted: keep it offline",
    "  server.pem, server.key   this forwarder, where it receives",
    "  client.pem, client.key   one that sends: this forwarder, or a modality",
    "",
    "In config.json, to receive with TLS on port 2762:",
    `  "tls": { "certificate": ${path("server.pem")}, "key": ${path("server.key")},`,
    `           "ca": ${path("ca.pem")} }`,
    "",
    "In a destination of config.json, to send with TLS to a node whose certificate is by this CA:",
    `  "tls": { "ca": ${path("ca.pem")},`,
    `           "certificate": ${path("client.pem")}, "key": ${path("client.key")} }`,
    "",
    "In config.json, for the status page (https):",
    `  "web": { "tls": { "certificate": ${path("server.pem")}, "key": ${path("server.key")} } }`,
    "",
    "On the PACS: trust ca.pem for clients, and give it a certificate for its own name (its",
    "administrator has one, or make one by tls-new --name PACS-HOST --dir ANOTHER and trust that",
    "ca.pem in the destination).",
    "On a modality: trust ca.pem for servers, give it client.pem and client.key, and set this",
    "machine's name or address, port 2762 and TLS.",
  ];
  for (const line of lines) printLine(line);
}
