/*
 * The application behind the socket: which request is let through to what.
 *
 * Owns the order of the checks: the name it is asked under, the site it comes from, who asks, whether a change carries its
 * token, what it says. A fault of the program is logged and told as one sentence without its cause.
 */

import type { Context } from "hono";
import { Hono } from "hono/tiny";
import { type Clock, systemClock } from "../clock.ts";
import type { Control } from "../control/control.ts";
import { getLog } from "../log.ts";
import { CONTENT_TYPE } from "../metrics/exposition.ts";
import { Access, type AccessOptions, type Caller } from "./access.ts";
import { apiRoutes } from "./api.ts";
import { Assets } from "./assets.ts";
import { EventHub } from "./events.ts";
import { crossSite, hostAllowed, type Reach } from "./guard.ts";
import { errorResponse, HttpError } from "./http_error.ts";
import { API_BASE, openApi } from "./openapi.ts";
import { type Route, route } from "./route.ts";
import { Turns } from "./turns.ts";
import { z } from "zod";

const log = getLog("web");

export interface AppOptions extends AccessOptions {
  readonly control: Control;
  readonly clock: Clock;
  readonly reach: Reach;
}

interface Env {
  readonly Bindings: { readonly peer: string };
}

export class WebApp {
  readonly #options: AppOptions;
  readonly #access: Access;
  readonly #events: EventHub;
  readonly #assets = new Assets();
  readonly #turns: Turns;
  readonly #app = new Hono<Env>({ strict: true });

  constructor(options: AppOptions) {
    this.#options = options;
    // What a look takes is real time, whatever the clock of the sessions says.
    this.#turns = new Turns(systemClock);
    this.#access = new Access(options);
    this.#events = new EventHub(options.control, options.clock);
    this.#register();
  }

