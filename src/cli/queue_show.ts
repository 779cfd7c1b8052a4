/*
 * `queue show`: one instance in full: where it waits, what is in its file, and what the ledger says of it.
 */

import type { Config } from "../config/load.ts";
import { findEvents } from "../ledger/find_events.ts";
import { inWords } from "../ledger/in_words.ts";
import { escapeText } from "../log.ts";
import { isBase } from "../spool/entry_name.ts";
import { realFileSystem } from "../spool/file_system.ts";
import { spoolPaths } from "../spool/paths.ts";
import { ExitCode } from "./exit_code.ts";
import { details, type Selection, selectItems } from "./queue.ts";
import { printJson, printLine, table, warnLine } from "./terminal.ts";

/** Bytes of the ledger looked through. */
const MOST_LEDGER = 4 * 1024 * 1024 * 1024;

/** Runs `queue show`. The exit code is 1 where there is no such instance in the spool. */
export async function showCommand(
  config: Config,
  id: string,
  selection: Selection,
  json: boolean,
): Promise<ExitCode> {
  const { items } = isBase(id)
    ? await selectItems(config, { ...selection, ids: [id] })
    : { items: [] };
  const { ledger } = spoolPaths(config.spoolDir);
  const events = isBase(id)
    ? (await findEvents(realFileSystem, ledger, id, MOST_LEDGER)).events
    : [];
  const told = events.map((one) => ({ at: one.at, text: inWords(one) }));
  const file = items[0] === undefined ? {} : await details(items[0]);
  if (json) {
    printJson({
      id,
      items: items.map((item) => ({
        ...item,
        received: new Date(item.receivedMs).toISOString(),
      })),
      ...file,
      events: told,
    });
  } else if (items.length === 0) {
    warnLine(`The spool has no ${escapeText(id)}: \`queue list\` shows what there is.`);
    for (const { at, text } of told) printLine(`${at}  ${escapeText(text, 1024)}`);
  } else {
    const [first] = items;
    const rows = [["id", id], ["received", new Date(first!.receivedMs).toISOString()]];
    for (const { destination, state, tries, reason } of items) {
      const why = reason === undefined || reason === "" ? "" : `: ${escapeText(reason, 1024)}`;
      rows.push([destination, `${state}, ${tries === 1 ? "1 try" : `${tries} tries`}${why}`]);
    }
    for (const [key, value] of Object.entries(file)) rows.push([key, escapeText(value, 1024)]);
    rows.push(["file", first!.path]);
    for (const line of table(rows)) printLine(line.trimEnd());
    printLine();
    for (const { at, text } of told) printLine(`${at}  ${escapeText(text, 1024)}`);
  }
  return items.length === 0 ? ExitCode.Failed : ExitCode.Ok;
}
