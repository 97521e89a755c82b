import type { RequestHandler, Request } from 'express';
import { Strategy } from 'passport';
import type { Logger } from 'pino';
import type { Audit } from '../../audit/audit.ts';
import { callerOf, hostName, isLocalhostName, isLoopbackAddress } from '../../core/http.ts';
import type { User, UserStore } from '../../users/user-store.ts';
import type { Passport } from '../passport.ts';

/** Headers that a proxy adds: with one of them, a peer on loopback is not the one who asks. */
const FORWARDING_HEADER =
  /^(forwarded|via|x[-_](forwarded|original|originating|real|client|cluster|remote|host|rewrite|scheme|proxyuser|envoy|azure|amzn|arr|cloud|nginx|vercel)|cdn-|cf-|fly-|fastly-|tailscale-|front-end-|max-forwards|proxy-)|forwarded-for|client-?ip/;

/** Sign-in without a password, for a developer on their own machine. */
export interface Bypass {
  /** For every request of the app: looks out for a proxy in front, and says in a header that bypass is on. */
  readonly watch: RequestHandler;
  /** Whether it is still on: until there is a sign of a proxy. */
  isOn(): boolean;
  /** For the bypass route: whether this request may use it. */
  allows(req: Request): boolean;
}

interface Parts {
  readonly users: UserStore;
  readonly audit: Audit;
  readonly log: Logger;
  /** The only other sites that may send a browser here. */
  readonly corsOrigins: readonly string[];
}

/**
 * Adds the strategy `bypass` to a Passport. This file is loaded only in development and test with
 * `BYPASS_AUTH=true`, and is left out of what is published; the settings have then been checked already.
 */
export function installBypass(passport: Passport, parts: Parts): Bypass {
  const { log, corsOrigins } = parts;
  const trusted = new Set(corsOrigins);
  let proxySeen = false;
  passport.use(new BypassStrategy(parts));
  log.warn(
    'BYPASS_AUTH is on: anyone on this machine can sign in as anyone through /auth/bypass. Never use this data or these secrets elsewhere.',
  );

  return {
    watch(req, res, next) {
      const evidence = proxySeen ? undefined : proxyEvidence(req);
      if (evidence !== undefined) {
        proxySeen = true;
        log.error(
          { evidence },
          'bypass is off until restart: a request came through a proxy or under another name than localhost',
        );
      }
      if (!proxySeen) res.setHeader('Coatcheck-Bypass', 'on');
      next();
    },
    isOn: () => !proxySeen,
    allows: (req) =>
      !proxySeen && isLoopbackAddress(req.socket.remoteAddress) && !isCrossSite(req, trusted),
  };
}

/** What gives away that a request did not come straight from this machine. */
function proxyEvidence(req: Request): string | undefined {
  const header = Object.keys(req.headers).find((name) => FORWARDING_HEADER.test(name));
  if (header !== undefined) return `header ${header}`;
  if (req.httpVersion !== '1.1') return 'HTTP/1.0, which proxies speak and browsers do not';
  if (isForAnotherHost(req)) return 'a page of another host that says it is of this one';
  const hosts = (req.headersDistinct['host'] ?? []).map(hostName); // of two, `headers` has the first only
  const local = hosts.length === 1 && hosts.every((host) => host && isLocalhostName(host));
  return local ? undefined : 'Host is not a localhost name';
}

/** Behind a proxy, `Host` may be the one that the proxy asks for; the browser still tells which one it asked. */
function isForAnotherHost({ headers }: Request): boolean {
  if (headers['sec-fetch-site'] !== 'same-origin') return false;
  return [headers.origin, headers.referer].some(
    (url) => url !== undefined && !isLocalhostName(URL.parse(url)?.hostname ?? 'localhost'),
  );
}

function isCrossSite(req: Request, trusted: ReadonlySet<string>): boolean {
  const { origin, host } = req.headers;
  if (origin !== undefined && trusted.has(origin)) return false;
  const site = req.headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  // browsers say nothing of the site over http that is not of this machine: to a proxy in front, in a network of several
  const { referer } = req.headers;
  return [origin, referer].some((url) => url !== undefined && URL.parse(url)?.host !== host);
}

/** No private fields: Passport works with an object made from the strategy, which would not have them. */
class BypassStrategy extends Strategy {
  override readonly name = 'bypass';
  readonly parts: Parts;

  constructor(parts: Parts) {
    super();
    this.parts = parts;
  }

  /** The query parameter is called `token`, but holds a username. The step in front has checked that it is one. */
  override authenticate(req: Request): void {
    const { token } = req.query;
    findOrCreate(this.parts, req, typeof token === 'string' ? token : '').then(
      (user) => {
        if (user.disabled) return this.fail({ message: 'disabled', userId: user.id }, 401);
        this.parts.log.warn({ request: req.id, user: user.id }, 'bypass used');
        return this.success({ user, amr: 'bypass' });
      },
      (error: unknown) => this.error(error),
    );
  }
}

/** A username not known yet becomes a user without roles. Two clicks at once make one: the second finds the first's. */
async function findOrCreate({ users, audit }: Parts, req: Request, name: string): Promise<User> {
  const found = await users.findLogin(name);
  if (found !== undefined) return found.user;
  try {
    return await audit.recordWith(
      { ...callerOf(req), actor: { kind: 'nobody' }, event: 'user.added' },
      (write) =>
        users.add({ username: name }, (db, { id, username }) =>
          write(db, { subject: { kind: 'user', id, name: username } }),
        ),
    );
  } catch (error) {
    const winner = await users.findByUsername(name);
    if (winner === undefined) throw error;
    return winner;
  }
}
