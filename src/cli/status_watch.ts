/*
 * `status --watch`: the status again and again, in place, until q or Ctrl-C.
 *
 * Owns the terminal meanwhile: the alternate screen, a hidden cursor, keys without Enter. Whatever ends it, the terminal is
 * as it was. Each picture is written at once over the one before, so that nothing flickers. Where the output is no terminal
 * it is a line each time.
 */

import type { Config } from "../config/load.ts";
import { ExitCode } from "./exit_code.ts";
import { gatherStatus, lookOfOutput, terminalSize } from "./status.ts";
import type { Askable, FindForwarder, Status } from "./status_facts.ts";
import { statusLine, statusScreen } from "./status_screen.ts";
import { printLine } from "./terminal.ts";

/** Alternate screen, cursor hidden; and back. (ECMA-48, xterm's private modes 1049 and 25.) */
const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";

/** Gathering takes no more than this part of the time: a long queue is not read without a pause. */
const SHARE = 5;

/**
 * Runs `status --watch`. The exit code is 1 where the forwarder did not run at the end.
 *
 * @param everyMs between two pictures, in ms
 */
export async function watchCommand(
  config: Config,
  everyMs: number,
  find: FindForwarder,
  signal: AbortSignal,
): Promise<ExitCode> {
  const live = Deno.stdout.isTerminal() && Deno.env.get("TERM") !== "dumb";
  const quit = new AbortController();
  const stop = AbortSignal.any([signal, quit.signal]);
  const keys = live ? listenForQuit(() => quit.abort()) : undefined;
  const resized = live ? onResize() : undefined;
  let running = false;
  let forwarder: Askable | undefined;
  try {
    if (live) await put(ENTER);
    while (!stop.aborted) {
      const began = performance.now();
      forwarder ??= await find(config.spoolDir, stop);
      const status = await gatherStatus(config, forwarder);
      if (status.source === "spool") forwarder = undefined;
      running = status.running;
      if (stop.aborted) break;
      const took = performance.now() - began;
      const pause = Math.max(everyMs - took, took * SHARE, 100);
      if (!live) printLine(statusLine(status, new Date()));
      else await showFor(status, config, everyMs, pause, stop, resized);
      if (!live) await wait(pause, stop);
    }
  } finally {
    keys?.();
    resized?.stop();
    if (live) await put(LEAVE);
  }
  return running ? ExitCode.Ok : ExitCode.Failed;
}

/** Draws a status, and again where the terminal changes its size, until it is time for the next. */
async function showFor(
  status: Status,
  config: Config,
  everyMs: number,
  ms: number,
  stop: AbortSignal,
  resized: Resized | undefined,
): Promise<void> {
  const until = performance.now() + ms;
  do {
    const { columns, rows } = terminalSize();
    const look = { ...lookOfOutput(), width: columns };
    const lines = statusScreen(status, config, look);
    const foot = `every ${everyMs / 1000} s; q leaves`;
    await put(picture(lines, foot, rows));
    const next = new AbortController();
    resized?.once(() => next.abort());
    await wait(until - performance.now(), AbortSignal.any([stop, next.signal]));
  } while (!stop.aborted && performance.now() < until - 1);
}

/**
 * What draws some lines over whatever is on the screen.
 *
 * @param rows of the terminal; what does not fit is counted in the last line
 */
export function picture(lines: readonly string[], foot: string, rows: number): string {
  const room = Math.max(1, rows - 2);
  const hidden = lines.length - room;
  const shown = hidden > 0
    ? [...lines.slice(0, room - 1), `... and ${hidden + 1} lines more`]
    : [...lines, ...Array<string>(room - lines.length).fill("")];
  // Home; each line with what was behind it cleared; nothing behind the last, which would scroll.
  return "\x1b[H" + [...shown, "", foot].map((line) => `${line}\x1b[K`).join("\r\n") + "\x1b[J";
}

async function put(text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}

/** Resolves after so many ms, or as soon as the signal is aborted. */
function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || ms <= 0) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

/** q, Q and Ctrl-C. Returns what gives the keyboard back. */
function listenForQuit(quit: () => void): () => void {
  if (!Deno.stdin.isTerminal()) return () => {};
  // Windows knows no cbreak mode: Ctrl-C comes as a key there.
  const windows = Deno.build.os === "windows";
  Deno.stdin.setRaw(true, windows ? undefined : { cbreak: true });
  let over = false;
  const read = async () => {
    const keys = new Uint8Array(16);
    while (!over) {
      const got = await Deno.stdin.read(keys);
      if (got === null) return;
      if (keys.subarray(0, got).some((key) => key === 0x71 || key === 0x51 || key === 0x03)) {
        return quit();
      }
    }
  };
  // A terminal that went away has nobody to press a key.
  read().catch(quit);
  return () => {
    over = true;
    Deno.stdin.setRaw(false);
  };
}

interface Resized {
  /** Calls back at the next change of the size, instead of whom it called before. */
  once(callback: () => void): void;
  stop(): void;
}

function onResize(): Resized {
  let callback = () => {};
  const changed = () => callback();
  // Windows tells of no change: the next picture has the new size.
  const tells = Deno.build.os !== "windows";
  if (tells) Deno.addSignalListener("SIGWINCH", changed);
  return {
    once: (next) => callback = next,
    stop: () => {
      if (tells) Deno.removeSignalListener("SIGWINCH", changed);
    },
  };
}
