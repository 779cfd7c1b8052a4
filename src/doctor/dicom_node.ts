/*
 * A DICOM destination, looked at from the name of its host to an image stored there.
 *
 * Owns the connections and associations it makes, one at a time, and ends each. It tries no further than the first step
 * that fails, for what comes after says nothing new. What the node or the network does wrong is a finding, never thrown.
 */

import type { DicomDestinationConfig } from "../config/load.ts";
import { classifyStoreStatus, describeStatus, SUCCESS } from "../dicom/status.ts";
import { SECONDARY_CAPTURE } from "../dicom/sop_class.ts";
import { EXPLICIT_VR_LE, IMPLICIT_VR_LE, VERIFICATION } from "../dicom/uid.ts";
import { inMemory, ServiceUser } from "../dimse/scu.ts";
import { escapeText } from "../log.ts";
import { Association } from "../ul/association.ts";
import { AssociationError } from "../ul/association_error.ts";
import { secureTo } from "../ul/connect.ts";
import type { ProposedContext, UserInformation } from "../ul/pdu.ts";
import { Transport, TransportError } from "../ul/transport.ts";
import { saidToBe } from "../ul/user_information.ts";
import { Acceptance, judgeAcceptance, judgeWaiting, matrix, planProbes } from "./contexts.ts";
import {
  duration,
  type Finding,
  median,
  ok,
  problem,
  Rank,
  type Tell,
  unknown,
  warning,
} from "./finding.ts";
import { recognise } from "./greeting.ts";
import { judgeLookup, judgeTries, lookUp, offerTls, Recorded, tryAddress } from "./reach.ts";
import { judgeFailedRequest } from "./rejection.ts";
import { encodeTest, TEST_PATIENT_ID, TEST_PATIENT_NAME, testInstance } from "./test_instance.ts";
import type { WaitingThere } from "./waiting.ts";

/** No single step of a test waits longer than this, whatever the configuration allows deliveries, in ms. */
const LONGEST_STEP_MS = 30_000;
/** How long what is no DICOM may take to answer an offer of TLS, in ms. */
const TLS_MS = 3000;
const ECHOES = 5;
/** Operations outstanding at a time that are asked for, as deliveries do. */
const OPERATIONS = 16;
/** An echo that takes so many times the usual, and at least so many ms, is told. */
const STALL_FACTOR = 10;
const STALL_MS = 500;

/** What has been found out of a node, beside the findings. */
export interface NodeFacts {
  /** SOP classes asked for, each with the transfer syntaxes it is taken in; undefined where it came to none. */
  readonly takes?: Readonly<Record<string, readonly string[]>>;
  readonly implementationClassUid?: string;
  readonly implementationVersionName?: string;
  /** Bytes; 0 = no limit. */
  readonly maxPduLength?: number;
  /** Outstanding at a time, as agreed; 1 = one after the other. */
  readonly operations?: number;
  /** In ms, of each C-ECHO. */
  readonly echoes?: readonly number[];
  /** For a terminal of 80 columns. */
  readonly matrix?: readonly string[];
}

export interface NodeProbe {
  /** Our AE title, where the configuration leaves it to the sender. */
  readonly localAeTitle: string;
  readonly waiting: WaitingThere;
  /** Whether to store a test image there. */
  readonly sendTest: boolean;
  /** ms since 1970 */
  readonly now: () => number;
  readonly uuid: () => string;
}

