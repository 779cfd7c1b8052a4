/*
 * The shapes of requests and answers that the HTTP API has beyond those of src/control/views.ts.
 *
 * Owns what a request may say. Every object is strict: a field that nobody knows is refused rather than ignored, so that a
 * mistyped one cannot widen what an action is done to.
 */

import { z } from "zod";
import { LONGEST_PASSWORD } from "../access/password.ts";
import { alarmView, logLine, queueQuery, studyQuery } from "../control/views.ts";

/** Most items that one action may name. */
const MAX_NAMED = 1000;

/** `<ms>-<sequence>-<study hash>-<CRC-32>`, as the spool names instances. */
const itemId = z.string().regex(/^\d{1,15}-\d{1,15}-[0-9a-f]{8}-[0-9a-f]{8}$/, {
  error: "wanted an id as the queue shows it",
});

const destinationName = z.string().regex(/^[a-z0-9-]{1,16}$/, {
  error: "wanted the name of a destination",
});

export const itemName = z.strictObject({ id: itemId, destination: destinationName });

export const destinationParams = z.strictObject({ name: destinationName });

const state = z.enum(["queued", "failed", "held"]);

/** Which items an action is for: those named, or all of a destination or of a study that are in a state. */
export const itemSelection = z.union([
  z.strictObject({
    items: z.array(itemName).min(1).max(MAX_NAMED, {
      error: `wanted ${MAX_NAMED} items at most: name a destination or a study for more`,
    }),
  }),
  z.strictObject({ state, destination: destinationName }),
  z.strictObject({ state, study: z.string().regex(/^[0-9a-f]{8}$/) }),
]);

export const queueSearch = z.strictObject(queueQuery.shape);

export const studySearch = z.strictObject({
  ...studyQuery.shape,
  // In a query, "false" is a text.
  active: z.enum(["true", "false"]).default("false").transform((text) => text === "true"),
});

export const logSearch = z.strictObject({
  limit: z.coerce.number().int().min(1).max(2000).default(200),
});

export const nothing = z.strictObject({});

export const loginBody = z.strictObject({ password: z.string().min(1).max(LONGEST_PASSWORD) });

/** How the one who asks stands with the server. */
export const sessionView = z.object({
  /** Whether a password is set, so that one has to log in. */
  password: z.boolean(),
  /** Whether the one who asks may see and change everything. */
  authenticated: z.boolean(),
  /** Give it back as X-CSRF-Token with every change. */
  csrf: z.string(),
  /** When the session ends, ms since 1970; null where there is none. */
  expires: z.number().nullable(),
});
export type SessionView = z.output<typeof sessionView>;

export const logView = z.object({ lines: z.array(logLine) });
export const alarmsView = z.object({ alarms: z.array(alarmView) });
export const configurationView = z.object({ configuration: z.record(z.string(), z.unknown()) });
export const doneView = z.object({ ok: z.literal(true) });
export const errorView = z.object({
  /** One sentence for people: what is wrong and what is wanted. */
  error: z.string(),
});
