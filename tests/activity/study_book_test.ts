/*
 * Studies in flight or lately: counts as told, found by what they are of, bounded whatever comes.
 */

import assert from "node:assert/strict";
import { type FileFacts, StudyBook } from "../../src/activity/study_book.ts";
import type { Identification } from "../../src/dicom/header.ts";

function header(fields: Partial<Identification> = {}): Identification {
  return {
    specificCharacterSet: "",
    sopClassUid: "1.2.840.10008.5.1.4.1.1.2",
    sopInstanceUid: "1.2.3.4",
    accessionNumber: "ACC1",
    modality: "CT",
    patientName: "Doe^Jane",
    patientId: "P1",
    studyInstanceUid: "1.2.3",
    seriesInstanceUid: "1.2.3.1",
    ...fields,
  };
}

/** A book whose files are texts: the patient ID in each. */
class Shelf {
  time = 1000;
  readonly opened: string[] = [];
  readonly book: StudyBook<string>;

  constructor(most?: number) {
    this.book = new StudyBook({
      now: () => this.time,
      identify: (file): Promise<FileFacts | undefined> => {
        this.opened.push(file);
        if (file === "gone") return Promise.resolve(undefined);
        return Promise.resolve({ header: header({ patientId: file }), from: "FOUND" });
      },
      ...(most === undefined ? {} : { most }),
    });
  }

  receive(study: string, patientId: string, destinations = ["a"]): void {
    this.time++;
    this.book.received(
      study,
      header({ patientId, studyInstanceUid: study }),
      "CT1",
      10,
      destinations,
    );
  }

  async search(search = "", active = false, limit = 50) {
    return await this.book.search({ search, active, limit });
  }

  async ids(search = "", active = false, limit = 50): Promise<string[]> {
    return (await this.search(search, active, limit)).studies.map(({ id }) => id);
  }
}

Deno.test("a study's progress is told for each destination", async () => {
  const shelf = new Shelf();
  shelf.receive("s1", "P1", ["a", "b"]);
  shelf.receive("s1", "P1", ["a", "b"]);
  shelf.book.delivered("s1", "a");
  shelf.book.delivered("s1", "a");
  shelf.book.failed("s1", "b");
  const { studies: [study], complete } = await shelf.search();
  assert.equal(complete, true);
  assert.deepEqual(study, {
    id: "s1",
    identification: {
      patientId: "P1",
      patientName: "Doe^Jane",
      accessionNumber: "ACC1",
      studyInstanceUid: "s1",
      modality: "CT",
    },
    from: "CT1",
    first: 1001,
    last: 1002,
    received: 2,
    receivedBytes: 20,
    destinations: [
      { name: "a", wanted: 2, delivered: 2, failed: 0 },
      { name: "b", wanted: 2, delivered: 0, failed: 1 },
    ],
  });
});

Deno.test("what failed and was put back, to itself or to others, and what was removed, add up", async () => {
  const shelf = new Shelf();
  for (let n = 0; n < 3; n++) shelf.receive("s", "P", ["unrouted"]);
  for (let n = 0; n < 3; n++) shelf.book.failed("s", "unrouted");
  shelf.book.retried("s", "unrouted", ["a", "b"]);
  shelf.book.retried("s", "unrouted", ["unrouted"]);
  shelf.book.removed("s", "unrouted", "failed");
  shelf.book.removed("s", "b", "queued");
  const { studies: [study] } = await shelf.search();
  assert.deepEqual(study!.destinations, [
    { name: "unrouted", wanted: 1, delivered: 0, failed: 0 },
    { name: "a", wanted: 1, delivered: 0, failed: 0 },
  ]);
});

Deno.test("where the spool has nothing for a destination, nothing of a study waits for it", async () => {
  const left = new Set(["a", "b"]);
  const book = new StudyBook<string>({
    now: () => 1,
    identify: () => Promise.resolve(undefined),
    hasNone: (destination) => !left.has(destination),
  });
  for (let n = 0; n < 3; n++) book.received("s", header(), "CT1", 1, ["a", "b"]);
  book.delivered("s", "a");
  book.failed("s", "a");
  const progress = async () =>
    (await book.search({ search: "", active: false, limit: 1 })).studies[0]!.destinations;
  assert.deepEqual(await progress(), [
    { name: "a", wanted: 3, delivered: 1, failed: 1 },
    { name: "b", wanted: 3, delivered: 0, failed: 0 },
  ]);
  // Another process removed them.
  left.clear();
  assert.deepEqual(await progress(), [{ name: "a", wanted: 1, delivered: 1, failed: 0 }]);
  assert.deepEqual((await book.search({ search: "", active: true, limit: 1 })).studies, []);
});

Deno.test("a study is found by part of patient ID, accession number or Study Instance UID, in any case", async () => {
  const shelf = new Shelf();
  shelf.book.received("s1", header({ patientId: "PAT-77" }), "CT1", 1, ["a"]);
  shelf.book.received("s2", header({ accessionNumber: "X99y" }), "CT1", 1, ["a"]);
  shelf.book.received("s3", header({ studyInstanceUid: "1.2.840.55" }), "CT1", 1, ["a"]);
  assert.deepEqual(await shelf.ids("pat-7"), ["s1"]);
  assert.deepEqual(await shelf.ids(" x99Y "), ["s2"]);
  assert.deepEqual(await shelf.ids("840.55"), ["s3"]);
  assert.deepEqual(await shelf.ids("Jane"), [], "names are not searched");
  assert.deepEqual(await shelf.ids("nothing of it"), []);
});

