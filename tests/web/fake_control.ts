/*
 * A forwarder that is none: what the status pages and the API are tested against, with everything that can be seen at once,
 * and with texts that have broken out of pages elsewhere.
 *
 * It moves: each call of `step` receives and delivers a little. All it was told to do is in `done`.
 */

import { ageClass, noAges } from "../../src/control/ages.ts";
import type { Control, ItemAction, ItemName, ItemSelection } from "../../src/control/control.ts";
import type {
  ActionResult,
  AlarmView,
  ConnectionResult,
  DestinationView,
  ItemDetails,
  LogLine,
  Overview,
  QueueItemView,
  QueuePage,
  QueueQuery,
  ReloadResult,
  Study,
  StudyList,
  StudyQuery,
  Throughput,
} from "../../src/control/views.ts";

/** Texts from the network at their worst. */
export const HOSTILE: readonly string[] = [
  "<script>globalThis.hacked = true</script>",
  `"><img src=x onerror="globalThis.hacked=true">`,
  "javascript:alert(1)",
  "</title><svg/onload=hacked=1>",
  "${globalThis.hacked = true}",
  "{{constructor.constructor('hacked=1')()}}",
  "\u202egnp.exe\u2066",
  "a\u0000b\u001b[2Jc\r\nSet-Cookie: x=y",
  "__proto__",
  "&lt;b&gt;&amp;",
  "'; DROP TABLE studies; --",
  "\ud800 lone",
  "x".repeat(64),
];

const STEPS = 300;

export interface FakeOptions {
  /** ms since 1970 */
  readonly now?: () => number;
  /** Items in the queue. */
  readonly items?: number;
  /** Nothing waits, nothing failed, no alarm. */
  readonly quiet?: boolean;
}

export class FakeControl implements Control {
  readonly #now: () => number;
  readonly #quiet: boolean;
  readonly #started: number;
  readonly #items: QueueItemView[] = [];
  readonly #paused = new Map<string, number>();
  readonly #studies: Study[] = [];
  readonly #delivered = new Map([["pacs", 48_211], ["research", 1204], ["archive", 49_377]]);
  readonly #steps: [number, number][] = [];
  #received = 49_377;
  #until: number;
  /** What it was told to do, in words. */
  readonly done: string[] = [];
  /** Makes every look fail. */
  broken = false;
  isReady = true;