/** Looks at a DICOM destination. Ends early, and says so, where the signal is aborted. */
export async function probeNode(
  config: DicomDestinationConfig,
  options: NodeProbe,
  tell: Tell,
  signal: AbortSignal,
): Promise<NodeFacts> {
  const address = await reach(config, tell, signal);
  if (address === undefined) return {};
  const callingAeTitle = config.callingAeTitle === "*"
    ? options.localAeTitle
    : config.callingAeTitle;
  if (config.callingAeTitle === "*") {
    tell(unknown(
      "titles",
      `looked at as ${callingAeTitle}; images go under their senders' own AE titles (calling_ae_title is "*"), each of which it has to know`,
    ));
  }
  const node: ProbedNode = { ...config, callingAeTitle, address };
  const acceptance = new Acceptance();
  let facts: NodeFacts = {};
  const plan = planProbes(options.waiting.pairs);
  for (const [n, contexts] of plan.entries()) {
    const done = await withAssociation(node, contexts, signal, async (association) => {
      acceptance.learn(contexts, association.answers);
      if (n > 0) return;
      facts = { ...facts, ...introduce(association, node, tell) };
      const echoes = await echo(association, node, tell);
      if (echoes !== undefined) facts = { ...facts, echoes };
    });
    if (done === undefined) continue;
    tell(n === 0 ? done : laterFailure(done, n, plan.length));
    if (n === 0) return facts;
    break;
  }
  tell(judgeAcceptance(acceptance, node.aeTitle));
  tellWaiting(acceptance, config, options.waiting, tell);
  if (options.sendTest) await sendTest(node, acceptance, options, tell, signal);
  return {
    ...facts,
    takes: Object.fromEntries(acceptance.classes),
    matrix: matrix(acceptance, 76),
  };
}

interface ProbedNode extends DicomDestinationConfig {
  /** The one of its addresses that takes connections. */
  readonly address: string;
}

/** Name and addresses. Undefined where none takes connections. */
async function reach(
  { host, port, timeouts }: DicomDestinationConfig,
  tell: Tell,
  signal: AbortSignal,
): Promise<string | undefined> {
  const limit = Math.min(timeouts.connectMs, LONGEST_STEP_MS);
  const found = await lookUp(host, limit, signal);
  const name = judgeLookup(host, found);
  if (name !== undefined && !signal.aborted) tell(name);
  const tries = await Promise.all(
    found.addresses.map((address) => tryAddress(address, port, limit, signal)),
  );
  if (signal.aborted) {
    tell(stopped("connection"));
    return undefined;
  }
  for (const finding of judgeTries(host, port, tries)) tell(finding);
  return tries.find(({ result }) => result === "connected")?.address;
}

/**
 * Associates, works, releases.
 *
 * @returns undefined where all went well, else what went wrong
 */
async function withAssociation(
  node: ProbedNode,
  contexts: readonly ProposedContext[],
  signal: AbortSignal,
  work: (association: Association) => Promise<void>,
): Promise<Finding | undefined> {
  const { address, port, timeouts } = node;
  const limit = (ms: number) => Math.min(ms, LONGEST_STEP_MS);
  let recorded: Recorded | undefined;
  let association: Association | undefined;
  let close = () => {};
  try {
    const stop = AbortSignal.any([signal, AbortSignal.timeout(limit(timeouts.connectMs))]);
    const connection = await Deno.connect({ hostname: address, port, signal: stop });
    connection.setNoDelay(true);
    const { hostname: ourAddress } = connection.localAddr;
    const { host, tls } = node;
    const spoken = tls
      ? await secureTo(connection, { host, port, tls }, limit(timeouts.connectMs), signal)
      : connection;
    recorded = new Recorded(spoken, ourAddress);
    const transport = new Transport(recorded, address, port);
    close = () => transport.close();
    signal.addEventListener("abort", close);
    association = await Association.request(
      transport,
      node.callingAeTitle,
      node.aeTitle,
      contexts,
      {
        maxPduLength: 16_384,
        associationMs: limit(timeouts.associationMs),
        idleMs: limit(timeouts.responseMs),
        readMs: limit(timeouts.responseMs),
        writeStallMs: limit(timeouts.writeStallMs),
        releaseMs: limit(timeouts.releaseMs),
        operations: OPERATIONS,
        ...saidToBe(node.userIdentity),
      },
    );
    await work(association);
    await association.release();
    return undefined;
  } catch (error) {
    await association?.abort();
    if (signal.aborted) return stopped("association");
    if (error instanceof TransportError) {
      return problem("tls", escapeText(error.message, 600), {
        text:
          "Compare ca, certificate, key and server_name in tls of the destination with what its administrator gives you.",
        rank: Rank.Associating,
      });
    }
    if (!(error instanceof AssociationError) || recorded === undefined) {
      return notConnected(error, node);
    }
    if (association !== undefined) {
      return problem("association", `it was accepted, and ended: ${escapeText(error.message)}`, {
        text: `Look in the log of ${node.aeTitle}: it ended an association it had accepted.`,
        rank: Rank.Associating,
      });
    }
    return judgeFailedRequest({
      error,
      node,
      ourAddress: recorded.ourAddress,
      first: recorded.first,
      afterTls: node.tls ? undefined : await perhapsTls(error, recorded.first, node, signal),
    });
  } finally {
    signal.removeEventListener("abort", close);
  }
}

