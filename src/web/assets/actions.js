/*
 * What can be done to queued items, the same from the list and from one item's details. Removing asks first.
 */

import { post } from "./api.js";
import { ask, say } from "./dialog.js";
import { counted } from "./format.js";

/** Most that one request names (the API's bound). */
const MAX_NAMED = 1000;

const DONE = {
  retry: "put back and tried at once",
  hold: "held until released",
  release: "released",
  remove: "removed for good",
};

/**
 * Does it to items by name, or to all of a selection. Says what came of it.
 * @param {"retry" | "hold" | "release" | "remove"} action
 * @param {any} selection As the API takes it.
 * @param {number} count How many it is for, as far as is known.
 * @param {string} where `for pacs`, or empty.
 * @returns {Promise<boolean>} False where the answer to the question was no.
 */
export async function act(action, selection, count, where = "") {
  if (action === "remove" && !await reallyRemove(count, where)) return false;
  let done = 0;
  const failed = [];
  for (const some of inPieces(selection)) {
    const result = await post(`queue/${action}`, some);
    done += result.done;
    failed.push(...result.failed);
  }
  const text = `${counted(done, "image")} ${DONE[action]}.`;
  if (failed.length === 0) say("ok", text);
  else {
    say(
      "bad",
      `${text} ${counted(failed.length, "image")} could not be:`,
      failed.map(({ id, destination, reason }) => `${id} (${destination}): ${reason}`),
    );
  }
  return true;
}

function reallyRemove(count, where) {
  const what = counted(count, "image");
  return ask({
    title: `Remove ${what}${where === "" ? "" : ` ${where}`}?`,
    lines: [
      `${count === 1 ? "It has" : "They have"} not been delivered. Removed is for good: ${
        count === 1 ? "it cannot" : "they cannot"
      } be had back from here.`,
      "The removal is recorded in the ledger, with the address it comes from.",
    ],
    yes: `Remove ${what}`,
  });
}

function inPieces(selection) {
  if (selection.items === undefined || selection.items.length <= MAX_NAMED) return [selection];
  const pieces = [];
  for (let i = 0; i < selection.items.length; i += MAX_NAMED) {
    pieces.push({ items: selection.items.slice(i, i + MAX_NAMED) });
  }
  return pieces;
}
