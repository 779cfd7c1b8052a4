/*
 * What one operation of the HTTP API is: where it is, what it takes, what it answers, and what it does.
 *
 * Both the server and the API's description (OpenAPI) are made from such values, so that they cannot differ.
 */

import type { z } from "zod";
import type { Person } from "../control/control.ts";
import { HttpError } from "./http_error.ts";
import type { Caller } from "./access.ts";

/** A request as it came in, already let through. */
export interface Incoming {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly caller: Caller;
  /** Of the answer. */
  readonly headers: Headers;
  /** Aborted when the one who asked has gone. */
  readonly signal: AbortSignal;
}

/** The same with its parts validated. */
export interface Call<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly caller: Caller;
  readonly by: Person;
  readonly headers: Headers;
  readonly signal: AbortSignal;
}

export interface RouteDescription {
  readonly method: "get" | "post";
  /** Below /api/v1, as OpenAPI writes it: `/queue/{id}/{destination}`. */
  readonly path: string;
  readonly summary: string;
  /** Reached without being logged in. */
  readonly open: boolean;
  readonly params: z.ZodObject | undefined;
  readonly query: z.ZodObject | undefined;
  readonly body: z.ZodType | undefined;
  /** What it answers: JSON of a shape, or what is no JSON, by media type. */
  readonly answer: z.ZodType | string;
  /** Statuses other than 200 that it answers besides 400, 401 and 403. */
  readonly errors: readonly number[];
}

export interface Route extends RouteDescription {
  /**
   * Validates and runs.
   *
   * @returns what is answered: a Response as it is, anything else as JSON
   * @throws HttpError 400 where a part is not what is wanted
   */
  run(incoming: Incoming): Promise<unknown>;
}

interface RouteSpec<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Answer extends z.ZodType | string,
> {
  readonly method: "get" | "post";
  readonly path: string;
  readonly summary: string;
  readonly open?: boolean;
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  readonly answer: Answer;
  readonly errors?: readonly number[];
  run(
    call: Call<z.output<Params>, z.output<Query>, z.output<Body>>,
  ): AnswerOf<Answer> | Promise<AnswerOf<Answer>>;
}

type AnswerOf<Answer> = Answer extends z.ZodType ? z.input<Answer> : Response;

/** A route of the table. */
export function route<
  Params extends z.ZodObject = z.ZodObject<Record<never, never>>,
  Query extends z.ZodObject = z.ZodObject<Record<never, never>>,
  Body extends z.ZodType = z.ZodUndefined,
  Answer extends z.ZodType | string = string,
>(spec: RouteSpec<Params, Query, Body, Answer>): Route {
  const { open = false, params, query, body, errors = [] } = spec;
  return {
    method: spec.method,
    path: spec.path,
    summary: spec.summary,
    answer: spec.answer,
    open,
    params,
    query,
    body,
    errors,
    async run({ caller, headers, signal, ...given }) {
      return await spec.run({
        params: checked(params, given.params, "The address"),
        query: checked(query, given.query, "The query"),
        body: checked(body, given.body, "The body"),
        caller,
        by: caller.by,
        headers,
        signal,
      });
    },
  };
}

function checked<Schema extends z.ZodType>(
  schema: Schema | undefined,
  value: unknown,
  what: string,
): z.output<Schema> {
  if (schema === undefined) {
    const empty = value === undefined ||
      (typeof value === "object" && value !== null && Object.keys(value).length === 0);
    if (!empty) throw new HttpError(400, `${what} is wrong: wanted none here.`);
    // Only where no schema is given, and then nothing is read of it.
    return undefined as z.output<Schema>;
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues.slice(0, 5).map((issue) => {
    const path = issue.path.map(String).join(".");
    return path === "" ? issue.message : `${path}: ${issue.message}`;
  });
  throw new HttpError(400, `${what} is wrong: ${faults.join("; ")}.`);
}
