import { isLocalhostName } from '../core/http.ts';
import { SECRET_ADVICE, secretProblem } from './secrets.ts';
import type { Values } from './settings-schema.ts';

type Name = keyof Values;

/** A problem with a setting: its name, what is wrong, how to mend it. Never the value of a secret. */
type Report = (name: Name, problem: string) => void;

/** What settings must be to each other. Those that are wrong by themselves are left out and not looked at. */
export function checkTogether(values: Partial<Values>, report: Report): void {
  checkSecrets(values, report);
  checkKeyLength(values, report);
  checkLifetimes(values, report);
  checkAddresses(values, report);
  checkBypass(values, report);
}

function checkSecrets(values: Partial<Values>, report: Report): void {
  const secrets: [Name, string][] = [
    ...(values.SESSION_SECRET ?? []).map((text): [Name, string] => ['SESSION_SECRET', text]),
    ...(values.JWT_SECRET_KEY === undefined
      ? []
      : [['JWT_SECRET_KEY', values.JWT_SECRET_KEY] as [Name, string]]),
    ...(values.JWT_SECRET_KEY_PREVIOUS ?? []).map((text): [Name, string] => [
      'JWT_SECRET_KEY_PREVIOUS',
      text,
    ]),
  ];
  const forTests =
    values.NODE_ENV === 'test' && (values.HOST === undefined || isLocalhostName(values.HOST));
  const owners = new Map<string, Name>();
  for (const [name, secret] of secrets) {
    const problem = secretProblem(secret, forTests);
    if (problem !== undefined) report(name, `${problem}; ${SECRET_ADVICE}`);
    const owner = owners.get(secret);
    if (owner !== undefined) {
      report(
        name,
        `has the same secret as ${owner === name ? 'another entry of it' : owner}: each must be one of its own; ${SECRET_ADVICE}`,
      );
    }
    owners.set(secret, name);
  }
}

/** As many bytes as the hash gives (RFC 7518, section 3.2); what HS256 needs, every secret has. */
function checkKeyLength(values: Partial<Values>, report: Report): void {
  const { JWT_ALGORITHM: algorithm = 'HS256', JWT_SECRET_KEY: secret } = values;
  const bytes = { HS256: 0, HS384: 48, HS512: 64 }[algorithm];
  if (secret !== undefined && Buffer.byteLength(secret) < bytes) {
    report('JWT_SECRET_KEY', `needs ${bytes} bytes for ${algorithm}; ${SECRET_ADVICE}`);
  }
}

function checkLifetimes(values: Partial<Values>, report: Report): void {
  const { SESSION_IDLE_TIMEOUT: idle, SESSION_LIFETIME: lifetime, JWT_EXPIRES_IN: token } = values;
  if (idle !== undefined && token !== undefined && idle <= token) {
    report(
      'SESSION_IDLE_TIMEOUT',
      'must be longer than JWT_EXPIRES_IN: a session in use would end between two tokens',
    );
  }
  if (idle !== undefined && lifetime !== undefined && lifetime < idle) {
    report('SESSION_LIFETIME', 'must not be shorter than SESSION_IDLE_TIMEOUT');
  }
}

function checkAddresses(values: Partial<Values>, report: Report): void {
  const { NODE_ENV: mode, PUBLIC_URL: url, TLS_CERT_FILE: cert, TLS_KEY_FILE: key } = values;
  if ((cert === undefined) !== (key === undefined)) {
    report(
      cert === undefined ? 'TLS_CERT_FILE' : 'TLS_KEY_FILE',
      'is missing: TLS_CERT_FILE and TLS_KEY_FILE go together',
    );
  }
  const behindProxy = (values.TRUST_PROXY?.length ?? 0) > 0;
  if (url?.startsWith('https:') && cert === undefined && !behindProxy) {
    report(
      'PUBLIC_URL',
      'says https, but nothing here serves it, so that no session cookie could be set: name the reverse proxy in TRUST_PROXY, or set TLS_CERT_FILE and TLS_KEY_FILE',
    );
  }
  if (url?.startsWith('http:') && cert !== undefined) {
    report('PUBLIC_URL', 'says http, but TLS_CERT_FILE makes this service answer https');
  }
  if (values.TOKEN_COOKIE?.startsWith('__') && !url?.startsWith('https:')) {
    report('TOKEN_COOKIE', 'has a prefix that browsers take over https only');
  }
  const open = values.CORS_ORIGINS?.find((origin) => {
    return origin.startsWith('http:') && !isLocalhostName(new URL(origin).hostname);
  });
  if (mode === 'production' && open !== undefined) {
    report('CORS_ORIGINS', `has ${open}, where anyone on the way could read tokens: use https`);
  }
  if (mode === 'production' && url === undefined) {
    report('PUBLIC_URL', 'is required in production: the https address that people use');
  } else if (mode === 'production' && !url?.startsWith('https:')) {
    report(
      'PUBLIC_URL',
      'must begin with https in production: passwords, cookies and tokens would travel in the open',
    );
  } else if (url?.startsWith('http:') && !isLocalhostName(new URL(url).hostname)) {
    report(
      'PUBLIC_URL',
      'may be http for localhost only: browsers keep other cookies from crossing in the open',
    );
  }
}

function checkBypass(values: Partial<Values>, report: Report): void {
  if (values.BYPASS_AUTH !== true) return;
  if (values.NODE_ENV === 'production') {
    report(
      'BYPASS_AUTH',
      "must not be true with NODE_ENV=production: it lets anyone sign in as anyone. Remove BYPASS_AUTH, or set NODE_ENV=development on a developer's machine",
    );
  }
  if (values.HOST !== undefined && !isLocalhostName(values.HOST)) {
    report(
      'BYPASS_AUTH',
      'needs HOST to be a loopback address such as 127.0.0.1: others could sign in as anyone',
    );
  }
  if (values.PUBLIC_URL !== undefined && !isLocalhostName(new URL(values.PUBLIC_URL).hostname)) {
    report('BYPASS_AUTH', 'needs PUBLIC_URL to be a localhost address');
  }
  if ((values.TRUST_PROXY?.length ?? 0) > 0) {
    report(
      'BYPASS_AUTH',
      'must not be true with TRUST_PROXY: behind a proxy everybody seems to be on this machine',
    );
  }
}
