/*
 * What alarms keep over a restart, as text: what is watched, when modalities were heard from, what waits to be sent.
 *
 * Owns the text in both directions. A text that cannot be read is told and ignored: alarms then begin anew, which may tell
 * one twice and loses none that goes on.
 */

import { z } from "zod";
import type { Notice } from "./channel.ts";
import { EMPTY, type MachineState } from "./machine.ts";
import type { Waiting } from "./outbox.ts";
import type { Seen } from "./snapshot.ts";

/** Longest text in it that is believed. */
const LONGEST = 4_000;

export interface KeptState {
  readonly machine: MachineState;
  readonly seen: readonly Seen[];
  /** By the channel's name. */
  readonly waiting: Readonly<Record<string, Waiting>>;
}

export const NOTHING_KEPT: KeptState = { machine: EMPTY, seen: [], waiting: {} };

const text = z.string().max(LONGEST);
const time = z.number().min(0).max(8.64e15);
const length = z.number().min(0);
const severity = z.enum(["warning", "critical"]);

const watched = z.object({
  key: text,
  severity,
  title: text,
  text,
  since: time,
  active: z.boolean(),
  presentMs: length,
  absentMs: length,
  goneAt: time.nullable(),
  toldMs: length,
  level: z.number(),
  returns: z.int().min(0),
  begins: z.array(length).max(10),
});

const notice = z.object({
  event: z.enum(["begin", "repeat", "end", "test"]),
  key: text,
  severity,
  title: text,
  text,
  since: time,
  at: time,
});

const kept = z.object({
  version: z.literal(1),
  machine: z.object({ at: time, watched: z.array(watched).max(1000) }),
  seen: z.array(z.object({ aeTitle: text, at: time, heard: z.boolean() })).max(1000),
  waiting: z.record(
    z.string().max(50),
    z.object({ notices: z.array(notice).max(1000), left: z.int().min(0) }),
  ),
});

/** The text to keep. */
export function stateText(state: KeptState): string {
  return JSON.stringify({ version: 1, ...state }, null, 1) + "\n";
}

/**
 * What a text says.
 *
 * @returns undefined where it is none of ours, or damaged
 */
export function readState(source: string): KeptState | undefined {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch {
    return undefined;
  }
  const checked = kept.safeParse(value);
  if (!checked.success) return undefined;
  const { machine, seen, waiting } = checked.data;
  return { machine, seen, waiting: waiting as Record<string, { notices: Notice[]; left: number }> };
}
