/*
 * How it is, in sentences: what an overview amounts to, the worst first, each with since when and what to do. Pure.
 */

import { bytes, counted, duration, number } from "./format.js";

/**
 * @typedef {object} Finding
 * @property {"bad" | "warn" | "ok" | "idle"} level
 * @property {string} icon
 * @property {string} text What is, since when.
 * @property {string} [advice] What to do.
 * @property {{href: string, label: string}} [link]
 */

/** What to do about a destination, by what is wrong with it. */
const ADVICE = [
  [
    /called AE title/i,
    ({ aeTitle }, name) =>
      `Correct the AE title of ${name} in the settings: it is another one (${aeTitle} is ours).`,
  ],
  [
    /calling AE title/i,
    ({ aeTitle }, name) => `Enter the AE title ${aeTitle} and this machine's address on ${name}.`,
  ],
  [/certificate|TLS|handshake/i, () => "Check the TLS settings and certificates of both sides."],
  [
    /refused the connection|connection refused/i,
    (_, name) => `Start ${name}, or check its port in the settings.`,
  ],
  [
    /did not answer|timed? ?out|unreachable|no route/i,
    () => "Check its address, whether the machine is on, and the firewall between.",
  ],
  [/resolve|host name|DNS|name or service/i, () => "Check the host name in the settings, and DNS."],
  [
    /no space|disk|read-only|permission/i,
    () => "Check the folder: its rights, and the room on its disk.",
  ],
];

/** One sentence on what to do; empty where nothing is known. */
export function advice(reason, overview, name) {
  for (const [pattern, words] of ADVICE) if (pattern.test(reason)) return words(overview, name);
  return "";
}

/** Whether it has answered since the start: before that nobody knows how it is. */
export function isTried(destination) {
  return destination.lastAnswerAt !== null;
}

/** The state's word as shown. */
export function stateWord(destination) {
  if (destination.state === "up") return isTried(destination) ? "Up" : "Not tried yet";
  return { down: "Down", misconfigured: "Wrongly configured", paused: "Paused" }[destination.state];
}

/** Which icon, and by it which colour. */
export function stateIcon(destination) {
  return destination.state === "up" && !isTried(destination) ? "untried" : destination.state;
}

/**
 * Everything a person should know, the worst first; where nothing is wrong, one finding that says so.
 * @returns {Finding[]}
 */
export function findings(overview, now) {
  const found = [
    ...ofTheMachine(overview),
    ...ofDestinations(overview, now),
    ...ofTheQueue(overview),
  ];
  const order = ["bad", "warn"];
  found.sort((one, other) => order.indexOf(one.level) - order.indexOf(other.level));
  return found.length > 0 ? found : [allIsWell(overview)];
}

function ofTheMachine(overview) {
  const found = [];
  const { disk } = overview;
  if (disk.refuses !== null) {
    found.push({
      level: "bad",
      icon: "down",
      text: `Nothing new is accepted: ${withoutStop(disk.refuses)}.`,
      advice: disk.free !== null && disk.free < disk.reserve
        ? `Make room on the spool's disk: ${bytes(disk.free)} are free, ${
          bytes(disk.reserve)
        } are the reserve. ` +
          "What is stored goes on being forwarded."
        : "Look at the log. What is stored goes on being forwarded.",
      link: { href: "#/log?level=error", label: "Log" },
    });
  }
  if (overview.missing !== null && overview.missing > 0) {
    found.push({
      level: "bad",
      icon: "down",
      text: `${counted(overview.missing, "image is", "images are")} missing from the spool.`,
      advice:
        "The log names them. Send them again from the modality; find out who deleted the files.",
      link: { href: "#/log?level=error", label: "Log" },
    });
  }
  if (overview.configuration !== null) {
    found.push({
      level: "warn",
      icon: "misconfigured",
      text: `The settings need a look: ${withoutStop(overview.configuration)}.`,
      link: { href: "#/settings", label: "Settings" },
    });
  }
  return found;
}

