/*
 * The files of the status pages, from a fixed table: no byte of a request ever becomes part of a path.
 *
 * The folder's own list is the table, read once, when the first page is asked for; until then they need no memory. They lie
 * in the executable where the program is compiled. uPlot's two files come from its package.
 */

import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { getLog } from "../log.ts";

const log = getLog("web");

const FOLDER = new URL("./assets/", import.meta.url);

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
  png: "image/png",
  webmanifest: "application/manifest+json",
};

/** Where uPlot's module and style are, as the pages name them. */
const UPLOT_MODULE = "/assets/uplot.js";
const UPLOT_STYLE = "/assets/uplot.css";

interface Asset {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly tag: string;
  /** Made at first need. */
  packed?: Uint8Array<ArrayBuffer>;
}

export class Assets {
  #table: Promise<ReadonlyMap<string, Asset>> | undefined;

  /** The answer to a request for a path; undefined where no file is there. */
  async answer(path: string, headers: Headers): Promise<Response | undefined> {
    const asset = (await (this.#table ??= load())).get(path);
    if (asset === undefined) return undefined;
    const answer: Record<string, string> = {
      "Content-Type": asset.type,
      "Cache-Control": "no-cache",
      "ETag": asset.tag,
      "Vary": "Accept-Encoding",
    };
    if (namesTag(headers.get("if-none-match"), asset.tag)) {
      return new Response(null, { status: 304, headers: answer });
    }
    if (!/\bgzip\b/.test(headers.get("accept-encoding") ?? "") || asset.type === TYPES.png) {
      return whole(asset.bytes, answer);
    }
    asset.packed ??= new Uint8Array(gzipSync(asset.bytes, { level: 9 }));
    return whole(asset.packed, { ...answer, "Content-Encoding": "gzip" });
  }

  /** The paths there are. */
  async paths(): Promise<string[]> {
    return [...(await (this.#table ??= load())).keys()];
  }
}

function whole(bytes: Uint8Array<ArrayBuffer>, headers: Record<string, string>): Response {
  return new Response(bytes, { headers: { ...headers, "Content-Length": String(bytes.length) } });
}

function namesTag(header: string | null, tag: string): boolean {
  return header?.split(",").some((each) => each.trim().replace(/^W\//, "") === tag) ?? false;
}

async function load(): Promise<ReadonlyMap<string, Asset>> {
  const table = new Map<string, Asset>();
  for await (const { name, isFile } of Deno.readDir(FOLDER)) {
    const type = TYPES[name.slice(name.lastIndexOf(".") + 1)];
    if (!isFile || type === undefined) continue;
    const path = name === "index.html" ? "/" : `/assets/${name}`;
    table.set(path, asset(type, await Deno.readFile(new URL(name, FOLDER))));
  }
  await addUplot(table);
  const icon = table.get("/assets/favicon.svg");
  if (icon !== undefined) table.set("/favicon.ico", icon);
  return table;
}

/** Without it the pages have no curves, and all the rest. */
async function addUplot(table: Map<string, Asset>): Promise<void> {
  const encoder = new TextEncoder();
  try {
    // Written out, because the compiler takes along only what it sees.
    const { default: module } = await import("uplot/dist/uPlot.esm.js", { with: { type: "text" } });
    const { default: style } = await import("uplot/dist/uPlot.min.css", { with: { type: "text" } });
    table.set(UPLOT_MODULE, asset(TYPES.js!, encoder.encode(module)));
    table.set(UPLOT_STYLE, asset(TYPES.css!, encoder.encode(style)));
  } catch (error) {
    log.error("The status page has no curves: uPlot cannot be loaded", { error });
  }
}

function asset(type: string, bytes: Uint8Array<ArrayBuffer>): Asset {
  const tag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`;
  return { type, bytes, tag };
}
