/*
 * The description of the HTTP API (OpenAPI 3.1), made from the table that the server itself works by.
 *
 * Pure.
 */

import { z } from "zod";
import type { RouteDescription } from "./route.ts";
import { errorView } from "./shapes.ts";

/** Where the operations are. */
export const API_BASE = "/api/v1";

const ERROR_WORDS: Readonly<Record<number, string>> = {
  400: "The request is not what is wanted",
  401: "Not logged in, or a wrong password or token",
  403: "From another site, under another name, or without its CSRF token",
  404: "There is no such thing",
  429: "Too many wrong passwords",
  503: "Too busy",
};

/**
 * The description of a table of operations.
 *
 * @param version of the program
 */
export function openApi(
  routes: readonly RouteDescription[],
  version: string,
): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = paths[API_BASE + route.path] ??= {};
    path[route.method] = operation(route);
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "DICOM Forwarder",
      version,
      description: "What is to be seen of a running forwarder, and done to it. Times are ms " +
        "since 1970, durations ms, sizes bytes.",
    },
    paths,
    components: {
      schemas: { Error: schemaOf(errorView, "output") },
      securitySchemes: {
        session: {
          type: "apiKey",
          in: "cookie",
          name: "dicomforwarder_<port>",
          description: "By POST login, where a password is set; with TLS it begins with __Host-",
        },
        csrf: {
          type: "apiKey",
          in: "header",
          name: "X-CSRF-Token",
          description: "By GET session; with every POST",
        },
        token: {
          type: "http",
          scheme: "bearer",
          description: "The token of control.json in the spool, for programs of the same user",
        },
      },
    },
  };
}

function operation(route: RouteDescription): Record<string, unknown> {
  const parameters = [...parametersOf(route.params, "path"), ...parametersOf(route.query, "query")];
  const content = typeof route.answer === "string"
    ? { [route.answer]: { schema: { type: "string" } } }
    : { "application/json": { schema: schemaOf(route.answer, "output") } };
  const errors = [...new Set([400, 403, ...(route.open ? [] : [401]), ...route.errors])];
  return {
    operationId: [route.method, ...route.path.split(/[/{}]+/).filter(Boolean)].join("_"),
    summary: route.summary,
    security: security(route),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined ? {} : {
      requestBody: {
        required: true,
        content: { "application/json": { schema: schemaOf(route.body, "input") } },
      },
    }),
    responses: {
      200: { description: "Done", content },
      ...Object.fromEntries(
        errors.sort().map((status) => [status, {
          description: ERROR_WORDS[status] ?? "Not done",
          content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
        }]),
      ),
    },
  };
}

function security({ method, open }: RouteDescription): Record<string, string[]>[] {
  const csrf = method === "post" ? { csrf: [] } : {};
  // On loopback without a password no session is needed.
  return open ? [csrf] : [{ session: [], ...csrf }, { token: [] }, csrf];
}

function parametersOf(schema: z.ZodObject | undefined, place: "path" | "query") {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = schemaOf(schema, "input") as {
    properties?: Record<string, { description?: string }>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    schema: property,
  }));
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): Record<string, unknown> {
  const made = z.toJSONSchema(schema, { io, target: "draft-2020-12" });
  const { $schema: _same, ...rest } = made;
  return rest;
}