Deno.test("the latest comes first, and only what is undelivered where that is asked for", async () => {
  const shelf = new Shelf();
  for (const id of ["s1", "s2", "s3"]) shelf.receive(id, "P");
  shelf.time++;
  shelf.book.delivered("s1", "a");
  assert.deepEqual(await shelf.ids(), ["s1", "s3", "s2"]);
  assert.deepEqual(await shelf.ids("", true), ["s3", "s2"]);
  assert.deepEqual(await shelf.ids("", false, 1), ["s1"]);
  shelf.book.failed("s2", "a");
  assert.deepEqual(await shelf.ids("", true), ["s2", "s3"], "what failed is undelivered");
});

Deno.test("of what was found at a start one file a study is opened, the latest, when it is shown", async () => {
  const shelf = new Shelf();
  for (let n = 0; n < 100; n++) {
    shelf.book.found("s1", n, [{ destination: "a" }], "queued", n === 99 ? "P-FOUND" : "earlier");
  }
  shelf.book.found("s2", 50, [{ destination: "a" }], "failed", "P-FAILED");
  const { studies, complete } = await shelf.search();
  assert.deepEqual(shelf.opened, ["P-FOUND", "P-FAILED"]);
  assert.equal(complete, true);
  const [first, second] = studies;
  assert.equal(first!.identification!.patientId, "P-FOUND");
  assert.equal(first!.from, "FOUND");
  assert.equal(first!.received, 100);
  assert.deepEqual(first!.destinations, [{ name: "a", wanted: 100, delivered: 0, failed: 0 }]);
  assert.deepEqual(second!.destinations, [{ name: "a", wanted: 1, delivered: 0, failed: 1 }]);
  await shelf.search("P-");
  assert.equal(shelf.opened.length, 2, "never again");
});

Deno.test("a search for what nobody has looked into looks, a bounded number of times, and says that more is left", async () => {
  const shelf = new Shelf();
  for (let n = 0; n < 200; n++) {
    shelf.book.found(`s${n}`, n, [{ destination: "a" }], "queued", `PAT${n}`);
  }
  const first = await shelf.search("PAT63");
  assert.equal(shelf.opened.length, 64);
  assert.deepEqual(first.studies.map(({ id }) => id), ["s63"]);
  assert.equal(first.complete, false);
  let pauses = 0;
  const stop = new AbortController();
  await shelf.book.identifyAll(() => {
    pauses++;
    return Promise.resolve();
  }, stop.signal);
  assert.equal(pauses, 136, "a pause behind each");
  const second = await shelf.search("PAT199");
  assert.deepEqual([second.studies[0]!.id, second.complete], ["s199", true]);
  assert.equal(shelf.opened.length, 200);
});

Deno.test("a search on a slow disk looks into few files and answers with what is known", async () => {
  let time = 0;
  let opened = 0;
  const book = new StudyBook<string>({
    now: () => time,
    identify: (file) => {
      opened++;
      time += 12;
      return Promise.resolve({ header: header({ patientId: file }), from: "FOUND" });
    },
  });
  for (let n = 0; n < 50; n++) book.found(`s${n}`, n, [], "queued", `P${n}`);
  const { studies, complete } = await book.search({ search: "", active: false, limit: 50 });
  assert.equal(opened, 3);
  assert.equal(complete, false);
  assert.equal(studies.length, 50);
  assert.deepEqual(studies.map(({ identification }) => identification?.patientId).slice(0, 4), [
    "P49",
    "P48",
    "P47",
    undefined,
  ]);
});

Deno.test("the pass over what was found ends when it is told to", async () => {
  const shelf = new Shelf();
  for (let n = 0; n < 10; n++) shelf.book.found(`s${n}`, n, [], "queued", "P");
  const stop = new AbortController();
  await shelf.book.identifyAll(() => {
    if (shelf.opened.length === 3) stop.abort();
    return Promise.resolve();
  }, stop.signal);
  assert.equal(shelf.opened.length, 3);
});

Deno.test("a file that is gone leaves its study unidentified until an instance comes", async () => {
  const shelf = new Shelf();
  shelf.book.found("s1", 5, [{ destination: "a" }], "queued", "gone");
  assert.equal((await shelf.search()).studies[0]!.identification, null);
  await shelf.search();
  assert.equal(shelf.opened.length, 1);
  shelf.receive("s1", "P9");
  assert.deepEqual(await shelf.ids("P9"), ["s1"]);
});

Deno.test("when there are too many, what has arrived goes first, the longest untouched before the others", async () => {
  const shelf = new Shelf(1000);
  for (let n = 0; n < 1000; n++) {
    shelf.receive(`s${n}`, `P${n}.`);
    if (n % 2 === 0) shelf.book.delivered(`s${n}`, "a");
  }
  for (let n = 1000; n < 1501; n++) shelf.receive(`s${n}`, `P${n}.`);
  assert.equal(shelf.book.size, 1001);
  assert.equal((await shelf.search()).complete, true, "nothing that waits was given up");
  assert.deepEqual(await shelf.ids("P1500."), ["s1500"]);
  for (let n = 1; n < 1000; n += 2) {
    assert.equal((await shelf.ids(`P${n}.`, true)).includes(`s${n}`), true, `s${n}`);
  }
  assert.deepEqual(await shelf.ids("P998."), [], "had arrived");
});

Deno.test("where more wait than are kept it is said, until those have gone", async () => {
  const shelf = new Shelf(10);
  for (let n = 0; n < 511; n++) shelf.receive(`s${n}`, "P");
  assert.equal(shelf.book.size, 11);
  assert.equal((await shelf.search()).complete, false);
  for (let n = 0; n < 500; n++) shelf.book.delivered(`s${n}`, "a");
  assert.equal((await shelf.search()).complete, true);
});
