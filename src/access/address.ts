/*
 * IP addresses as those who are let in, counted or shut out are told apart by.
 *
 * An IPv4 address that comes inside IPv6 (RFC 4291 §2.5.5.2) is the IPv4 address: a listener on `::` hands every IPv4 peer
 * over that way. Pure.
 */

import { BlockList, isIP, isIPv4, isIPv6 } from "node:net";

const MAPPED_PREFIX = /^::ffff:(?=[0-9.]+$)/i;
const MAPPED_GROUPS = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i;

/** Without zone, and an IPv4-mapped IPv6 address as the IPv4 address it is. Anything else stays as it is. */
export function plainAddress(address: string): string {
  const bare = address.replace(/%.*$/, "").replace(MAPPED_PREFIX, "");
  const groups = MAPPED_GROUPS.exec(bare);
  if (groups === null) return bare;
  const [high, low] = [parseInt(groups[1]!, 16), parseInt(groups[2]!, 16)];
  return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`;
}

/** What a single host can hold: its IPv4 address, or the /64 of its IPv6 address, whose 2^64 addresses are all its own. */
export function networkOf(address: string): string {
  const plain = plainAddress(address);
  if (isIP(plain) !== 6) return plain;
  const [head = "", tail = ""] = plain.split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === "" ? [] : tail.split(":");
  const zeros = Array<string>(Math.max(0, 8 - front.length - back.length)).fill("0");
  const groups = plain.includes("::") ? [...front, ...zeros, ...back] : front;
  return `${groups.slice(0, 4).join(":")}::/64`;
}

/**
 * Compiles a list of addresses and CIDR ranges: true for an address that is in it. An empty list has every address in it.
 *
 * @param ranges as a configuration has them; a range of IPv4-mapped addresses is the range of IPv4 addresses
 */
export function addressFilter(ranges: readonly string[]): (address: string) => boolean {
  if (ranges.length === 0) return () => true;
  const list = new BlockList();
  for (const range of ranges) {
    const [written = "", prefix] = range.split("/");
    const address = plainAddress(written);
    const mapped = isIPv4(address) && !isIPv4(written);
    const family = isIPv4(address) ? "ipv4" : "ipv6";
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Math.max(0, Number(prefix) - (mapped ? 96 : 0)), family);
  }
  return (address) => {
    const plain = plainAddress(address);
    if (isIPv4(plain)) return list.check(plain, "ipv4");
    return isIPv6(plain) && list.check(plain, "ipv6");
  };
}

/** True for this machine's own loopback address; a proxy on this machine brings everybody from there. */
export function isOwnMachine(address: string): boolean {
  const plain = plainAddress(address);
  return plain === "127.0.0.1" || plain === "::1";
}