function ofDestinations(overview, now) {
  return overview.destinations.filter(({ state }) => state !== "up").map((destination) => {
    const { name, state, since, reason, queued, nextAttempt } = destination;
    const waits = queued > 0
      ? counted(queued, "image waits", "images wait")
      : "Nothing waits for it";
    const lasted = since === null ? "" : ` for ${duration(now - since)}`;
    const next = nextAttempt === null
      ? ""
      : nextAttempt - now < 500
      ? "; trying now"
      : `; next attempt in ${duration(nextAttempt - now)}`;
    const why = reason === "" ? "" : `: ${withoutStop(reason)}`;
    const link = queued > 0
      ? { href: `#/queue?destination=${encodeURIComponent(name)}`, label: "What waits" }
      : undefined;
    if (state === "paused") {
      return {
        level: "warn",
        icon: "paused",
        text: `${name} has been paused${lasted}${why}. ${waits}.`,
        advice: "Nothing is sent to it until it is resumed.",
        ...(link && { link }),
      };
    }
    const text = state === "down"
      ? since === null
        ? `${name} is down${why}. ${waits}${next}.`
        : `${name} has been down${lasted}${why}. ${waits}${next}.`
      : `${name} is wrongly configured${
        lasted === "" ? "" : `, since ${duration(now - since)}`
      }${why}. ${waits}${next}.`;
    return {
      level: "bad",
      icon: state,
      text,
      advice: advice(reason, overview, name),
      ...(link && { link }),
    };
  });
}

function ofTheQueue(overview) {
  const found = [];
  if (overview.corrupt > 0) {
    found.push({
      level: "bad",
      icon: "down",
      text: `${counted(overview.corrupt, "image is", "images are")} damaged and set aside.`,
      advice:
        "The file no longer agrees with its checksum: check the disk, and send the images again.",
      link: { href: "#/log?level=error", label: "Log" },
    });
  }
  if (overview.failed > 0) {
    const names = overview.destinations.filter(({ failed }) => failed > 0).map(({ name }) => name);
    found.push({
      level: "warn",
      icon: "failed",
      text: `${counted(overview.failed, "image has", "images have")} failed${
        names.length > 0 ? ` for ${names.join(", ")}` : ""
      } and will not be tried again.`,
      advice: "See why, mend the reason, then retry them.",
      link: { href: "#/queue?state=failed", label: "What failed" },
    });
  }
  if (overview.held > 0) {
    found.push({
      level: "warn",
      icon: "held",
      text: `${counted(overview.held, "image is", "images are")} held back by a person.`,
      advice: "They wait until they are released.",
      link: { href: "#/queue?state=held", label: "What is held" },
    });
  }
  return found;
}

/** @returns {Finding} */
function allIsWell(overview) {
  const { destinations } = overview;
  if (destinations.length === 0) {
    return {
      level: "warn",
      icon: "misconfigured",
      text: "No destination is configured.",
      link: { href: "#/settings", label: "Settings" },
    };
  }
  if (
    overview.received === 0 && overview.queued === 0 && destinations.every((one) => !isTried(one))
  ) {
    return {
      level: "idle",
      icon: "untried",
      text: "Ready. Nothing has been received since the start.",
      advice:
        `Send to AE title ${overview.aeTitle} at ${
          overview.listening.join(", ") || "(not listening)"
        }. ` +
        "Test each destination before the first image comes.",
    };
  }
  const tried = destinations.filter(isTried).length;
  const reachable = tried === destinations.length
    ? `${counted(tried, "destination")} reachable`
    : `${number(tried)} of ${
      counted(destinations.length, "destination")
    } reachable, the rest not tried yet`;
  const waiting = overview.queued + overview.heldForStudy;
  const held = overview.heldForStudy > 0
    ? `, ${number(overview.heldForStudy)} of them until their study is complete`
    : "";
  return {
    level: "ok",
    icon: "up",
    text: waiting === 0
      ? `All is well: ${reachable}, nothing waits.`
      : `All is well: ${reachable}, ${
        counted(waiting, "image is", "images are")
      } on the way${held}.`,
  };
}

/** What changes when it is worth telling: which conditions there are, not their figures. */
export function gist(overview) {
  return [
    ...overview.destinations.map(({ name, state }) => `${name} ${state}`),
    overview.disk.refuses === null ? "" : "refuses",
    overview.failed > 0 ? "failed" : "",
    overview.corrupt > 0 ? "corrupt" : "",
    (overview.missing ?? 0) > 0 ? "missing" : "",
    overview.configuration === null ? "" : "configuration",
  ].join("|");
}

function withoutStop(text) {
  return text.replace(/[.\s]+$/, "");
}
