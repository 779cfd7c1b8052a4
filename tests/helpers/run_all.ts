/*
 * Runs all tests, in two processes at a time: most of them wait, for time-outs and for other programs, more than they work.
 *
 *     deno run -A tests/helpers/run_all.ts            everything
 *     deno run -A tests/helpers/run_all.ts tests/ul   only these, in one process
 *
 * What the first process writes is shown as it comes, what the second one writes when it is over. Ends with the runner's own
 * closing line for both together, and with 1 where a test failed or a process did not come to its end.
 */

import { stripVTControlCharacters } from "node:util";

/** Folders of the first process, about half of the time; whatever else there is runs in the second. */
const FIRST = [
  "crash",
  "fuzz",
  "interop",
  "limits",
  "setup",
  "spool",
  "tls",
  "transcode",
  "ul",
  "web",
]
  .map((folder) => `tests/${folder}`);

interface Outcome {
  readonly code: number;
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
}

/** Runs the test runner; `show` gets its output piece by piece. */
async function run(args: readonly string[], show: (piece: Uint8Array) => void): Promise<Outcome> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--frozen", ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const decoder = new TextDecoder();
  let end = "";
  const read = async (stream: ReadableStream<Uint8Array>, keep: boolean) => {
    for await (const piece of stream) {
      show(piece);
      // The closing line is the last of many thousand.
      if (keep) end = (end + decoder.decode(piece, { stream: true })).slice(-4096);
    }
  };
  const [{ code }] = await Promise.all([
    child.status,
    read(child.stdout, true),
    read(child.stderr, false),
  ]);
  const closing = /^(?:ok|FAILED) \|.*$/m.exec(stripVTControlCharacters(end))?.[0] ?? "";
  const counted = (what: string) =>
    Number(new RegExp(`\\| (\\d+) ${what}`).exec(closing)?.[1] ?? 0);
  return {
    // Without its closing line it has not told of all tests.
    code: closing === "" ? code || 1 : code,
    passed: counted("passed"),
    failed: counted("failed"),
    ignored: counted("ignored"),
  };
}

function write(piece: Uint8Array): void {
  for (let at = 0; at < piece.length;) at += Deno.stdout.writeSync(piece.subarray(at));
}

if (Deno.args.length > 0) {
  Deno.exit((await run(Deno.args, write)).code);
}
const began = performance.now();
const later: Uint8Array[] = [];
const outcomes = await Promise.all([
  run(FIRST, write),
  run([`--ignore=${FIRST.join(",")}`], (piece) => later.push(piece)),
]);
later.forEach(write);
const sum = (of: (outcome: Outcome) => number) =>
  outcomes.reduce((total, outcome) => total + of(outcome), 0);
const failed = outcomes.some(({ code }) => code !== 0);
const minutes = Math.floor((performance.now() - began) / 60_000);
const seconds = Math.round((performance.now() - began) / 1000) - minutes * 60;
write(new TextEncoder().encode(
  `\n${failed ? "FAILED" : "ok"} | ${sum(({ passed }) => passed)} passed | ${
    sum((outcome) => outcome.failed)
  } failed | ${sum(({ ignored }) => ignored)} ignored (${minutes}m${seconds}s)\n`,
));
Deno.exit(failed ? 1 : 0);
