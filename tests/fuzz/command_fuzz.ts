/*
 * Fuzzing of DIMSE in both roles over connections in memory: a provider given spoilt requests, a user given spoilt answers.
 *
 * What must hold: an association ends in order or with an AssociationError; each request gets its own answer and no data set
 * is taken for another's; and a user hears Success only where the bytes say so, once and clearly, to its very message.
 */

import { concat } from "../../src/dicom/bytes.ts";
import { SUCCESS } from "../../src/dicom/status.ts";
import { CommandField, encodeCommand, NO_DATA_SET } from "../../src/dimse/command.ts";
import { serve } from "../../src/dimse/scp.ts";
import { inMemory, ServiceUser } from "../../src/dimse/scu.ts";
import { Association } from "../../src/ul/association.ts";
import { AssociationError } from "../../src/ul/association_error.ts";
import { Feed, transportOf } from "../helpers/feed.ts";
import { sha256 } from "../helpers/hashes.ts";
import { CT_IMAGE_STORAGE } from "../helpers/instances.ts";
import {
  associateAccept,
  associateRequest,
  CONTEXTS,
  dataPdu,
  EXPLICIT,
  pdv,
} from "../helpers/pdus.ts";
import { OPTIONS } from "../helpers/served.ts";
import { statusSaid, storedIn } from "./answers.ts";
import { randomCommand, randomResponse } from "./commands.ts";
import { mutate, type Mutator, parsePdus } from "./grammar.ts";
import { Random, Violation } from "./random.ts";
import { firstCommandIn, messagesIn } from "./recordings.ts";

export interface CommandFigures {
  /** Command sets sent, requests and answers. */
  commands: number;
  /** Requests answered with Success by our provider. */
  stored: number;
  /** Answers our user took for Success. */
  delivered: number;
  /** Associations of either role that ended with an AssociationError. */
  ended: number;
}

const BATCH = 4;

/** @throws {Violation} */
export async function fuzzCommands(
  count: number,
  seed: number,
  progress: (figures: CommandFigures) => void = () => {},
): Promise<CommandFigures> {
  const random = new Random(seed);
  const figures: CommandFigures = { commands: 0, stored: 0, delivered: 0, ended: 0 };
  let reported = 0;
  while (figures.commands < count) {
    if (random.oneIn(2)) await fuzzProvider(random, figures);
    else await fuzzUser(random, figures);
    if (figures.commands - reported >= 10_000) {
      reported = figures.commands;
      progress(figures);
    }
  }
  return figures;
}

/** A request's command set, and a data set behind it: mostly where it says so. */
function request(random: Random): Uint8Array[] {
  const context = random.oneIn(10) ? random.below(8) : random.pick([1, 3, 3, 3]);
  const command = random.oneIn(3)
    ? encodeCommand({
      commandField: CommandField.StoreRequest,
      affectedSopClassUid: CT_IMAGE_STORAGE,
      affectedSopInstanceUid: `1.2.${random.below(1e9)}`,
      messageId: random.below(0x10000),
      commandDataSetType: 1,
    })
    : randomCommand(random);
  const pdus = [...random.cut(command)].slice(0, 40).map((piece, n, all) =>
    dataPdu(pdv(context, "command", n === all.length - 1, piece))
  );
  const [message] = messagesIn(concat([...pdus, emptyDataSet(context)]));
  if ((message?.dataSet !== undefined) === random.oneIn(12)) return pdus;
  const fragments = [...random.cut(random.bytes(1 + random.below(300)))].slice(0, 20);
  return [
    ...pdus,
    ...fragments.map((piece, n) =>
      dataPdu(pdv(context, "data", n === fragments.length - 1, piece))
    ),
  ];
}

function emptyDataSet(context: number): Uint8Array {
  return dataPdu(pdv(context, "data", true, new Uint8Array(0)));
}

async function fuzzProvider(random: Random, figures: CommandFigures): Promise<void> {
  const requests = Array.from({ length: BATCH }, () => request(random)).flat();
  const unspoilt = concat([associateRequest(), ...requests]);
  const sent = random.oneIn(3)
    ? concat([associateRequest(), mutate(parsePdus(concat(requests)), random, 1, FRAMING)])
    : unspoilt;
  const feed = new Feed(random.cut(sent));
  const taken = new Set<string>();
  let association: Association | undefined;
  try {
    const received = await Association.receive(transportOf(feed), OPTIONS);
    association = received.association;
    await association.accept(received.request, () => true);
    await serve(association, {
      async store({ sopInstanceUid }, dataSet) {
        const pieces: Uint8Array[] = [];
        for (let piece = await dataSet.read(); piece !== undefined; piece = await dataSet.read()) {
          pieces.push(piece.slice());
        }
        taken.add(`${sopInstanceUid} ${sha256(concat(pieces))}`);
        return { status: SUCCESS };
      },
    });
  } catch (error) {
    if (!(error instanceof AssociationError)) {
      throw new Violation(`the provider threw ${error}`, sent, error);
    }
    figures.ended++;
  } finally {
    await association?.abort();
  }
  figures.commands += BATCH;
  for (const key of storedIn(sent, concat(feed.written))) {
    if (!taken.has(key)) throw new Violation(`${key} was answered with Success, not taken`, sent);
    figures.stored++;
  }
}

const FRAMING: readonly Mutator[] = [
  "type",
  "duplicate",
  "drop",
  "move",
  "order",
  "truncate",
  "flip",
];

async function fuzzUser(random: Random, figures: CommandFigures): Promise<void> {
  const response = randomResponse(random, 1);
  const context = random.oneIn(10) ? random.below(8) : 3;
  const pieces = [...random.cut(response)];
  const pdus = pieces.map((piece, n) =>
    dataPdu(pdv(context, "command", n === pieces.length - 1, piece))
  );
  const sent = random.oneIn(3)
    ? mutate(parsePdus(concat([ACCEPT, dataPdu(pdv(3, "command", true, SUCCESS_TO_1))])), random, 2)
    : concat([ACCEPT, ...pdus]);
  const feed = new Feed(random.cut(sent));
  const dataSet = inMemory(random.bytes(20));
  let association: Association | undefined;
  let status: number | undefined;
  try {
    association = await Association.request(transportOf(feed), "US", "THEM", CONTEXTS, OPTIONS);
    const user = new ServiceUser(association, 1000);
    status = (await user.store(3, CT_IMAGE_STORAGE, "1.2.3.4.5", dataSet))?.status;
  } catch (error) {
    if (!(error instanceof AssociationError)) {
      throw new Violation(`the user threw ${error}`, sent, error);
    }
    figures.ended++;
  } finally {
    await association?.abort();
  }
  figures.commands++;
  if (status !== SUCCESS) return;
  figures.delivered++;
  const answer = firstCommandIn(sent);
  if (answer === undefined || statusSaid(answer, 1) !== SUCCESS) {
    throw new Violation("an answer was taken for Success", sent);
  }
}

const ACCEPT = associateAccept(
  CONTEXTS.map(({ id, transferSyntaxes }) => ({
    id,
    result: 0,
    transferSyntax: transferSyntaxes[0] ?? EXPLICIT,
  })),
);

const SUCCESS_TO_1 = encodeCommand({
  commandField: CommandField.StoreResponse,
  messageIdBeingRespondedTo: 1,
  commandDataSetType: NO_DATA_SET,
  status: SUCCESS,
});
