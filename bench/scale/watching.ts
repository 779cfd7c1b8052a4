/*
 * What it costs to be watched: how long each page and each answer of the API takes beside a long queue, and how many images
 * come in while three browsers look on, against none, in turn.
 *
 * What the browsers ask for is asked for here, without browsers, whose drawing would take the machine from both.
 */

import { join } from "node:path";
import type { Figure, Series } from "../figure.ts";
import { settleDisk } from "../machine.ts";
import { freePort } from "../subject.ts";
import { Modality } from "./ends.ts";
import { fillSpool } from "./filled_spool.ts";
import { nthOf } from "./generated.ts";
import { WatchedForwarder } from "./watched.ts";

/** Of what is sent, in bytes. */
const SIZE = 12_000;
const ASSOCIATIONS = 4;
/** Pages ask again after this long while they are looked at (src/web/assets), in ms. */
const AGAIN_MS = 2000;
/** What one that is open asks for beside its stream: the overview nothing, the queue and the log a page of theirs. */
const WATCHERS = [[], ["/api/v1/queue?limit=100"], ["/api/v1/log?limit=500"]] as const;

export interface WatchingPlan {
  /** Entries queued, ascending. */
  readonly lengths: readonly number[];
  /** Each answer is asked for so often. */
  readonly answers: number;
  /** Rounds of not being watched and being watched, an odd number. */
  readonly rounds: number;
  /** Received in each half of a round. */
  readonly instances: number;
}

/** What one answer took. */
export interface Answered {
  readonly path: string;
  readonly medianMs: number;
  readonly mostMs: number;
  readonly bytes: number;
}

/** What it took to receive. */
export interface Received {
  /** Images a second. */
  readonly rate: number;
  /** The forwarder's own, for each image: what else the machine does changes it little. */
  readonly cpuMs: number;
}

export interface Round {
  readonly unwatched: Received;
  readonly watched: Received;
}

export interface WatchingResult {
  readonly entries: number;
  readonly answers: readonly Answered[];
  readonly rounds: readonly Round[];
  /** Of what is received while watched by what is received unwatched, the median of the rounds. */
  readonly ratio: number;
  /** The same of the CPU time that an image costs. */
  readonly cpuRatio: number;
}

export async function measureWatching(
  directory: string,
  plan: WatchingPlan,
  tell: (line: string) => void,
): Promise<WatchingResult[]> {
  const all: WatchingResult[] = [];
  for (const entries of plan.lengths) {
    const home = await Deno.makeTempDir({ dir: directory, prefix: "watching-" });
    tell(`queue of ${entries}: filling the spool`);
    await fillSpool(join(home, "spool"), { entries, destination: "pacs", oneStudy: false });
    await settleDisk();
    const result = await measureWatched(home, entries, plan);
    tell(JSON.stringify(result));
    all.push(result);
    await Deno.remove(home, { recursive: true });
  }
  return all;
}

/** Measures a forwarder on a spool that is filled already. */
export async function measureWatched(
  home: string,
  entries: number,
  plan: Omit<WatchingPlan, "lengths">,
): Promise<WatchingResult> {
  const webPort = freePort();
  const forwarder = await WatchedForwarder.start(home, freePort(), { web: { port: webPort } });
  const base = `http://127.0.0.1:${webPort}`;
  try {
    await forwarder.balanced();
    const answers: Answered[] = [];
    for (const path of await pathsOf(base)) {
      answers.push(await timeOf(base, path, plan.answers));
    }
    const rounds: Round[] = [];
    // The first instances find nothing compiled and no association made.
    await rateOf(forwarder, plan.instances, 0);
    for (let n = 1; n <= plan.rounds; n++) {
      const watched = () => whileWatched(base, () => rateOf(forwarder, plan.instances, 2 * n));
      const unwatched = () => rateOf(forwarder, plan.instances, 2 * n + 1);
      // Whichever comes second may find a busier disk: they take turns.
      if (n % 2 === 0) rounds.push({ watched: await watched(), unwatched: await unwatched() });
      else rounds.push({ unwatched: await unwatched(), watched: await watched() });
    }
    return {
      entries,
      answers,
      rounds,
      ratio: median(rounds.map((one) => one.watched.rate / one.unwatched.rate)),
      cpuRatio: median(rounds.map((one) => one.watched.cpuMs / one.unwatched.cpuMs)),
    };
  } finally {
    await forwarder.stop();
  }
}