  constructor({ now = Date.now, items = 1234, quiet = false }: FakeOptions = {}) {
    this.#now = now;
    this.#quiet = quiet;
    this.#started = now() - 3 * 86_400_000 - 4_000_000;
    this.#until = now() - now() % 1000;
    for (let n = 0; n < STEPS; n++) this.#steps.push(wave(n));
    if (!quiet) { for (let n = 0; n < items; n++) this.#items.push(this.#makeItem(n)); }
    for (let n = 0; n < 24; n++) this.#studies.push(this.#makeStudy(n));
  }

  /** A second goes by. */
  step(): void {
    this.#until += 1000;
    const [received, delivered] = wave(this.#until / 1000);
    this.#steps.shift();
    this.#steps.push([received, delivered]);
    this.#received += received;
    this.#delivered.set("pacs", this.#delivered.get("pacs")! + delivered);
    const first = this.#studies[0]!;
    const more = first.received >= 400 ? -first.received : received;
    this.#studies[0] = {
      ...first,
      last: this.#now(),
      received: first.received + more,
      receivedBytes: (first.received + more) * 526_000,
      destinations: first.destinations.map((one, n) => ({
        ...one,
        wanted: first.received + more,
        delivered: Math.floor((first.received + more) * (n === 0 ? 0.8 : 1)),
      })),
    };
  }

  overview(): Overview {
    this.#orBreak();
    const count = (state: string) => this.#items.filter((item) => item.state === state).length;
    return {
      version: "0.1.0",
      aeTitle: "DICOMFORWARDER",
      listening: ["0.0.0.0:11112"],
      started: this.#started,
      now: this.#now(),
      associations: 3,
      received: this.#received,
      receivedBytes: this.#received * 526_000,
      refused: this.#quiet ? 0 : 2,
      rejected: this.#quiet ? 0 : 17,
      queued: count("queued"),
      failed: count("failed"),
      held: count("held"),
      corrupt: this.#quiet ? 0 : 1,
      heldForStudy: this.#quiet ? 0 : 12,
      missing: 0,
      disk: {
        free: 83_412_000_000,
        reserve: 1_000_000_000,
        refuses: null,
        syncMedian: 1.2,
        syncP99: 9.7,
      },
      destinations: this.#destinations(),
      alarms: this.alarms(),
      configuration: this.#quiet ? null : "config.json was changed and is not in force: reload it",
    };
  }

  #destinations(): DestinationView[] {
    return [
      this.#destination("pacs", "dicom", "PACS at 192.168.1.20:104", "up", "", "Success (0000H)"),
      this.#destination(
        "research",
        "dicom",
        "RESEARCH at 10.0.0.7:11112",
        this.#quiet ? "up" : "down",
        "Connection refused: nothing listens at 10.0.0.7:11112",
        HOSTILE[0]!,
      ),
      this.#destination("archive", "directory", "Folder D:\\archive", "up", "", "Written"),
      ...(this.#quiet ? [] : [this.#destination(
        "mammo",
        "dicom",
        "MAMMO at mammo.example:104",
        "misconfigured",
        `Called AE title not recognised: ${HOSTILE[1]}`,
        "Association rejected: called AE title not recognised",
      )]),
    ];
  }

  #destination(
    name: string,
    type: "dicom" | "directory",
    description: string,
    usual: DestinationView["state"],
    reason: string,
    lastAnswer: string,
  ): DestinationView {
    const items = this.#items.filter((item) => item.destination === name);
    const queued = items.filter((item) => item.state === "queued");
    const pausedAt = this.#paused.get(name);
    const state = pausedAt === undefined ? usual : "paused";
    const up = state === "up";
    const delivered = this.#delivered.get(name) ?? 0;
    return {
      name,
      type,
      description,
      state,
      since: pausedAt ?? (up ? null : this.#started + 7_000_000),
      reason: pausedAt === undefined ? (up ? "" : reason) : "Paused by web 127.0.0.1",
      attempts: state === "down" ? 14 : 0,
      nextAttempt: state === "down" ? this.#until + 47_000 : null,
      lastAnswer: delivered === 0 && up ? "" : lastAnswer,
      lastAnswerAt: delivered === 0 && up ? null : this.#until - 1500,
      sessions: up ? 2 : 0,
      queued: queued.length,
      failed: items.filter((item) => item.state === "failed").length,
      held: items.filter((item) => item.state === "held").length,
      oldest: queued.length === 0 ? null : Math.min(...queued.map((item) => item.received)),
      ages: agesOf(queued.map((item) => this.#until - item.received)),
      delivered,
      deliveredBytes: delivered * 526_000,
    };
  }

  throughput(): Throughput {
    this.#orBreak();
    return {
      until: this.#until,
      step: 1000,
      receivedInstances: this.#steps.map(([received]) => received),
      receivedBytes: this.#steps.map(([received]) => received * 526_000),
      deliveredInstances: this.#steps.map(([, delivered]) => delivered),
      deliveredBytes: this.#steps.map(([, delivered]) => delivered * 526_000),
    };
  }

  studies({ search, active, limit }: StudyQuery): Promise<StudyList> {
    const studies = this.#studies.filter(({ identification, destinations }) => {
      const { patientId, accessionNumber, studyInstanceUid } = identification ?? NOBODY;
      const found = search === "" ||
        [patientId, accessionNumber, studyInstanceUid].some((text) => text.includes(search));
      return found && (!active || destinations.some((one) => one.delivered < one.wanted));
    });
    return Promise.resolve({ studies: studies.slice(0, limit), complete: search === "" });
  }

  queue({ destination, state, study, after, limit }: QueueQuery): Promise<QueuePage> {
    const found = this.#items.filter((item) =>
      (destination === undefined || item.destination === destination) &&
      (state === undefined || item.state === state) &&
      (study === undefined || item.id.includes(`-${study}-`))
    );
    const start = after === undefined ? 0 : found.findIndex((item) => key(item) === after) + 1;
    const items = found.slice(start, start + limit);
    const last = items.at(-1);
    const next = last === undefined || start + limit >= found.length ? null : key(last);
    return Promise.resolve({ total: found.length, items, next });
  }

  item(name: ItemName): Promise<ItemDetails | undefined> {
    const found = this.#find(name);
    if (found === undefined) return Promise.resolve(undefined);
    const { n, item } = found;
    return Promise.resolve({
      ...item,
      identification: { ...this.#identification(n), modality: HOSTILE[n % HOSTILE.length]! },
      sopInstanceUid: `1.2.826.0.1.3680043.10.1.${n}`,
      sopClassUid: "1.2.840.10008.5.1.4.1.1.2",
      transferSyntax: "1.2.840.10008.1.2.1",
      from: "CT_SCANNER",
      bytes: 526_338,
      damaged: n % 17 === 16 ? "The checksum of the data set does not agree" : null,
      events: [
        { at: new Date(item.received).toISOString(), text: "accepted from CT_SCANNER at 10.0.0.3" },
        { at: new Date(item.received + 900).toISOString(), text: item.reason || "queued" },
        { at: new Date(item.received + 950).toISOString(), text: HOSTILE[n % HOSTILE.length]! },
      ],
    });
  }

  download(name: ItemName) {
    if (this.#find(name) === undefined) return Promise.resolve(undefined);
    const bytes = new Uint8Array(526_338).fill(7);
    bytes.set(new TextEncoder().encode("DICM"), 128);
    return Promise.resolve({ size: bytes.length, body: new Blob([bytes]).stream() });
  }

  act(action: ItemAction, selection: ItemSelection, by: string): Promise<ActionResult> {
    this.done.push(`${action} ${JSON.stringify(selection)} by ${by}`);
    const chosen = "items" in selection
      ? selection.items
      : this.#items.filter((item) =>
        item.state === selection.state &&
        ("study" in selection
          ? item.id.includes(`-${selection.study}-`)
          : item.destination === selection.destination)
      );
    const failed: ActionResult["failed"] = [];
    let done = 0;
    for (const name of [...chosen]) {
      const index = this.#items.findIndex((item) => key(item) === key(name));
      const item = this.#items[index];
      if (item === undefined) {
        const reason = "There is no such instance";
        if (failed.length < 100) {
          failed.push({ id: name.id, destination: name.destination, reason });
        }
        continue;
      }
      done++;
      if (action === "remove") this.#items.splice(index, 1);
      else {
        const state = action === "hold" ? "held" : "queued";
        this.#items[index] = { ...item, state, reason: action === "hold" ? `Held by ${by}` : "" };
      }
    }
    return Promise.resolve({ done, failed });
  }

  pause(destination: string, by: string): Promise<boolean> {
    return this.#switch(destination, `pause ${destination} by ${by}`, () => {
      this.#paused.set(destination, this.#now());
    });
  }

  resume(destination: string, by: string): Promise<boolean> {
    return this.#switch(destination, `resume ${destination} by ${by}`, () => {
      this.#paused.delete(destination);
    });
  }

  tryNow(destination: string, by: string): Promise<boolean> {
    return this.#switch(destination, `try ${destination} by ${by}`, () => {});
  }

  #switch(destination: string, words: string, change: () => void): Promise<boolean> {
    if (!this.#destinations().some(({ name }) => name === destination)) {
      return Promise.resolve(false);
    }
    this.done.push(words);
    change();
    return Promise.resolve(true);
  }

  async test(destination: string, signal: AbortSignal): Promise<ConnectionResult | undefined> {
    const found = this.#destinations().find(({ name }) => name === destination);
    if (found === undefined) return undefined;
    await new Promise((resolve) => setTimeout(resolve, 5));
    signal.throwIfAborted();
    this.done.push(`test ${destination}`);
    return found.state === "up" || found.state === "paused"
      ? { ok: true, lines: ["Connected", "Association accepted", "C-ECHO: Success"], duration: 12 }
      : { ok: false, lines: [found.reason, HOSTILE[3]!], duration: 3004 };
  }

  log(limit: number): LogLine[] {
    const levels = ["info", "info", "debug", "info", "warning", "error"] as const;
    return Array.from({ length: 400 }, (_, n) => ({
      at: this.#until - (400 - n) * 1300,
      level: levels[n % levels.length]!,
      text: n % 7 === 0
        ? `receiver Association rejected calling="${HOSTILE[n % HOSTILE.length]}"`
        : `delivery Instance delivered destination=pacs entry=${n}`,
    })).slice(-limit);
  }

  configuration(): Record<string, unknown> {
    return {
      local_ae_title: "DICOMFORWARDER",
      local_port: 11_112,
      destinations: [{ type: "dicom", name: "pacs", host: "192.168.1.20", port: 104 }],
      web: { enabled: true, host: "127.0.0.1", port: 8104, password_hash: "(not shown)" },
      odd: HOSTILE[0],
    };
  }

  reload(by: string): Promise<ReloadResult> {
    this.done.push(`reload by ${by}`);
    return Promise.resolve(
      this.#quiet ? { ok: true, lines: ["Nothing has changed."] } : {
        ok: false,
        lines: [`destinations[0].port: "abc": wanted a whole number ${HOSTILE[0]}`],
      },
    );
  }

  alarms(): AlarmView[] {
    if (this.#quiet) return [];
    return [
      {
        key: "destination-down research",
        severity: "critical",
        text: "research cannot be reached: nothing listens at 10.0.0.7:11112. Start it there.",
        since: this.#started + 7_000_000,
      },
      {
        key: "failed pacs",
        severity: "warning",
        text: `pacs refused instances: look at Queue, failed. ${HOSTILE[0]}`,
        since: this.#started + 9_000_000,
      },
    ];
  }

  testAlarms(): Promise<ConnectionResult> {
    this.done.push("test alarms");
    return Promise.resolve({ ok: true, lines: ["log: written", "webhook: 204"], duration: 80 });
  }

  metrics(): string {
    return "# TYPE dicomforwarder_up gauge\ndicomforwarder_up 1\n";
  }

  ready() {
    return this.isReady
      ? { ok: true, reasons: [] }
      : { ok: false, reasons: ["The disk has less than minimum_free_space"] };
  }

  #find(name: ItemName): { n: number; item: QueueItemView } | undefined {
    const item = this.#items.find((one) => key(one) === key(name));
    return item === undefined ? undefined : { n: Number(item.id.split("-")[1]), item };
  }

  #makeItem(n: number): QueueItemView {
    const received = this.#started + n * 1000;
    const destination = ["pacs", "research", "mammo"][n % 3]!;
    const state = n % 10 === 9 ? "failed" : n % 25 === 24 ? "held" : "queued";
    const reason = state === "failed"
      ? `A700H out of resources: ${HOSTILE[n % HOSTILE.length]}`
      : state === "held"
      ? "Held by web 127.0.0.1"
      : "";
    const study = (0x10_0000_00 + n % 24).toString(16);
    return {
      id: `${received}-${String(n).padStart(6, "0")}-${study}-0badcafe`,
      destination,
      state,
      received,
      tries: n % 4,
      reason,
      nextAttempt: state === "queued" && n % 4 > 0 ? this.#until + 30_000 : null,
    };
  }

  #identification(n: number) {
    const patientName = n < HOSTILE.length ? HOSTILE[n]! : `DOE^JOHN^${n}`;
    return {
      patientId: `PID${10_000 + n}`,
      patientName,
      accessionNumber: `ACC${n}`,
      studyInstanceUid: `1.2.826.0.1.3680043.10.2.${n}`,
      modality: ["CT", "MR", "US", "MG"][n % 4]!,
    };
  }

  #makeStudy(n: number): Study {
    const received = n === 0 ? 120 : 40 + 13 * n;
    return {
      id: (0x10_0000_00 + n).toString(16),
      identification: n === 23 ? null : this.#identification(n),
      from: n % 5 === 4 ? HOSTILE[n % HOSTILE.length]!.slice(0, 16) : "CT_SCANNER",
      first: this.#until - 60_000 * (n + 1),
      last: this.#until - 50_000 * n,
      received,
      receivedBytes: received * 526_000,
      destinations: [
        {
          name: "pacs",
          wanted: received,
          delivered: n < 3 ? Math.floor(received * 0.6) : received,
          failed: n === 2 ? 3 : 0,
        },
        { name: "archive", wanted: received, delivered: received, failed: 0 },
      ],
    };
  }

  #orBreak(): void {
    if (this.broken) throw new Error("the fake was told to break: secret-cause");
  }
}

const NOBODY = { patientId: "", accessionNumber: "", studyInstanceUid: "" };

function key({ id, destination }: ItemName): string {
  return `${id} ${destination}`;
}

/** Received and delivered in a second. */
function wave(n: number): [number, number] {
  const received = Math.max(0, Math.round(30 + 25 * Math.sin(n / 11) + 10 * Math.sin(n / 3)));
  const delivered = Math.max(0, Math.round(28 + 25 * Math.sin((n - 4) / 11)));
  return [received, delivered];
}

function agesOf(agesMs: readonly number[]): number[] {
  const ages = noAges();
  for (const age of agesMs) ages[ageClass(age)]!++;
  return ages;
}
