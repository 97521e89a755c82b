import { isLocalhostName } from '../core/http.ts';
import { SECRET_ADVICE, secretProblem } from './secrets.ts';
import { REQUIRED_SECRET, type Values } from './settings-schema.ts';
import { isHmac } from '../tokens/algorithms.ts';

type Name = keyof Values;

/** A problem with a setting: its name, what is wrong, how to mend it. Never the value of a secret. */
type Report = (name: Name, problem: string) => void;

/** What settings must be to each other. Those that are wrong by themselves are left out and not looked at. */
export function checkTogether(values: Partial<Values>, report: Report): void {
  checkSecrets(values, report);
  checkAlgorithm(values, report);
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
    ...(values.KEY_ENCRYPTION_SECRET ?? []).map((text): [Name, string] => [
      'KEY_ENCRYPTION_SECRET',
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

/** What each algorithm and each profile needs. */
function checkAlgorithm(values: Partial<Values>, report: Report): void {
  const { JWT_ALGORITHM: algorithm = 'HS256', JWT_SECRET_KEY: secret } = values;
  if (!isHmac(algorithm)) {
    if (values.KEY_ENCRYPTION_SECRET?.length === 0) {
      report(
        'KEY_ENCRYPTION_SECRET',
        `is required with ${algorithm}: the private keys are encrypted with it; ${SECRET_ADVICE}`,
      );
    }
  } else if (secret === undefined) {
    report('JWT_SECRET_KEY', REQUIRED_SECRET);
  } else {
    const bytes = { HS256: 0, HS384: 48, HS512: 64 }[algorithm]; // as many as the hash gives (RFC 7518, section 3.2)
    if (Buffer.byteLength(secret) < bytes) {
      report('JWT_SECRET_KEY', `needs ${bytes} bytes for ${algorithm}; ${SECRET_ADVICE}`);
    }
  }
  if (values.JWT_PROFILE === 'rfc9068' && values.JWT_AUDIENCE?.length === 0) {
    report('JWT_AUDIENCE', 'is required with JWT_PROFILE=rfc9068 (RFC 9068, section 2.2)');
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
  const https = url?.startsWith('https:') ?? cert !== undefined;
  if (values.TOKEN_COOKIE?.startsWith('__') && !https) {
    report('TOKEN_COOKIE', 'has a prefix that browsers take over https only');
  }
  if (values.SESSION_COOKIE_SAMESITE === 'none') {
    if (!https) {
      report(
        'SESSION_COOKIE_SAMESITE',
        'must not be none without https: browsers would not keep the cookie. Let PUBLIC_URL begin with https',
      );
    }
    if (values.CORS_ORIGINS?.length === 0) {
      report(
        'SESSION_COOKIE_SAMESITE',
        'must not be none without CORS_ORIGINS: list the origins of the single-page apps on other sites that it is for, or leave it at lax',
      );
    }
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
  if ((values.WORKERS ?? 1) > 1) {
    report(
      'BYPASS_AUTH',
      'must not be true with WORKERS above 1: a process that sees a proxy in front ends the bypass for itself alone',
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
