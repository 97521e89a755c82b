import { isSecure } from '../../config/session.ts';
import type { Settings } from '../../config/settings.ts';
import { isLocalhostName } from '../../core/http.ts';
import { type Finding, fine, note, orFine, wrong } from './finding.ts';
import { blockList, familyOf, OWN_NETWORKS } from './networks.ts';
import type { Setup } from './setup.ts';

/** The narrowest a range may be that still stands for a network, not for the proxies in it. */
const WIDE = { ipv4: 24, ipv6: 64 } as const;

const LOOPBACK = ['127.0.0.0/8', '::1/128'];

/** Addresses that nobody on the Internet has (loopback, networks of one's own, and link-local). */
const PRIVATE = [...LOOPBACK, ...OWN_NETWORKS, '169.254.0.0/16', 'fe80::/10'];

/** IPv4 written as IPv6 (RFC 4291, section 2.5.5.2). */
const MAPPED = blockList(['::ffff:0:0/96']);

/** Whether the proxy in front is believed, and nobody else. */
export function proxy({ settings }: Setup): readonly Finding[] {
  const { trustProxy, tls, host, publicUrl } = settings;
  if (trustProxy.length === 0) {
    return [fine(tls ? 'https is served here, without a proxy.' : `No proxy: ${publicUrl}.`)];
  }
  const findings = [
    ...unreachable(settings),
    ...(tls === undefined && isOpenToAll(host) && trustProxy.every(isLoopbackRange)
      ? [aroundTheProxy(host)]
      : []),
    ...trustProxy.filter(isWide).map((range) => tooWide(range, trustProxy)),
  ];
  return orFine(findings, `Believes ${trustProxy.join(', ')}; listens on ${host}.`);
}

/** Where only this machine can connect, the proxy is on it: if it is not believed, no cookie is ever set. */
function unreachable(settings: Settings): Finding[] {
  const { host, trustProxy, tls } = settings;
  if (!isLocalhostName(host) || !isSecure(settings) || tls !== undefined) return [];
  const peers =
    host === 'localhost' ? ['127.0.0.1', '::1'] : [host.replace(/^127\..*/, '127.0.0.1')];
  const trusted = blockList(trustProxy);
  if (peers.some((peer) => trusted.check(peer, familyOf(peer)))) return [];
  return [
    wrong({
      what: `HOST=${host} can be reached from this machine only, and TRUST_PROXY has no address of it.`,
      why: 'What the proxy says of https is not believed: no session cookie is set, and every sign-in ends with https_required.',
      asvs: '3.3.1',
      change: `TRUST_PROXY=${peers.join(',')}`,
    }),
  ];
}

function aroundTheProxy(host: string): Finding {
  return wrong({
    what: `The proxy is on this machine, but HOST=${host} lets everybody else in by plain http.`,
    why: 'Who goes around the proxy sends passwords and tokens in the open.',
    asvs: '12.2.1',
    change: 'HOST=127.0.0.1',
  });
}

function tooWide(range: string, all: readonly string[]): Finding {
  const others = all.filter((one) => one !== range);
  const advice = {
    what: `TRUST_PROXY believes everybody in ${range}.`,
    why: 'Each of them can invent the address that attempts are counted by, and say that http is https.',
    asvs: '15.3.4',
    change: `TRUST_PROXY=${[...others, '<the address of the proxy>'].join(',')}`,
  };
  return isWithin(PRIVATE, range) ? note(advice) : wrong(advice);
}

function isWide(range: string): boolean {
  const { kind, prefix } = partsOf(range);
  return prefix < WIDE[kind] && !isLoopbackRange(range);
}

function isLoopbackRange(range: string): boolean {
  return isWithin(LOOPBACK, range);
}

/** Whether one of the blocks has the whole range, and not its first address only. */
function isWithin(blocks: readonly string[], range: string): boolean {
  const { address, prefix } = partsOf(range);
  return blocks.some(
    (block) =>
      prefix >= partsOf(block).prefix && blockList([block]).check(address, familyOf(address)),
  );
}

function isOpenToAll(host: string): boolean {
  return !isLocalhostName(host);
}

/** A single address is a range of one. `::ffff:10.0.0.0/104` is believed as 10.0.0.0/8 is: its kind and prefix are those. */
function partsOf(range: string): { address: string; kind: 'ipv4' | 'ipv6'; prefix: number } {
  const [address = '', bits] = range.split('/');
  const kind = familyOf(address);
  const prefix = Number(bits ?? (kind === 'ipv4' ? 32 : 128));
  const isMapped = kind === 'ipv6' && prefix >= 96 && MAPPED.check(address, kind);
  return isMapped ? { address, kind: 'ipv4', prefix: prefix - 96 } : { address, kind, prefix };
}
