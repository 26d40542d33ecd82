// The address of the person behind a request. X-Forwarded-For is believed only as far as the chain of trusted proxies
// reaches, counted from the connection backwards; the first hop that is not ours is the client.

import ipaddr from 'ipaddr.js';
import { LRUCache } from 'lru-cache';

export type Networks = ReturnType<typeof parseNetworks>;
const MOST_HOPS = 20;
/** Addresses of connections as they are written everywhere: proxies of ours are few, and ask for all readers. */
const written = new LRUCache<string, string>({ max: 1000 });

/** Addresses and CIDR ranges as matchers. */
export function parseNetworks(list: readonly string[]) {
  return list.map((entry) => {
    const [network, bits] = entry.includes('/') ? ipaddr.parseCIDR(entry) : [ipaddr.parse(entry), null];
    return { network: normalise(network), bits: bits ?? (network.kind() === 'ipv4' ? 32 : 128) };
  });
}

/**
 * @param options connection: address of the socket; forwarded: X-Forwarded-For as received; trusted: our own proxies;
 *   extraHops: further hops to believe, 1 for a publisher's proxy that proved itself by its secret
 * @returns the client's address; the connection's own when the list is absurdly long or holds something else
 */
export function clientAddress(options: {
  connection: string;
  forwarded: string;
  trusted: Networks;
  extraHops: number;
}): string {
  if (options.forwarded === '') return writtenAddress(options.connection);
  const connection = parseAddress(options.connection);
  if (!connection) return options.connection;
  const hops =
    options.forwarded.length > 2000
      ? []
      : options.forwarded
          .split(',')
          .map((hop) => hop.trim())
          .filter(Boolean);
  if (hops.length > MOST_HOPS) return connection.toString();
  let current = connection;
  let extra = options.extraHops;
  while (hops.length > 0) {
    if (!isTrusted(current, options.trusted) && extra-- <= 0) break;
    const next = parseAddress(hops.pop() ?? '');
    if (!next) break;
    current = next;
  }
  return current.toString();
}

function writtenAddress(text: string): string {
  const known = written.get(text);
  if (known !== undefined) return known;
  const address = parseAddress(text)?.toString() ?? text;
  written.set(text, address);
  return address;
}

function isTrusted(address: ipaddr.IPv4 | ipaddr.IPv6, trusted: Networks): boolean {
  return trusted.some(
    ({ network, bits }) =>
      network.kind() === address.kind() && address.match(network as ipaddr.IPv4 & ipaddr.IPv6, bits),
  );
}

function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | null {
  // A zone names an interface of whoever wrote it (RFC 4007 §11); it means nothing here, and PostgreSQL's inet has none.
  const [address = ''] = text.split('%');
  return ipaddr.isValid(address) ? normalise(ipaddr.parse(address)) : null;
}

function normalise(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}