/** Only where nothing of DICOM came back: a node that rejects or aborts has shown what it speaks. */
async function perhapsTls(
  error: AssociationError,
  first: Uint8Array,
  { address, port }: ProbedNode,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  if (error.kind !== "closed" && error.kind !== "timeout") return undefined;
  if (recognise(first) !== "silent") return undefined;
  return await offerTls(address, port, TLS_MS, signal);
}

function notConnected(error: unknown, { host, port }: ProbedNode): Finding {
  const text = escapeText(error instanceof Error ? error.message : String(error));
  return problem("association", `${host} port ${port} took a connection, and no second: ${text}`, {
    text: `Look whether ${host} limits the connections from this machine.`,
    rank: Rank.Associating,
  });
}

/** A failure after the first association has shown that the titles are right. */
function laterFailure(finding: Finding, n: number, all: number): Finding {
  if (finding.level === "unknown") return finding;
  return warning(
    "storage",
    `association ${n + 1} of the ${all} that ask what it takes failed: ${finding.text}`,
    finding.change,
  );
}

function stopped(probe: string): Finding {
  return unknown(probe, "stopped before it was found out");
}

/** What the node says of itself. */
function introduce(association: Association, node: ProbedNode, tell: Tell): NodeFacts {
  const { peerInformation: peer, operations } = association;
  const name = peer === undefined ? "" : nameOf(peer);
  tell(ok("association", `${node.aeTitle} accepts ${node.callingAeTitle}${name}`));
  if (peer === undefined) return {};
  const { maxPduLength, implementationClassUid, implementationVersionName } = peer;
  const pdu = maxPduLength === 0 ? "of any length" : `of up to ${maxPduLength} bytes`;
  const window = operations === 1
    ? "one instance after the other"
    : `up to ${operations} instances outstanding`;
  tell(ok("terms", `it takes PDUs ${pdu}, ${window}`));
  return { maxPduLength, operations, implementationClassUid, implementationVersionName };
}

function nameOf(peer: UserInformation): string {
  const { implementationVersionName: name, implementationClassUid: uid } = peer;
  if (name === "" && uid === "") return "";
  return ` (${
    [name, uid].filter((part) => part !== "").map((part) => escapeText(part)).join(", ")
  })`;
}

/** Some echoes, one after the other. Undefined where it offers none. */
async function echo(
  association: Association,
  { timeouts, aeTitle }: ProbedNode,
  tell: Tell,
): Promise<number[] | undefined> {
  const context = [...association.acceptedContexts.values()].find((one) =>
    one.abstractSyntax === VERIFICATION
  );
  if (context === undefined) {
    tell(unknown("echo", "it does not offer C-ECHO; images may get through all the same"));
    return undefined;
  }
  const user = new ServiceUser(association, Math.min(timeouts.responseMs, LONGEST_STEP_MS));
  const times: number[] = [];
  for (let n = 0; n < ECHOES; n++) {
    const began = performance.now();
    const { status } = await user.echo(context.id, VERIFICATION);
    times.push(performance.now() - began);
    if (status !== SUCCESS) {
      tell(warning("echo", `it answers a C-ECHO with ${describeStatus(status)}`, {
        text: `Look in the log of ${aeTitle}: it answers C-ECHO, and not with Success.`,
        rank: Rank.Comfort,
      }));
      return times;
    }
  }
  tell(judgeEchoes(times));
  return times;
}

