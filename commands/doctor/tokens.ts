import { SECRET_ADVICE } from '../../config/secrets.ts';
import type { Settings } from '../../config/settings.ts';
import { durationInWords } from '../../core/durations.ts';
import { isHmac } from '../../tokens/algorithms.ts';
import { type Finding, note, orFine, wrong } from './finding.ts';
import type { Setup } from './setup.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;

/** Whether the algorithm fits the number of those who verify. */
export function algorithm({ settings }: Setup): readonly Finding[] {
  const { jwt, mode } = settings;
  const asymmetric = `JWT_ALGORITHM=ES256${settings.keys.encryptionSecrets.length > 0 ? '' : `\nKEY_ENCRYPTION_SECRET=<a new one>; ${SECRET_ADVICE}`}`;
  const findings: Finding[] = [];
  if (isHmac(jwt.algorithm) && jwt.audiences.length > 1) {
    findings.push(
      wrong({
        what: `${jwt.algorithm} shares one secret among ${jwt.audiences.length} audiences.`,
        why: 'Who verifies with JWT_SECRET_KEY can sign as well: one API that is broken into makes tokens for all the others.',
        asvs: '11.1.1',
        change: asymmetric,
      }),
    );
  } else if (isHmac(jwt.algorithm) && mode === 'production') {
    findings.push(
      note({
        what: `${jwt.algorithm} signs with a secret that the API needs too.`,
        why: 'An API that is broken into can make tokens for anybody; with key pairs it could only read them.',
        asvs: '11.1.1',
        change: asymmetric,
      }),
    );
  }
  if (jwt.algorithm === 'RS256') {
    findings.push(
      note({
        what: 'RS256 pads in a way that is on its way out (RSASSA-PKCS1-v1_5).',
        why: 'Appendix C of ASVS no longer approves of it for signatures.',
        asvs: '11.6.1',
        change: 'JWT_ALGORITHM=PS256',
      }),
    );
  }
  return orFine(findings, `${jwt.algorithm}, for ${audiencesInWords(settings)}.`);
}

/** Whether a token says which API it is for, and who made it. */
export function audience({ settings }: Setup): readonly Finding[] {
  const { jwt, publicUrl } = settings;
  const findings: Finding[] = [];
  if (jwt.audiences.length === 0) {
    findings.push(
      note({
        what: 'Tokens name no audience.',
        why: 'A token that was meant for one API opens every other one that trusts this issuer.',
        asvs: '9.2.3',
        change: 'JWT_AUDIENCE=https://api.example.org',
      }),
    );
  }
  if (jwt.audiences.length > 1) {
    findings.push(
      note({
        what: `A token names all ${jwt.audiences.length} audiences, unless the app asks for one.`,
        why: 'An API that is handed a token can use it at the others.',
        asvs: '9.2.4',
        change: `GET /auth/token?audience=${encodeURIComponent(jwt.audiences[0] ?? '')}`,
      }),
    );
  }
  if (!isHmac(jwt.algorithm) && jwt.issuer !== publicUrl) {
    findings.push(
      note({
        what: 'JWT_ISSUER is another address than PUBLIC_URL.',
        why: 'APIs with discovery look for the keys at the address of the issuer, and demand that it names itself there (RFC 8414, section 3.3).',
        change: 'JWT_ISSUER=',
      }),
    );
  }
  return orFine(findings, `Tokens are for ${audiencesInWords(settings)}.`);
}

/** How long tokens, sessions and keys last, and how that goes together. */
export function lifetimes({ settings }: Setup): readonly Finding[] {
  const { jwt, session, keys } = settings;
  const findings = [
    ...(jwt.expiresIn > 6 * HOUR ? [longToken(jwt.expiresIn)] : []),
    ...(session.idleTimeout - jwt.expiresIn < 600 ? [shortIdle(jwt.expiresIn)] : []),
    ...idleLimits(session),
    ...(session.lifetime > 30 * DAY ? [longSession(session.lifetime)] : []),
    ...(!isHmac(jwt.algorithm) && keys.rotationInterval > 365 * DAY
      ? [seldomRotated(keys.rotationInterval)]
      : []),
  ];
  const [token, idle, whole] = [
    durationInWords(jwt.expiresIn),
    durationInWords(session.idleTimeout),
    durationInWords(session.lifetime),
  ];
  return orFine(findings, `Tokens last ${token}; a session ${idle} unused, ${whole} in all.`);
}

function longToken(seconds: number): Finding {
  return note({
    what: `A token lasts ${durationInWords(seconds)}.`,
    why: 'That long an API that does not look at the status list accepts the token of somebody who has logged out.',
    asvs: '7.4.1',
    change: 'JWT_EXPIRES_IN=6h',
  });
}

function shortIdle(token: number): Finding {
  return note({
    what: 'A session that is not used ends within ten minutes of the token that it was exchanged for.',
    why: 'An app that comes back for the next token a little late finds its user signed out.',
    change: `SESSION_IDLE_TIMEOUT=${Math.ceil((2 * token) / 60)}m`,
  });
}

function idleLimits({ idleTimeout, lifetime }: Settings['session']): Finding[] {
  if (idleTimeout < lifetime && idleTimeout <= 7 * DAY) return [];
  const what =
    idleTimeout < lifetime
      ? `A session that nobody uses stays open for ${durationInWords(idleTimeout)}.`
      : 'SESSION_IDLE_TIMEOUT is as long as SESSION_LIFETIME: no session ever ends because nobody uses it.';
  return [
    note({
      what,
      why: 'Whoever finds a browser that was left open, or its cookie, is signed in for as long.',
      asvs: '7.3.1',
      change: 'SESSION_IDLE_TIMEOUT=24h',
    }),
  ];
}

function longSession(lifetime: number): Finding {
  return note({
    what: `A session lasts up to ${durationInWords(lifetime)} without the password.`,
    why: 'NIST SP 800-63B wants it at least every 30 days.',
    asvs: '7.3.2',
    change: 'SESSION_LIFETIME=30d',
  });
}

function seldomRotated(seconds: number): Finding {
  return note({
    what: `A key signs for ${durationInWords(seconds)}.`,
    why: 'A key that has leaked unseen is good until it is replaced.',
    asvs: '13.3.4',
    change: 'KEY_ROTATION_INTERVAL=90d',
  });
}

function audiencesInWords({ jwt }: Settings): string {
  const { length } = jwt.audiences;
  if (length === 0) return 'no audience in particular';
  return length === 1 ? 'one audience' : `${length} audiences`;
}
