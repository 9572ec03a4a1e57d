// Says whether an address stays on this machine; it knows no sockets and resolves no names.

/**
 * True for 127.0.0.0/8, `::1`, either of them written as an IPv4-mapped IPv6 address, and the name
 * `localhost`. Every other text, names that might resolve to loopback included, counts as remote.
 */
export function isLoopback(address: string): boolean {
  const bare = address.toLowerCase().replace(/^\[(.*)\]$/, "$1").replace(/%.*$/, "");
  if (bare === "localhost" || bare === "::1" || bare === "0:0:0:0:0:0:0:1") return true;
  const v4 = bare.startsWith("::ffff:") ? bare.slice("::ffff:".length) : bare;
  const octets = v4.split(".");
  return octets.length === 4 && octets[0] === "127" &&
    octets.every((octet) => /^\d{1,3}$/.test(octet) && Number(octet) <= 255);
}
