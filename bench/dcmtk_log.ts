/*
 * DCMTK's programs writing a log with times to a file, and what it says.
 */

/** DCMTK otherwise waits 40 ms for an acknowledgement in the middle of each message. */
export const DCMTK_ENVIRONMENT = { TCP_NODELAY: "1" };

/** The longest PDU DCMTK takes. */
export const DCMTK_MAX_PDU = "131072";

/** Writes a log configuration beside the log it is for: each line with its time. Returns its path. */
export async function dcmtkLog(log: string): Promise<string> {
  const appender = "log4cplus.appender.file";
  const path = `${log}.cfg`;
  await Deno.writeTextFile(
    path,
    [
      "log4cplus.rootLogger = INFO, file",
      `${appender} = log4cplus::FileAppender`,
      `${appender}.File = ${log}`,
      `${appender}.ImmediateFlush = true`,
      `${appender}.layout = log4cplus::PatternLayout`,
      // Seconds since 1970 and milliseconds, then the message.
      `${appender}.layout.ConversionPattern = %D{%s.%q} %m%n`,
      "",
    ].join("\n"),
  );
  return path;
}

/** Lines with their times, in ms since 1970. */
export async function readDcmtkLog(path: string): Promise<{ ms: number; text: string }[]> {
  const text = await Deno.readTextFile(path);
  const lines: { ms: number; text: string }[] = [];
  for (const line of text.split("\n")) {
    const parts = /^(\d+)\.(\d{3}) (.*)$/.exec(line);
    if (parts === null) continue;
    lines.push({ ms: Number(parts[1]) * 1000 + Number(parts[2]), text: parts[3]!.trim() });
  }
  return lines;
}
