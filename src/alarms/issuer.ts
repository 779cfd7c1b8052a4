/*
 * The certificate of an issuer that a server of this site has, out of the file that the configuration names.
 *
 * Read at each attempt, so that a renewed one counts without a restart.
 */

import { ChannelError } from "./channel.ts";

/**
 * Reads a file of certificates.
 *
 * @throws {ChannelError} that says what is wrong with it
 */
export async function readIssuer(file: string): Promise<string> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "there is no such file"
      : error instanceof Error
      ? error.name
      : String(error);
    throw new ChannelError(`the certificate file ${file} (ca_file) cannot be read: ${why}`);
  }
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  throw new ChannelError(`${file} (ca_file) has no certificate in it: wanted PEM text`);
}
