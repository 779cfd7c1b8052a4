/*
 * Figures and times for people. Pure: the time it is now is passed in. Times are ms since 1970, durations ms.
 */

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** `1,204` */
export function number(value) {
  return WHOLE.format(value);
}

/** `1 image`, `1,204 images` */
export function counted(value, one, many = `${one}s`) {
  return `${number(value)} ${value === 1 ? one : many}`;
}

/** `526 KB`, `1.2 GB`: decimal, as disks are sold and as the log says it. */
export function bytes(value) {
  if (value < 1000) return `${number(value)} B`;
  let amount = value;
  let unit = "";
  for (unit of ["KB", "MB", "GB", "TB", "PB"]) {
    amount /= 1000;
    if (amount < 999.5) break;
  }
  return `${amount < 9.95 ? amount.toFixed(1) : number(amount)} ${unit}`;
}

/** `34 s`, `12 min`, `3 h 5 min`, `2 d 4 h` */
export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return hours % 24 === 0 || days > 9 ? `${days} d` : `${days} d ${hours % 24} h`;
}

/** `0.42 ms`, `12 ms`, `1.2 s`: how long one step took. */
export function latency(ms) {
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${number(ms)} ms`;
  return `${(ms / 1000).toFixed(1)} s`;
}

/** `12 min ago` */
export function ago(at, now) {
  const past = now - at;
  return past < 1500 ? "just now" : `${duration(past)} ago`;
}

/** `in 34 s` */
export function until(at, now) {
  return at - now < 500 ? "now" : `in ${duration(at - now)}`;
}

/** `2026-11-26 03:22:00`, in the time zone of who reads it. */
export function exact(at) {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return "";
  const two = (value) => String(value).padStart(2, "0");
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${clock(at)}`;
}

/** `03:22:00` */
export function clock(at) {
  const time = new Date(at);
  return [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((value) => String(value).padStart(2, "0")).join(":");
}

/** `12.4`, `0.3`, `120`: a rate. */
export function rate(value) {
  if (value === 0) return "0";
  if (value < 9.95) return value.toFixed(1);
  return number(value);
}

/**
 * A person name (PS3.5 6.2, VR PN) as people write it: `DOE^JANE^^DR^` is `DOE, JANE (DR)`. Names in other scripts, the groups
 * after `=`, follow it.
 */
export function personName(value) {
  return value.split("=").map((group) => {
    const [family = "", given = "", middle = "", prefix = "", ...suffix] = group.trim().split("^");
    const join = (parts, between) => parts.filter((part) => part.trim() !== "").join(between);
    const name = join([family, join([given, middle], " ")], ", ");
    const titles = join([prefix, ...suffix], " ");
    return titles === "" ? name : `${name} (${titles})`;
  }).filter((name) => name !== "").join(" = ");
}

/** An answer to "how many at once": `3 of 40`, and 0 to 1 of it. */
export function part(done, all) {
  return all <= 0 ? 0 : Math.min(1, done / all);
}
