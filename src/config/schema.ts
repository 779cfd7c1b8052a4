/*
 * Every setting of the configuration file, once: its shape, its default and one line of what it is for.
 *
 * Owns what a single value may be. The message of each rule is what is WANTED, in words that read on after "wanted";
 * for an unknown key it is the list of the known ones, from which load.ts makes its suggestion. What several settings
 * together must fulfil is decided in check.ts, and what the program works with in load.ts.
 */

import { z } from "zod";
import {
  addressRange,
  aeTitle,
  amount,
  byteSize,
  flag,
  folder,
  host,
  list,
  maxPduLength,
  name,
  passphrase,
  PASSWORD_HASH,
  path,
  pemFiles,
  port,
  retryAttempts,
  seconds,
  section,
  text,
  tlsVersion,
  whole,
} from "./schema_values.ts";

const clientTls = section({
  ca: pemFiles("a file of certificates").optional().describe(
    "File or files (PEM) with the issuers of the node's certificate; public issuers when absent.",
  ),
  certificate: path("a certificate (PEM)").optional().describe(
    "Our certificate (PEM), for a node that wants one.",
  ),
  key: path("a key (PEM)").optional().describe("Its private key (PEM)."),
  key_passphrase: passphrase().optional().describe("What the key is encrypted with; never shown."),
  server_name: host().optional().describe(
    "Name or address that the node's certificate has to be for; host when absent.",
  ),
  verify_name: flag().default(true).describe(
    "false = take a certificate of a trusted issuer whatever name it is for.",
  ),
  min_version: tlsVersion().describe("Oldest version of TLS that is spoken."),
}, "TLS towards this node, or true");

const serverTls = section({
  port: whole(0, 65_535, " (0 = any free port)").default(2762).describe(
    "TCP port we listen on with TLS.",
  ),
  host: host().optional().describe("Address we listen on with TLS; local_host when absent."),
  certificate: path("a certificate (PEM)").describe(
    "Our certificate (PEM), those of its issuers behind it.",
  ),
  key: path("a key (PEM)").describe("Its private key (PEM)."),
  key_passphrase: passphrase().optional().describe("What the key is encrypted with; never shown."),
  ca: pemFiles("a file of certificates").optional().describe(
    "File or files (PEM) with the issuers of senders' certificates: who may send.",
  ),
  client_certificate: z.enum(["required", "optional", "none"], {
    error: '"required", "optional" or "none"',
  }).default("required").describe(
    "Whether senders have to show a certificate by an issuer in ca; a bad one is never accepted.",
  ),
  min_version: tlsVersion().describe("Oldest version of TLS that is spoken."),
  only: flag().default(false).describe(
    "Receive nothing without TLS: local_port is not listened on.",
  ),
}, "receiving with TLS");

const webTls = section({
  certificate: path("a certificate (PEM)").describe(
    "The page's certificate (PEM), those of its issuers behind it.",
  ),
  key: path("a key (PEM)").describe("Its private key (PEM)."),
  key_passphrase: passphrase().optional().describe("What the key is encrypted with; never shown."),
  min_version: tlsVersion().describe("Oldest version of TLS that is spoken."),
}, "serving with TLS");

