/*
 * An HTTP server in the test's own process that keeps what is posted to it, and answers as a test wants it to.
 */

import { until } from "./until.ts";

export interface Posted {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  // deno-lint-ignore no-explicit-any -- JSON of the program under test, looked into by tests
  readonly body: any;
}

export class WebhookServer implements AsyncDisposable {
  readonly posted: Posted[] = [];
  /** 204 by default; may hang until the server is gone. */
  answer: (posted: Posted) => Response | Promise<Response> = () =>
    new Response(null, { status: 204 });
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #end = new AbortController();

  constructor(port = 0) {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port, onListen: () => {}, signal: this.#end.signal },
      async (request) => {
        const { method, url, headers } = request;
        const { pathname, search } = new URL(url);
        const body = JSON.parse(await request.text());
        const posted = { method, path: pathname + search, headers, body };
        this.posted.push(posted);
        return await this.answer(posted);
      },
    );
  }

  get port(): number {
    return this.#server.addr.port;
  }

  url(path = "/hook"): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** Answers nothing, ever. */
  hang = (): Promise<Response> =>
    new Promise((resolve) =>
      this.#end.signal.addEventListener("abort", () => resolve(new Response()))
    );

  /** What was posted, as `begin destination-down pacs`. */
  get told(): string[] {
    return this.posted.map(({ body }) => `${body.event} ${body.key}`);
  }

  async received(count: number, withinMs = 20_000): Promise<void> {
    await until(
      () => this.posted.length >= count,
      withinMs,
      () => `${count} posts: ${this.told.join(", ")}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#server.finished;
  }
}
