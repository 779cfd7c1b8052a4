/*
 * What a program has used so far, its children included, as Linux tells it in /proc. Some peers fork a process for each
 * association; what those used counts, too.
 */

/** Of a program and all it started. */
export interface ProcessFigures {
  /** User and system time, in seconds, to a hundredth. */
  readonly cpuS: number;
  /**
   * The most memory held at once, in bytes: exact for one process (its resident set). For several, their proportional
   * sets added up, as seen by looking now and then: what forked processes share is counted once.
   */
  readonly peakRssBytes: number;
}

/** /proc tells times in these, whatever the kernel counts in (proc_pid_stat(5), USER_HZ). */
const TICKS_PER_SECOND = 100;

/** How often the memory of several processes is looked at, in ms. */
const LOOK_MS = 40;

interface Usage {
  readonly ticks: number;
  readonly peakBytes: number;
}

/** Watches a program from its start until `stop`. */
export class ProcessTree {
  readonly #pid: number;
  #peak = 0;
  #forked = false;
  #timer: ReturnType<typeof setInterval>;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  #look(): void {
    const pids = descendants(this.#pid);
    if (pids.length < 2 && !this.#forked) return;
    this.#forked = true;
    let sum = 0;
    for (const pid of pids) sum += sharedFairly(pid);
    this.#peak = Math.max(this.#peak, sum);
  }

  /** @throws where the program has ended */
  figures(): ProcessFigures {
    this.#look();
    const root = usage(this.#pid);
    if (root === undefined) throw new Error(`Process ${this.#pid} has ended`);
    let ticks = 0;
    for (const pid of descendants(this.#pid)) ticks += usage(pid)?.ticks ?? 0;
    return {
      cpuS: ticks / TICKS_PER_SECOND,
      peakRssBytes: this.#forked ? this.#peak : root.peakBytes,
    };
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** The process and all below it. */
function descendants(pid: number): number[] {
  const found = [pid];
  for (const at of found) {
    for (const task of names(`/proc/${at}/task`)) {
      const children = text(`/proc/${at}/task/${task}/children`) ?? "";
      for (const child of children.split(" ")) if (child !== "") found.push(Number(child));
    }
  }
  return found;
}

/** Undefined where the process has ended meanwhile. */
function usage(pid: number): Usage | undefined {
  const [stat, status] = [text(`/proc/${pid}/stat`), text(`/proc/${pid}/status`)];
  if (stat === undefined || status === undefined) return undefined;
  // The second field is a name in parentheses that may contain anything; utime, stime and those of children that have
  // ended are fields 14 to 17.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  let ticks = 0;
  for (const field of fields.slice(11, 15)) ticks += Number(field);
  return { ticks, peakBytes: kilobytes(status, "VmHWM") };
}

/** The proportional set size of a process, in bytes: each page divided by those who share it; 0 where it has ended. */
function sharedFairly(pid: number): number {
  return kilobytes(text(`/proc/${pid}/smaps_rollup`) ?? "", "Pss");
}

/** A line of /proc as bytes; 0 where there is none, as of a process that has ended and was not waited for yet. */
function kilobytes(lines: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(lines)?.[1] ?? 0) * 1024;
}

function text(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

function names(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].map((entry) => entry.name);
  } catch {
    return [];
  }
}