const dicomDestination = section({
  type: z.literal("dicom").optional().describe('"dicom" (the default): a DICOM node.'),
  name: name().describe("Its name in logs, routes and folders; unique."),
  host: host().describe("Host name or IP address of the node."),
  port: port().describe("TCP port of the node."),
  tls: z.union([flag(), clientTls], { error: "true, false, or an object with settings of TLS" })
    .optional().describe("Send with TLS: true, or how; plain when absent."),
  ae_title: aeTitle().describe("AE title of the node (called AE title)."),
  calling_ae_title: aeTitle().optional().describe(
    'AE title we present; local_ae_title when absent, "*" passes the sender\'s own on.',
  ),
  associations: whole(1, 32).default(4).describe("Associations at the same time, at most."),
  timeouts: section({
    connect: seconds(15).describe("Seconds to establish the TCP connection."),
    association: seconds(30).describe("Seconds to wait for the answer to an association request."),
    response: seconds(60).describe("Seconds to wait for the answer to an instance sent."),
    release: seconds(10).describe("Seconds to wait for the answer to a release."),
    write_stall: seconds(60).describe("Seconds the node may take no data while we send."),
    idle_release: seconds(5).describe("Seconds after the last instance until we release."),
  }, "time-outs in seconds").prefault({}).describe("Time-outs towards this node."),
  max_pdu_length: maxPduLength().describe(
    "Largest PDU we announce to the node, bytes; 0 = no limit.",
  ),
  user_identity: section({
    username: userName().describe("User name."),
    passcode: text(/^[^\p{Cc}]{1,1024}$/u, "a passcode").optional().describe(
      "Passcode, sent in plain text; never shown.",
    ),
  }, "a user name, and a passcode").optional().describe(
    "User identity we give the node; none when absent.",
  ),
  transcode: flag().default(true).describe(
    "Decompress an instance where the node refuses its transfer syntax.",
  ),
  retry_attempts: retryAttempts().optional().describe(
    "Tries for an instance the node refuses; the top-level retry_attempts when absent.",
  ),
}, "a destination");

const directoryDestination = section({
  type: z.literal("directory").describe('"directory": a folder.'),
  name: name().describe("Its name in logs, routes and folders; unique."),
  path: folder().describe("The folder; files go to PatientID/StudyUID/SeriesUID/InstanceUID.dcm."),
  retry_attempts: retryAttempts().optional().describe(
    "Tries for an instance that cannot be written; the top-level retry_attempts when absent.",
  ),
}, "a destination");

const destination = z.discriminatedUnion("type", [dicomDestination, directoryDestination], {
  error: (issue) =>
    issue.code === "invalid_union" ? '"dicom" or "directory"' : "an object: a destination",
});

function condition<Item extends z.ZodType>(item: Item, wanted: string) {
  return list(item, wanted).min(1, {
    error: `a list of at least one; leave the key out where it does not matter`,
  }).optional();
}

const route = section({
  calling_ae_titles: condition(aeTitle(), "AE titles").describe("Senders, by calling AE title."),
  called_ae_titles: condition(aeTitle(), "AE titles").describe("AE titles the senders called."),
  modalities: condition(
    text(/^[A-Z0-9_ ]{1,16}$/, 'a modality in capital letters, such as "CT"'),
    "modalities",
  ).describe("Modality (0008,0060) of the instance."),
  sop_classes: condition(
    text(/^[0-9.]{1,64}$/, 'a SOP class UID, such as "1.2.840.10008.5.1.4.1.1.2"'),
    "SOP class UIDs",
  ).describe("SOP class UID of the instance."),
  destinations: list(
    z.string({ error: "the name of a destination" }),
    "names of destinations",
  ).min(1, { error: "a list of at least one destination" }).describe(
    'Where the instance goes, by destination name; "pacs" and "archive" included.',
  ),
}, "a route");

function userName() {
  return text(/^[^\p{Cc}]{1,64}$/u, "a user name of 1 to 64 characters");
}

const sender = section({
  ae_title: aeTitle().describe("Its calling AE title."),
  addresses: list(addressRange(), "IP addresses or ranges").default([]).describe(
    "IP addresses and ranges it may come from; empty = any.",
  ),
  called_ae_titles: condition(aeTitle(), "AE titles").describe(
    "AE titles it may call; any that require_called_ae_title lets in when absent.",
  ),
  user: userName().optional().describe(
    "Name in user_identity.users: the user whose identity it has to bring.",
  ),
}, "a sender");

const user = section({
  name: userName().describe("User name that the sender gives."),
  password_hash: text(PASSWORD_HASH, "what `dicomforwarder user-password NAME` writes").optional()
    .describe(
      "Passcode, hashed: `dicomforwarder user-password NAME` writes it. Left out, the name is enough.",
    ),
}, "a user");

function perMinute(usual: number) {
  return whole(0, 1_000_000, " (0 = no limit)").default(usual);
}

