/*
 * Steps of throughput as they are told, and columns for the plot made of them. Pure.
 */

/** How long they are kept, ms. */
export const KEPT_MS = 600_000;

/**
 * Puts newly heard steps to those that are known, whether all or only the last ones were told.
 * @param {Map<number, number[]>} known By the end of the step.
 */
export function merge(known, told) {
  const { until, step } = told;
  const length = told.receivedInstances.length;
  for (let i = 0; i < length; i++) {
    known.set(until - step * (length - 1 - i), [
      told.receivedInstances[i],
      told.deliveredInstances[i],
      told.receivedBytes[i],
      told.deliveredBytes[i],
    ]);
  }
  for (const at of known.keys()) if (at <= until - KEPT_MS) known.delete(at);
}

/** Columns for the plot, per second: times in s, received, delivered. Steps nobody told of are gaps. */
export function columns(known, step, measure) {
  const times = [...known.keys()].sort((one, other) => one - other);
  const offset = measure === "bytes" ? 2 : 0;
  const perSecond = 1000 / step;
  return [
    times.map((at) => at / 1000),
    times.map((at) => known.get(at)[offset] * perSecond),
    times.map((at) => known.get(at)[offset + 1] * perSecond),
  ];
}

/** The last ten seconds' average, which is steadier than one step. */
export function latestRates([times, received, delivered]) {
  const from = (times.at(-1) ?? 0) - 10;
  const first = times.findIndex((at) => at > from);
  const average = (values) => {
    const some = values.slice(Math.max(0, first));
    return some.length === 0 ? 0 : some.reduce((sum, value) => sum + value, 0) / some.length;
  };
  return [average(received), average(delivered)];
}
