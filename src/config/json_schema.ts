/*
 * Writes config.schema.json, by which editors complete and check a configuration while it is typed.
 *
 * It is generated from the schema the program itself uses and never edited by hand; run `deno task schema`.
 */

import { z } from "zod";
import { configSchema } from "./schema.ts";

/** The JSON Schema (2020-12) of a configuration file as text, as config.schema.json has it. */
export function jsonSchemaText(): string {
  const schema = z.toJSONSchema(configSchema, { io: "input", target: "draft-2020-12" });
  return JSON.stringify(schema, null, 2) + "\n";
}

if (import.meta.main) {
  await Deno.writeTextFile(new URL("../../config.schema.json", import.meta.url), jsonSchemaText());
}