const timeOfDay = /^(?:[01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$/;
const timeWanted = 'a time of day from "00:00" to "24:00"';

/** Days of the week as a configuration names them, Sunday first as in Date. */
export const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;

const silentModality = section({
  ae_title: aeTitle().describe("The modality's AE title (calling AE title)."),
  hours: amount(0.01, 1000, "hours").describe(
    "Hours without an instance from it until it is an alarm; only hours between from and to count.",
  ),
  days: list(
    z.enum(WEEKDAYS, { error: '"mon", "tue", "wed", "thu", "fri", "sat" or "sun"' }),
    "days of the week",
  ).min(1, { error: "a list of at least one day" })
    .default(["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
    .describe("Days on which it is expected to send."),
  from: text(timeOfDay, timeWanted).default("07:00").describe("Local time from which hours count."),
  to: text(timeOfDay, timeWanted).default("19:00").describe(
    "Local time up to which they count; earlier than from = on the next day.",
  ),
}, "a modality that is to be heard from");

const webhook = section({
  url: text(
    /^https?:\/\/[^\p{Cc} ]{1,2000}$/u,
    'an address that begins with "https://" or "http://"',
  )
    .refine((url) => URL.canParse(url), { error: "a complete address (URL)" })
    .describe("Address that each alarm is sent to, as JSON by POST."),
  headers: z.record(
    text(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/, "the name of an HTTP header"),
    text(/^[\t -~]{0,4000}$/, "a header's value, in ASCII"),
    { error: "an object of header names and values" },
  ).default({}).describe("HTTP headers to send with it, such as Authorization; never shown."),
  timeout: seconds(10).describe("Seconds to wait for the answer."),
  ca_file: path("a file").optional().describe(
    "File (PEM) with the issuer of the server's certificate, where it is not a public one.",
  ),
}, "where alarms are sent by HTTP");

function mailAddress() {
  return text(
    /^[^\p{Cc}\s<>(),;:"@]{1,64}@[A-Za-z0-9.-]{1,253}$/u,
    'an e-mail address, such as "radiology@hospital.example"',
  );
}

const email = section({
  host: host().describe("Mail server (SMTP)."),
  port: port().optional().describe(
    "Its TCP port; by security when absent: 25 (none), 587 (starttls), 465 (tls).",
  ),
  security: z.enum(["none", "starttls", "tls"], { error: '"none", "starttls" or "tls"' })
    .default("starttls").describe("How the connection is encrypted; the certificate is verified."),
  user: text(/^[^\p{Cc}]{1,256}$/u, "a user name").optional().describe(
    "User name at the mail server; left out where it asks for none.",
  ),
  password: text(/^[^\p{Cc}]{1,1024}$/u, "a password").optional().describe(
    "Its password; never shown.",
  ),
  ca_file: path("a file").optional().describe(
    "File (PEM) with the issuer of the server's certificate, where it is not a public one.",
  ),
  from: mailAddress().describe("Sender of the mails."),
  to: list(mailAddress(), "e-mail addresses").min(1, {
    error: "a list of at least one e-mail address",
  }).describe("Who gets them."),
}, "how alarms are sent by e-mail");

const alarms = section({
  repeat_hours: amount(0, 8760, "hours (0 = never)").default(24).describe(
    "Hours after which an alarm that goes on is told again; 0 = never.",
  ),
  destination_down_minutes: amount(0, 10_080, "minutes").default(5).describe(
    "Minutes a destination is down before it is an alarm.",
  ),
  oldest_age_minutes: amount(0, 525_600, "minutes (0 = off)").default(60).describe(
    "Minutes an instance may wait before it is an alarm; 0 = off.",
  ),
  failed: flag().default(true).describe("Whether instances that are given up are an alarm."),
  silent: list(silentModality, "modalities").default([]).describe(
    "Modalities that are to be heard from.",
  ),
  webhook: webhook.optional().describe("Send alarms by HTTP."),
  email: email.optional().describe("Send alarms by e-mail."),
  name: text(/^[^\p{Cc}]{1,64}$/u, "a name of 1 to 64 characters").optional().describe(
    "Name of this site in alarms; local_ae_title when absent.",
  ),
  patient_data: flag().default(false).describe(
    "Tell what destinations comment on an instance, which may name the patient.",
  ),
}, "what is an alarm, and who is told");

const audit = section({
  host: host().describe("Host name or IP address of the audit server (syslog)."),
  port: port().optional().describe(
    "Its port; by protocol when absent: 514 (udp), 601 (tcp), 6514 (tls).",
  ),
  protocol: z.enum(["udp", "tcp", "tls"], { error: '"udp", "tcp" or "tls"' }).default("tls")
    .describe("How messages are sent: only tls encrypts them and proves who the server is."),
  ca_file: path("a file").optional().describe(
    "File (PEM) with the issuer of the server's certificate, where it is not a public one.",
  ),
  certificate_file: path("a file").optional().describe(
    "File (PEM) with our certificate, where the server asks for one; needs key_file.",
  ),
  key_file: path("a file").optional().describe("File (PEM) with its private key."),
  site: text(/^[^\p{Cc}]{1,64}$/u, "a name of 1 to 64 characters").optional().describe(
    "What we are called in messages (audit source ID); local_ae_title when absent.",
  ),
  enterprise_site_id: text(/^[^\p{Cc}]{1,64}$/u, "a name of 1 to 64 characters").optional()
    .describe("Name of the organisation in messages (audit enterprise site ID)."),
  patient_data: flag().default(true).describe(
    "Tell patients' names in messages; the patient ID, which the standard asks for, is told in any case.",
  ),
  keep: byteSize("100MB").describe(
    "Messages kept while the server is away; beyond it the oldest are dropped.",
  ),
}, "where audit messages go");

/** The configuration file as it is written: snake_case, seconds, paths as given. */
export const configSchema = section({
  $schema: z.string({ error: "a text" }).optional().describe("For editors: the schema's path."),
  local_ae_title: aeTitle().default("DICOMFORWARDER").describe("Our AE title."),
  local_port: whole(0, 65_535, " (0 = any free port)").default(11_112).describe(
    "TCP port we listen on.",
  ),
  local_host: host().default("0.0.0.0").describe("Address we listen on; 0.0.0.0 = all of IPv4."),
  pacs_host: host().optional().describe(
    'Host name or IP address of the PACS: short for one DICOM destination named "pacs".',
  ),
  pacs_port: port().default(104).describe("TCP port of the PACS."),
  pacs_ae_title: aeTitle().default("PACS").describe("AE title of the PACS."),
  store_locally: flag().default(false).describe(
    'Keep a copy of everything in storage_dir: a directory destination named "archive".',
  ),
  storage_dir: folder().default("./storage").describe("Folder of the local copies."),
  log_dir: folder().default("./logs").describe("Folder of the log files."),
  forward_immediately: flag().default(true).describe(
    "false = hold a study until study_quiet_seconds have passed without a new instance.",
  ),
  retry_attempts: retryAttempts().default(3).describe(
    "Tries for an instance a destination refuses; an unreachable destination costs none.",
  ),
  spool_dir: folder().default("./spool").describe("Folder of the instances still to deliver."),
  allow_unsafe_spool_volume: flag().default(false).describe(
    "Use spool_dir even on FAT or a network folder, where a crash can take images.",
  ),
  destinations: list(destination, "destinations").default([]).describe("Where instances go."),
  routes: list(route, "routes").default([]).describe(
    "What goes where: the first route that matches counts; no routes = everything everywhere.",
  ),
  allowed_calling_ae_titles: list(aeTitle(), "AE titles").default([]).describe(
    "Calling AE titles we accept; empty = any.",
  ),
  allowed_hosts: list(addressRange(), "IP addresses or ranges").default([]).describe(
    "IP addresses and ranges we accept; empty = any.",
  ),
  require_called_ae_title: flag().default(true).describe(
    "Accept only senders that call us by local_ae_title.",
  ),
  senders: list(sender, "senders").default([]).describe(
    "Who may send: AE titles tied to addresses; empty = anybody. Everything else has to agree, too.",
  ),
  connection_rate: section({
    per_host: perMinute(240).describe(
      "Connections a minute from one address, ten times as many from a known one; 0 = no limit.",
    ),
    all: perMinute(1200).describe(
      "Connections a minute from all unknown addresses together, ten times as many from the known; 0 = no limit.",
    ),
  }, "connections a minute").prefault({}).describe("How fast connections may come."),
  user_identity: section({
    required: flag().default(false).describe("Accept only senders that prove who their user is."),
    users: list(user, "users").default([]).describe("Users that senders may bring."),
  }, "users").prefault({}).describe("User identity of senders (PS3.7 D.3.3.7)."),
  max_associations: whole(1, 1000).default(50).describe("Incoming associations at the same time."),
  max_associations_per_host: whole(1, 1000).default(20).describe(
    "Incoming associations from one address at the same time.",
  ),
  max_pdu_length: maxPduLength().describe(
    "Largest PDU we announce to senders, bytes; 0 = no limit.",
  ),
  max_instance_size: byteSize("8GiB").describe("Largest instance we accept."),
  timeouts: section({
    association_request: seconds(30).describe("Seconds from connection to association request."),
    idle: seconds(60).describe("Seconds without a message until an association is aborted."),
    read: seconds(60).describe("Seconds without data in the middle of a message."),
    write_stall: seconds(60).describe("Seconds the sender may not read our answers."),
    stop: seconds(20).describe("Seconds running associations may take when we stop."),
  }, "time-outs in seconds").prefault({}).describe("Time-outs towards senders."),
  minimum_free_space: byteSize("1GB").describe(
    "Free space on the spool's volume below which nothing new is accepted.",
  ),
  study_quiet_seconds: seconds(60).describe(
    "With forward_immediately false: seconds without a new instance until a study is sent.",
  ),
  log_level: z.enum(["debug", "info", "warning", "error"], {
    error: '"debug", "info", "warning" or "error"',
  }).default("info").describe("Least important messages to log."),
  log_retention_days: whole(1, 36_500).default(30).describe("Days a log file is kept."),
  ledger_retention_days: whole(1, 36_500).default(400).describe(
    "Days a file of the ledger (what was received, what each destination answered) is kept.",
  ),
  log_patient_info: flag().default(true).describe(
    "Write patient and study identification to the log.",
  ),
  watch_config: flag().default(false).describe(
    "Apply this file while the forwarder runs, whenever it is saved; one with faults changes nothing.",
  ),
  alarms: alarms.prefault({}).describe("What is an alarm, and who is told."),
  audit: audit.optional().describe("Send an audit trail (PS3.15 A.5) to a syslog server."),
  tls: serverTls.nullable().optional().describe("Receive with TLS, too; plain alone when absent."),
  web: section({
    enabled: flag().default(true).describe("Serve the status page and the API."),
    host: host().default("127.0.0.1").describe(
      "Address they are served on; anything but this machine's own (127.0.0.1) needs password_hash.",
    ),
    port: whole(0, 65_535, " (0 = any free port)").default(8104).describe("TCP port of them."),
    password_hash: text(PASSWORD_HASH, "what `dicomforwarder web-password` writes").optional()
      .describe("The password, hashed: `dicomforwarder web-password` writes it."),
    allowed_names: list(
      text(/^[A-Za-z0-9._-]{1,253}$/, 'a host name without port, such as "forwarder.hospital.lan"'),
      "host names",
    ).default([]).describe(
      "Host names beyond this machine's own under which people reach them; need password_hash.",
    ),
    session_hours: whole(1, 720).default(12).describe("Hours after which one has to log in anew."),
    metrics_public: flag().default(false).describe(
      "Serve /metrics to everybody; else to this machine, and with the password.",
    ),
    tls: webTls.optional().describe("Serve them with TLS (https) alone; without it when absent."),
  }, "the status page").prefault({}).describe("The status page and the API."),
}, "the settings in braces").meta({
  title: "DICOM Forwarder configuration",
  description: "config.json of DICOM Forwarder. Relative paths are relative to this file.",
});

/** The file's content after the schema: defaults filled in, nothing resolved yet. */
export type ConfigFile = z.output<typeof configSchema>;

export type LogLevel = ConfigFile["log_level"];