  /**
   * Refuses a request by its head, before its body is read.
   *
   * @returns undefined where it may go on
   */
  refuse(head: Request): Response | undefined {
    const { headers, method } = head;
    if (!hostAllowed(headers.get("host") ?? undefined, this.#options.reach)) {
      const message = "Not under this name: use 127.0.0.1 or localhost, or enter the name in " +
        "web.allowed_names of the configuration.";
      return errorResponse(new HttpError(403, message));
    }
    const isChange = method !== "GET" && method !== "HEAD";
    if (!isChange && !new URL(head.url).pathname.startsWith(API_BASE)) return undefined;
    const foreign = crossSite(headers);
    if (foreign === undefined) return undefined;
    return errorResponse(new HttpError(403, foreign));
  }

  /** Answers a request that `refuse` has let go on. */
  async answer(request: Request, peer: string): Promise<Response> {
    return await this.#app.fetch(request, { peer });
  }

  /** Ends every open stream. */
  stop(): void {
    this.#events.stop();
  }

  #register(): void {
    const app = this.#app;
    const { control } = this.#options;
    const routes = apiRoutes({
      control,
      access: this.#access,
      subscribe: (caller) => this.#events.subscribe(() => this.#access.holds(caller)),
    });
    // Made once: anybody may ask for it, and it takes ten times as long as any other answer.
    let description: Record<string, unknown> | undefined;
    const described = openApiRoute(() =>
      description ??= openApi([...routes, described], control.overview().version)
    );
    const methods = new Map<string, string[]>();
    for (const each of [...routes, described]) {
      const path = API_BASE + each.path.replaceAll(/\{(\w+)\}/g, ":$1");
      methods.set(path, [...methods.get(path) ?? [], each.method.toUpperCase()]);
      app.on(each.method.toUpperCase(), path, (context) => this.#run(each, context));
    }
    const probes: [string, (context: Context<Env>) => Response | Promise<Response>][] = [
      ["/healthz", () => Response.json({ ok: true }, NOT_STORED)],
      ["/readyz", () => this.#ready()],
      ["/metrics", (context) => this.#metrics(context)],
    ];
    for (const [path, run] of probes) {
      methods.set(path, ["GET"]);
      app.get(path, run);
    }
    for (const [path, known] of methods) {
      app.all(path, () => {
        const allow = known.includes("GET") ? [...known, "HEAD"] : known;
        const answer = errorResponse(new HttpError(405, `Wanted ${allow.join(" or ")} here.`));
        answer.headers.set("Allow", allow.join(", "));
        return answer;
      });
    }
    app.all("*", (context) => this.#file(context));
    app.onError((error) => this.#failed(error));
  }

  async #run(route: Route, context: Context<Env>): Promise<Response> {
    const { raw } = context.req;
    // Once more, where it is known to be an operation: an address can be written in many ways (`/%61pi/v1/events`).
    const foreign = crossSite(raw.headers);
    if (foreign !== undefined) throw new HttpError(403, foreign);
    const caller = this.#access.identify(raw.headers, context.env.peer);
    if (!route.open && !caller.authenticated) {
      throw new HttpError(401, "Log in first: a password is set.");
    }
    const isChange = route.method !== "get";
    if (isChange) this.#access.checkChange(caller, raw.headers);
    const headers = new Headers({ "Cache-Control": "no-store" });
    const body = isChange ? await bodyOf(raw) : undefined;
    const run = async () => {
      const result = await route.run({
        params: context.req.param(),
        query: queryOf(new URL(raw.url).searchParams),
        body,
        caller,
        headers,
        signal: raw.signal,
      });
      return result instanceof Response ? result : Response.json(result, { headers });
    };
    // What streams is paced by who reads it, and changes are a person's.
    return isChange || typeof route.answer === "string" ? await run() : await this.#turns.take(run);
  }

  #ready(): Response {
    const { ok, reasons } = this.#options.control.ready();
    return Response.json({ ok, reasons }, { ...NOT_STORED, status: ok ? 200 : 503 });
  }

  async #metrics(context: Context<Env>): Promise<Response> {
    const { headers } = context.req.raw;
    const caller: Caller = this.#access.identify(headers, context.env.peer);
    try {
      await this.#access.checkMetrics(caller, headers);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      const answer = errorResponse(error);
      if (error.status === 401) answer.headers.set("WWW-Authenticate", 'Basic realm="metrics"');
      return answer;
    }
    return new Response(await this.#turns.take(() => this.#options.control.metrics()), {
      headers: {
        "Content-Type": CONTENT_TYPE,
        "Cache-Control": "no-store",
      },
    });
  }

  async #file(context: Context<Env>): Promise<Response> {
    const { method, headers, url } = context.req.raw;
    const { pathname } = new URL(url);
    if (pathname === "/api" || pathname.startsWith("/api/")) {
      return errorResponse(
        new HttpError(404, `There is nothing here: see ${API_BASE}/openapi.json.`),
      );
    }
    const found = await this.#assets.answer(pathname, headers);
    if (found !== undefined && method !== "GET" && method !== "HEAD") {
      await found.body?.cancel();
      const answer = errorResponse(new HttpError(405, "Wanted GET or HEAD here."));
      answer.headers.set("Allow", "GET, HEAD");
      return answer;
    }
    return found ?? new Response(NOT_FOUND, {
      status: 404,
      headers: { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store" },
    });
  }

  #failed(error: Error): Response {
    if (error instanceof HttpError) return errorResponse(error);
    log.error("A request to the status page failed", { error });
    return errorResponse(new HttpError(500, "The forwarder could not do that; its log says why."));
  }
}

const NOT_STORED = { headers: { "Cache-Control": "no-store" } };

const NOT_FOUND = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Not found</title></head>
<body><h1>There is no such page</h1><p><a href="/">DICOM Forwarder</a></p></body></html>
`;

function openApiRoute(text: () => Record<string, unknown>): Route {
  return route({
    method: "get",
    path: "/openapi.json",
    summary: "This description",
    open: true,
    answer: z.record(z.string(), z.unknown()),
    run: text,
  });
}

/** A name that comes twice is refused: which one would count? */
function queryOf(search: URLSearchParams): Record<string, string> {
  const query = new Map<string, string>();
  for (const [name, value] of search) {
    if (query.has(name)) throw new HttpError(400, `The query names ${name} twice.`);
    query.set(name, value);
  }
  return Object.fromEntries(query);
}

/** JSON, declared as such: a form of another site cannot declare that without asking first. */
async function bodyOf(request: Request): Promise<unknown> {
  const text = await request.text();
  if (text === "") return {};
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/json(;|$)/i.test(type)) {
    throw new HttpError(415, "The body is wrong: wanted JSON with Content-Type application/json.");
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new HttpError(400, "The body is wrong: it is no JSON.");
  }
}
