import { BlockList, isIPv6 } from 'node:net';

/** Networks of one's own (RFC 1918, RFC 4193). */
export const OWN_NETWORKS = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'];

/** What is in any of these ranges. A single address is a range of one. */
export function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/');
    const family = familyOf(address);
    list.addSubnet(address, Number(prefix ?? (family === 'ipv4' ? 32 : 128)), family);
  }
  return list;
}

export function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4';
}

/** Whether the host of a URL is an address, and no name. */
export function isAddress(hostname: string): boolean {
  return /^[\d.]+$|^\[/.test(hostname);
}
