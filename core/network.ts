import { isIPv6 } from 'node:net';

/** Where an address is, when attempts are counted. */
export interface Networks {
  readonly network: string;
  /** Around the network, where whoever has one may have many. */
  readonly block?: string;
}

/**
 * The network that an address stands for: an IPv4 address itself, however it is written, and the /64 of an IPv6 address,
 * of which whoever has one address has them all. The block around that is the /48: one customer may be given as much,
 * which is 65,536 networks (RFC 6177). What is no address stands for itself: some proxies invent names.
 */
export function networksOf(address: string): Networks {
  const [, v4, v6] = WITH_PORT.exec(address) ?? [];
  const bare = v4 ?? v6 ?? address;
  const groups = groupsOf(bare.replace(/%.*$/, '')); // without the zone of a link-local address
  if (groups === undefined) return { network: bare };
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    const [high = 0, low = 0] = groups.slice(6);
    const bytes = [high >> 8, high & 0xff, low >> 8, low & 0xff];
    return { network: bytes.join('.') }; // IPv4 written as IPv6 (RFC 4291, section 2.5.5.2)
  }
  return { network: prefix(groups, 64), block: prefix(groups, 48) };
}

function prefix(groups: readonly number[], bits: 48 | 64): string {
  const kept = groups.slice(0, bits / 16).map((group) => group.toString(16));
  return `${kept.join(':')}::/${bits}`;
}

/** Some proxies add the port, which is another one for each connection: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
const WITH_PORT = /^(?:(\d+\.\d+\.\d+\.\d+):\d+|\[(.+)\](?::\d+)?)$/;

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] | undefined {
  if (!isIPv6(address)) return undefined;
  const shortest = new URL(`http://[${address}]`).hostname.slice(1, -1); // no IPv4 at its end any more
  const [head = [], tail = []] = shortest
    .split('::')
    .map((half) => half.split(':').filter((group) => group !== ''));
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return [...head, ...zeros, ...tail].map((group) => Number.parseInt(group, 16));
}