/** What the times of some echoes mean, in ms. */
export function judgeEchoes(times: readonly number[]): Finding {
  const usual = median(times);
  const slowest = Math.max(...times);
  const text = `a C-ECHO takes ${duration(usual)} (the middle one of ${times.length})`;
  return slowest > STALL_FACTOR * usual && slowest > STALL_MS
    ? warning("echo", `${text}, but one took ${duration(slowest)}`, {
      text: "Look at the load of the PACS and at the network: answers come in fits and starts.",
      rank: Rank.Comfort,
    })
    : ok("echo", text);
}

function tellWaiting(
  acceptance: Acceptance,
  { transcode, aeTitle }: DicomDestinationConfig,
  { pairs, seen, all }: WaitingThere,
  tell: Tell,
): void {
  if (!all && seen === 0) {
    tell(
      unknown("waiting", "what waits for it is not known: this user may not look into the spool"),
    );
    return;
  }
  for (const finding of judgeWaiting(acceptance, pairs, transcode, aeTitle)) tell(finding);
  if (!all) tell(unknown("waiting", `only the first ${seen} that wait for it were looked at`));
}

/** Stores a test image and tells what became of it. */
async function sendTest(
  node: ProbedNode,
  acceptance: Acceptance,
  options: NodeProbe,
  tell: Tell,
  signal: AbortSignal,
): Promise<void> {
  const syntax = [EXPLICIT_VR_LE, IMPLICIT_VR_LE].find((transferSyntaxUid) =>
    acceptance.takes({ sopClassUid: SECONDARY_CAPTURE, transferSyntaxUid }) === true
  );
  if (syntax === undefined) {
    tell(unknown("test image", "not sent: it does not take Secondary Capture uncompressed"));
    return;
  }
  const instance = testInstance(options.now(), options.uuid);
  const contexts = [{ id: 1, abstractSyntax: SECONDARY_CAPTURE, transferSyntaxes: [syntax] }];
  const failure = await withAssociation(node, contexts, signal, async (association) => {
    const user = new ServiceUser(association, Math.min(node.timeouts.responseMs, LONGEST_STEP_MS));
    const began = performance.now();
    const answer = await user.store(
      1,
      SECONDARY_CAPTURE,
      instance.sopInstanceUid,
      inMemory(encodeTest(instance, syntax)),
    );
    const ms = performance.now() - began;
    tell(judgeStored(answer?.status, answer?.comment ?? "", ms, node.aeTitle));
  });
  if (failure !== undefined) {
    tell(
      problem("test image", `not stored: ${failure.text}`, failure.change),
    );
    return;
  }
  tell(
    ok(
      "test image",
      `to find and delete it there: patient ${TEST_PATIENT_NAME}, ID ${TEST_PATIENT_ID}, study ${instance.studyUid}`,
    ),
  );
}

/** What the answer to the test image means. */
export function judgeStored(
  status: number | undefined,
  comment: string,
  ms: number,
  aeTitle: string,
): Finding {
  const said = comment === "" ? "" : `, "${escapeText(comment, 64)}"`;
  const text = `answered ${describeStatus(status)}${said} after ${duration(ms)}`;
  const change = (what: string) => ({ text: what, rank: Rank.Sending });
  switch (classifyStoreStatus(status)) {
    case "stored":
      return ok("test image", text);
    case "stored-with-warning":
      return warning("test image", `${text}: stored, but not as it was sent`);
    case "out-of-resources":
      return problem(
        "test image",
        text,
        change(`Make room on ${aeTitle}, or look in its log: it cannot store anything now.`),
      );
    case "not-authorised":
      return problem(
        "test image",
        text,
        change(`On ${aeTitle}, allow our AE title to store.`),
      );
    default:
      return problem(
        "test image",
        text,
        change(`Look in the log of ${aeTitle}: it refuses a complete, valid Secondary Capture.`),
      );
  }
}
