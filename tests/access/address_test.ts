/*
 * Addresses: what is the same host, and what is on a list.
 */

import assert from "node:assert/strict";
import { addressFilter, isOwnMachine, networkOf, plainAddress } from "../../src/access/address.ts";

Deno.test("an IPv4 address inside IPv6 is the IPv4 address, however it is written", () => {
  for (const mapped of ["10.1.2.3", "::ffff:10.1.2.3", "::FFFF:10.1.2.3", "::ffff:a01:203"]) {
    assert.equal(plainAddress(mapped), "10.1.2.3", mapped);
    assert.equal(networkOf(mapped), "10.1.2.3", mapped);
  }
  assert.equal(plainAddress("fe80::1%eth0"), "fe80::1");
  assert.equal(plainAddress("::1"), "::1");
});

Deno.test("the addresses of one /64 are one host, and those of another are not", () => {
  const one = networkOf("2001:db8:1:2::1");
  assert.equal(networkOf("2001:db8:1:2:ffff:ffff:ffff:ffff"), one);
  assert.notEqual(networkOf("2001:db8:1:3::1"), one);
  assert.notEqual(networkOf("10.0.0.1"), networkOf("10.0.0.2"));
});

Deno.test("hosts are matched as addresses and ranges of both families, an IPv4 address also inside IPv6", () => {
  const open = addressFilter([]);
  for (const host of ["10.0.0.1", "::1", "anything"]) assert.equal(open(host), true);
  const some = addressFilter(["10.0.0.1", "192.168.0.0/24", "fd00::/8", "::1", "0.0.0.0/32"]);
  for (
    const host of [
      "10.0.0.1",
      "::ffff:10.0.0.1",
      "::ffff:a00:1",
      "::FFFF:192.168.0.7",
      "192.168.0.0",
      "192.168.0.255",
      "fd12::1",
      "fd12::1%3",
      "::1",
    ]
  ) assert.equal(some(host), true, host);
  for (
    const host of ["10.0.0.2", "192.168.1.0", "::2", "fe80::1", "", "localhost", "10.0.0.1.evil"]
  ) {
    assert.equal(some(host), false, host);
  }
});

Deno.test("a list written with IPv4-mapped addresses has the IPv4 addresses", () => {
  const listed = addressFilter(["::ffff:10.0.0.1", "::ffff:192.168.0.0/120"]);
  for (const host of ["10.0.0.1", "::ffff:10.0.0.1", "192.168.0.9"]) {
    assert.equal(listed(host), true, host);
  }
  for (const host of ["10.0.0.2", "192.168.1.9", "::1"]) assert.equal(listed(host), false, host);
});

Deno.test("only loopback's own address is this machine", () => {
  for (const host of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) assert.ok(isOwnMachine(host), host);
  for (const host of ["127.0.0.2", "10.0.0.1", "fe80::1", ""]) assert.ok(!isOwnMachine(host), host);
});
