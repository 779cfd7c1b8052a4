/*
 * What a process has used so far, as Linux tells it in /proc.
 */

/** What a process has used since it began. */
export interface ProcessFigures {
  /** User and system time of all its threads, in seconds, to a hundredth. */
  readonly cpuS: number;
  /** The most memory it has held at once, in bytes. */
  readonly peakRssBytes: number;
}

/** /proc tells times in these, whatever the kernel counts in (proc_pid_stat(5), USER_HZ). */
const TICKS_PER_SECOND = 100;

/** @throws {Deno.errors.NotFound} where there is no such process */
export function processFigures(pid: number): ProcessFigures {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The second field is a name in parentheses that may contain anything; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  if (!Number.isFinite(ticks) || peak === undefined) {
    throw new Error(`Cannot tell what process ${pid} has used from /proc: ${stat.trim()}`);
  }
  return { cpuS: ticks / TICKS_PER_SECOND, peakRssBytes: Number(peak) * 1024 };
}