/** Everything that a browser asks for with all pages open, the file of one instance included. */
async function pathsOf(base: string): Promise<string[]> {
  const page = await (await fetch(`${base}/`)).text();
  const assets = [...page.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, path]) => path!);
  const queue = await (await fetch(`${base}/api/v1/queue?limit=100`)).json();
  const { id, destination } = queue.items[Math.floor(queue.items.length / 2)];
  const next = encodeURIComponent(queue.next ?? "");
  return [
    "/",
    ...new Set(assets),
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/v1/session",
    "/api/v1/overview",
    "/api/v1/throughput",
    "/api/v1/studies",
    "/api/v1/studies?active=true",
    `/api/v1/studies?search=${encodeURIComponent(nthOf(1, 1).studyInstanceUid)}`,
    "/api/v1/studies?search=BENCH",
    "/api/v1/studies?search=nowhere",
    "/api/v1/queue?limit=100",
    ...(next === "" ? [] : [`/api/v1/queue?limit=500&after=${next}`]),
    "/api/v1/queue?state=failed",
    "/api/v1/queue?destination=pacs&state=queued&limit=100",
    `/api/v1/queue/${id}/${destination}`,
    `/api/v1/queue/${id}/${destination}/file`,
    "/api/v1/log?limit=500",
    "/api/v1/configuration",
    "/api/v1/alarms",
  ];
}

async function timeOf(base: string, path: string, times: number): Promise<Answered> {
  const took: number[] = [];
  let bytes = 0;
  for (let n = 0; n < times; n++) {
    const began = performance.now();
    const answer = await fetch(base + path);
    bytes = (await answer.arrayBuffer()).byteLength;
    took.push(performance.now() - began);
    if (!answer.ok) throw new Error(`${path} was answered with ${answer.status}, wanted 200`);
  }
  return { path, medianMs: median(took), mostMs: Math.max(...took), bytes };
}

/** Receives over several associations, so that the forwarder and not its answers' way is what is measured. */
async function rateOf(
  forwarder: WatchedForwarder,
  instances: number,
  study: number,
): Promise<Received> {
  const modalities = await Promise.all(
    Array.from({ length: ASSOCIATIONS }, () => Modality.associate(forwarder.port)),
  );
  let sent = 0;
  const before = forwarder.figures();
  const began = performance.now();
  await Promise.all(modalities.map(async (modality) => {
    while (sent < instances) {
      const n = 3_000_000 + study * instances + sent++;
      await modality.store(nthOf(1_000_000 + study, n), SIZE);
    }
  }));
  const seconds = (performance.now() - began) / 1000;
  const cpuMs = (forwarder.figures().cpuS - before.cpuS) * 1000 / instances;
  await Promise.all(modalities.map((modality) => modality.release()));
  return { rate: instances / seconds, cpuMs };
}

/** Does something while three browsers look on. */
async function whileWatched<T>(base: string, work: () => Promise<T>): Promise<T> {
  const over = new AbortController();
  const opened = WATCHERS.map(() => Promise.withResolvers<void>());
  const watchers = WATCHERS.map((paths, n) =>
    watch(base, paths, over.signal, () => opened[n]!.resolve())
  );
  try {
    await Promise.race([Promise.all(opened.map(({ promise }) => promise)), ...watchers]);
    return await work();
  } finally {
    over.abort();
    await Promise.all(watchers);
  }
}

/** One browser: the stream, and what its page asks for. */
async function watch(
  base: string,
  paths: readonly string[],
  signal: AbortSignal,
  opened: () => void,
): Promise<void> {
  const ask = async () => {
    for (const path of paths) await (await fetch(base + path, { signal })).arrayBuffer();
  };
  let timer: ReturnType<typeof setInterval> | undefined;
  try {
    const { body } = await fetch(`${base}/api/v1/events`);
    const stream = body!.getReader();
    signal.addEventListener("abort", () => void stream.cancel());
    timer = setInterval(() => void ask().catch(() => {}), AGAIN_MS);
    await ask();
    while (!(await stream.read()).done) opened();
    if (!signal.aborted) {
      throw new Error("The forwarder ended the stream of events, wanted it to go on");
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    clearInterval(timer);
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)]!;
}

export function watchingFigures(results: readonly WatchingResult[]): Figure[] {
  const x = { label: "instances queued", unit: "entries" } as const;
  const line = (name: string, value: (result: WatchingResult) => number): Series => ({
    name,
    points: results.map((one) => [one.entries, value(one)]),
  });
  const slowest = (some: (path: string) => boolean) => (result: WatchingResult) =>
    Math.max(...result.answers.filter(({ path }) => some(path)).map(({ mostMs }) => mostMs));
  return [
    {
      name: "watching-answers",
      title: "The status page beside a long queue",
      x,
      y: { label: "the slowest answer", unit: "ms" },
      series: [
        line("the overview", slowest((path) => path === "/api/v1/overview")),
        line("a page of the queue", slowest((path) => path.startsWith("/api/v1/queue?"))),
        line("one image", slowest((path) => path.startsWith("/api/v1/queue/"))),
        line("a search", slowest((path) => path.includes("search="))),
        line("of them all", slowest(() => true)),
      ],
    },
    {
      name: "watching-rate",
      title: "Receiving while three browsers look on",
      x,
      y: { label: "received, the median round", unit: "instances/s" },
      linearY: true,
      series: [
        line("unwatched", ({ rounds }) => median(rounds.map((one) => one.unwatched.rate))),
        line("watched", ({ rounds }) => median(rounds.map((one) => one.watched.rate))),
      ],
    },
  ];
}
