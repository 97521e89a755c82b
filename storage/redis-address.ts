/** Where Redis or Valkey is, and whose keys are whose there. */
export interface RedisAddress {
  readonly tls: boolean;
  readonly host: string;
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** The number of the logical database. */
  readonly database: number;
  /** What every key begins with. */
  readonly prefix: string;
}

const PREFIX = 'coatcheck:';

/**
 * Reads `redis://user:password@host:port/database?prefix=…`, of which all but the host may be left out; `rediss` is with
 * TLS. @returns for any other text what is wrong with it, without the password
 */
export function redisAddress(text: string): RedisAddress | string {
  if (!/^rediss?:\/\//i.test(text)) {
    return 'must begin with redis:// or, for TLS, rediss://, such as redis://localhost:6379';
  }
  const url = URL.parse(text);
  if (url === null) return syntaxProblem(text);
  const problem = hostProblem(url) ?? credentialsProblem(url) ?? problemBehindHost(url);
  if (problem !== undefined) return problem;
  return {
    tls: url.protocol === 'rediss:',
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'), // an IPv6 address
    port: url.port === '' ? 6379 : Number(url.port),
    username: decodeURIComponent(url.username) || undefined,
    password: decodeURIComponent(url.password) || undefined,
    database: Number(url.pathname.slice(1)),
    prefix: url.searchParams.get('prefix') ?? PREFIX,
  };
}

const WRONG_PORT = 'must have a port from 1 to 65535: redis://<host>:6379';
const NO_HOST = 'must name a host: redis://<host>:6379';
const ENCODE =
  'must have these characters of a user or a password written otherwise: % as %25, @ as %40, / as %2F, : as %3A, ? as %3F, # as %23';

/** What may be wrong where nothing can be read. */
function syntaxProblem(text: string): string {
  const rest = text.slice(text.indexOf('//') + 2);
  if (/[/?#].*@/.test(rest)) return ENCODE;
  const hostAndPort = rest.replace(/[/?#].*$/, '').replace(/^.*@/, '');
  if (hostAndPort.startsWith(':')) return NO_HOST;
  if (/[^:]:[^:\]]*$/.test(hostAndPort)) return WRONG_PORT;
  return 'must have a host that can be read: redis://<host>:6379';
}

function hostProblem({ hostname, port }: URL): string | undefined {
  if (hostname === '') return NO_HOST;
  return port === '0' ? WRONG_PORT : undefined;
}

function credentialsProblem({ username, password }: URL): string | undefined {
  try {
    decodeURIComponent(username + password);
  } catch {
    return ENCODE;
  }
  // no password is sent then, and whoever connects is somebody else than was meant
  return username !== '' && password === ''
    ? 'must have the password of its user: redis://<user>:<password>@<host>'
    : undefined;
}

function problemBehindHost({ pathname, searchParams, hash }: URL): string | undefined {
  if (!/^(\/\d{0,5})?$/.test(pathname)) {
    return 'must have a number for a database: redis://<host>:6379/0';
  }
  const unknown = [...searchParams.keys()].find((name) => name !== 'prefix');
  if (unknown !== undefined || hash !== '' || searchParams.getAll('prefix').length > 1) {
    return 'must have nothing behind the database but one ?prefix=';
  }
  const prefix = searchParams.get('prefix');
  return prefix === null || /^[\w:.-]{1,64}$/.test(prefix)
    ? undefined
    : 'must have a prefix of 1 to 64 letters, digits, : . _ and -';
}
