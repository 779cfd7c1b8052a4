/*
 * The fake forwarder in particular situations, for the tests of the pages: all well, just started, a destination down.
 */

import type { Study } from "../../src/control/views.ts";
import type {
  LogLine,
  Overview,
  StudyList,
  StudyQuery,
  Throughput,
} from "../../src/control/views.ts";
import { FakeControl, type FakeOptions, HOSTILE } from "./fake_control.ts";

/** A fake whose overview and studies a test may change, at any time. */
export class Scene extends FakeControl {
  change: (overview: Overview) => Overview = (overview) => overview;
  changeStudies: (studies: Study[]) => Study[] = (studies) => studies;
  changeThroughput: (told: Throughput) => Throughput = (told) => told;
  lines: LogLine[] | undefined;

  override overview(): Overview {
    return this.change(super.overview());
  }

  override throughput(): Throughput {
    return this.changeThroughput(super.throughput());
  }

  override async studies(query: StudyQuery): Promise<StudyList> {
    const list = await super.studies(query);
    return { ...list, studies: this.changeStudies(list.studies) };
  }

  override log(limit: number): LogLine[] {
    return this.lines?.slice(-limit) ?? super.log(limit);
  }
}

/** Everything runs: three destinations, nothing waits. */
export function allWell(options: FakeOptions = {}): Scene {
  const scene = new Scene({ quiet: true, ...options });
  const names = ["DOE^JANE", "MUELLER^HANS^^DR", "ROSSI^CHIARA", "NOVAK^PETR", "TANAKA^YUKI"];
  const from = ["CT_SCANNER", "MR_1", "US_ROOM_4", "DX_ER", "CT_SCANNER"];
  scene.changeStudies = (studies) =>
    studies.slice(0, 5).map((study, n) => ({
      ...study,
      from: from[n]!,
      identification: {
        patientId: `PID-${20417 + n * 311}`,
        patientName: names[n]!,
        accessionNumber: `A2026-${1180 + n}`,
        studyInstanceUid: `1.2.826.0.1.3680043.10.474.20261126.${n + 1}`,
        modality: ["CT", "MR", "US", "DX", "CT"][n]!,
      },
    }));
  scene.change = (overview) => ({
    ...overview,
    destinations: overview.destinations.map((one) => ({
      ...one,
      lastAnswer: one.type === "dicom" ? "0000 Success" : "Written",
    })),
  });
  return scene;
}

/** The one PACS is down for twelve minutes, and 1,204 images wait for it. */
export function pacsDown(options: FakeOptions = {}): Scene {
  const scene = allWell(options);
  const before = scene.change;
  const began = (options.now ?? Date.now)();
  scene.change = (overview) => {
    const said = before(overview);
    return {
      ...said,
      queued: 1204,
      destinations: said.destinations.map((one) =>
        one.name === "pacs"
          ? {
            ...one,
            state: "down",
            since: began - 12 * 60_000,
            reason: "PACS at 192.168.1.20:104 refused the connection: nothing listens there",
            attempts: 8,
            nextAttempt: began + 34_000,
            lastAnswer: "0000 Success",
            lastAnswerAt: began - 12 * 60_000 - 4000,
            sessions: 0,
            queued: 1204,
            oldest: began - 12 * 60_000 - 900,
            ages: [310, 894, 0, 0, 0, 0],
          }
          : one
      ),
      alarms: [{
        key: "destination-down pacs",
        severity: "critical",
        text: "pacs cannot be reached since 12 minutes: nothing listens at 192.168.1.20:104. " +
          "Start the PACS, or check its port.",
        since: began - 7 * 60_000,
      }],
    };
  };
  return scene;
}

/** Started a minute ago: nothing has happened. */
export function firstStart(options: FakeOptions = {}): Scene {
  const scene = new Scene({ quiet: true, ...options });
  scene.changeStudies = () => [];
  scene.lines = [];
  scene.change = (overview) => ({
    ...overview,
    started: overview.now - 60_000,
    associations: 0,
    received: 0,
    receivedBytes: 0,
    disk: { ...overview.disk, syncMedian: null, syncP99: null },
    missing: null,
    destinations: overview.destinations.slice(0, 2).map((one) => ({
      ...one,
      lastAnswer: "",
      lastAnswerAt: null,
      sessions: 0,
      delivered: 0,
      deliveredBytes: 0,
    })),
  });
  scene.changeThroughput = (told) => ({
    ...told,
    receivedInstances: told.receivedInstances.map(() => 0),
    receivedBytes: told.receivedBytes.map(() => 0),
    deliveredInstances: told.deliveredInstances.map(() => 0),
    deliveredBytes: told.deliveredBytes.map(() => 0),
  });
  return scene;
}

/** Every text that came from the network, and those that did not, are at their worst. */
export function hostile(options: FakeOptions = {}): Scene {
  const scene = new Scene({ items: 60, ...options });
  const bad = (n: number) => HOSTILE[n % HOSTILE.length]!;
  scene.change = (overview) => ({
    ...overview,
    version: bad(0),
    aeTitle: bad(1),
    listening: [bad(2), bad(3)],
    configuration: bad(4),
    disk: { ...overview.disk, refuses: bad(1) },
    destinations: overview.destinations.map((one, n) => ({
      ...one,
      description: bad(n),
      reason: bad(n + 1),
      lastAnswer: bad(n + 2),
      state: (["down", "misconfigured", "paused", "up"] as const)[n % 4]!,
    })),
    alarms: HOSTILE.map((text, n) => ({
      key: text,
      severity: n % 2 === 0 ? "critical" as const : "warning" as const,
      text,
      since: overview.now - n * 60_000,
    })),
  });
  scene.changeStudies = (studies) =>
    studies.map((study, n) => ({
      ...study,
      from: bad(n),
      identification: {
        patientId: bad(n + 1),
        patientName: bad(n),
        accessionNumber: bad(n + 2),
        studyInstanceUid: bad(n + 3),
        modality: bad(n + 4),
      },
      destinations: study.destinations.map((one, m) => ({ ...one, name: `${bad(n + m)} ${m}` })),
    }));
  scene.lines = HOSTILE.map((text, n) => ({
    at: Date.now() - 60_000 + n * 1000,
    level: (["debug", "info", "warning", "error"] as const)[n % 4]!,
    text,
  }));
  return scene;
}
