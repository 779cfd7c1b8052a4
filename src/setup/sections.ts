/*
 * The sections of the wizard, and which of them a setting is asked for in. Pure.
 */

export type SectionName = "receiver" | "pacs" | "storage" | "advanced";

/** In the order they are gone through. */
export const SECTIONS: readonly { readonly name: SectionName; readonly title: string }[] = [
  { name: "receiver", title: "Receiver: how images reach this machine" },
  { name: "pacs", title: "PACS: the image archive they are sent on to" },
  { name: "storage", title: "Storage: folders on this machine" },
  { name: "advanced", title: "Advanced: when to send, retries, status page, more destinations" },
];

const ASKED_IN: Readonly<Record<string, SectionName>> = {
  local_ae_title: "receiver",
  local_port: "receiver",
  pacs_host: "pacs",
  pacs_port: "pacs",
  pacs_ae_title: "pacs",
  store_locally: "storage",
  storage_dir: "storage",
  spool_dir: "storage",
  log_dir: "storage",
  forward_immediately: "advanced",
  study_quiet_seconds: "advanced",
  retry_attempts: "advanced",
};

/** Fields of a destination that are asked for. */
const DESTINATION_FIELD =
  /^destinations\[\d+\]\.(?:name|host|port|ae_title|calling_ae_title|path)$/;

/** Settings of the status page that are asked for. */
const PAGE_FIELD =
  /^web(?:\.(?:enabled|host|password_hash|allowed_names(?:\[\d+\])?|tls(?:\.(?:certificate|key))?))?$/;

/**
 * Where a setting is asked for; undefined where it is only ever written by hand.
 *
 * @param path as a fault has it: `destinations[0].port`
 */
export function sectionOf(path: string): SectionName | undefined {
  if (DESTINATION_FIELD.test(path) || PAGE_FIELD.test(path)) return "advanced";
  return ASKED_IN[path];
}

/** The top-level key of a path: `routes[0].modalities` is in `routes`. */
export function topKey(path: string): string {
  return /^[^.[]*/.exec(path)![0];
}
