import { availableParallelism } from 'node:os';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'dotenv';
import * as fc from 'fast-check';
import { loadSettings, type Settings } from '../../config/settings.ts';
import { secretProblem } from '../../config/secrets.ts';
import { schema } from '../../config/settings-schema.ts';
import { SettingsError } from '../../core/errors.ts';
import { temporaryDirectory } from '../support/directory.ts';

type Environment = Record<string, string | undefined>;

const freshSecret = () => randomBytes(64).toString('hex');

const development: Environment = {
  NODE_ENV: 'development',
  SESSION_SECRET: freshSecret(),
  JWT_SECRET_KEY: freshSecret(),
};
const production: Environment = {
  SESSION_SECRET: freshSecret(),
  JWT_SECRET_KEY: freshSecret(),
  NODE_ENV: 'production',
  PUBLIC_URL: 'https://login.example.org',
  TRUST_PROXY: '10.0.0.5',
};

describe('the settings', () => {
  let empty: ReturnType<typeof temporaryDirectory>;
  before(() => (empty = temporaryDirectory()));
  after(() => empty[Symbol.dispose]());

  const load = (environment: Environment): Settings => loadSettings(environment, empty.path);

  function problems(environment: Environment, directory = empty.path): readonly string[] {
    try {
      loadSettings(environment, directory);
      return [];
    } catch (error) {
      if (error instanceof SettingsError) return error.problems;
      throw error;
    }
  }

  /** The only problem that there is when development gets these settings as well. */
  function problem(more: Environment): string {
    const [only = 'no problem', ...others] = problems({ ...development, ...more });
    expect(others).to.deep.equal([]);
    return only;
  }

  it('take a name and a colour for the pages, with or without what makes a comment in a file', () => {
    for (const colour of ['0A7D6C', '#0a7d6c'])
      expect(load({ ...development, BRAND_COLOR: colour }).brand.color).to.equal('#0a7d6c');
    expect(load({ ...development, BRAND_COLOR: '#fA0' }).brand.color).to.equal('#ffaa00');
    expect(load({ ...development, BRAND_NAME: 'Größe 🎟️' }).brand.name).to.equal('Größe 🎟️');
  });

  describe('by default', () => {
    it('are those that the documentation lists', () => {
      expect(load(development)).to.deep.equal({
        mode: 'development',
        host: '127.0.0.1',
        port: 3000,
        publicUrl: 'http://localhost:3000',
        sessionSecrets: [development['SESSION_SECRET']],
        jwt: {
          algorithm: 'HS256',
          secret: development['JWT_SECRET_KEY'],
          previousSecrets: [],
          expiresIn: 6 * 3600,
          issuer: 'http://localhost:3000',
          audiences: [],
          claims: ['id', 'username', 'name', 'email', 'roles'],
          profile: 'jwt',
        },
        keys: { encryptionSecrets: [], rotationInterval: 90 * 24 * 3600, publicationPeriod: 1260 },
        session: { idleTimeout: 24 * 3600, lifetime: 7 * 24 * 3600, sameSite: 'lax' },
        tokenCookie: undefined,
        bypass: false,
        registration: 'closed',
        brand: { name: 'Coatcheck', logoFile: undefined, color: undefined },
        inspector: true,
        databaseUrl: 'sqlite:data/coatcheck.db',
        sessionStore: undefined,
        corsOrigins: [],
        trustProxy: [],
        auditRetention: 400 * 86_400,
        tls: undefined,
        workers: 1,
        logLevel: 'info',
      });
    });

    it('take the port into the public URL, and the public URL for the issuer', () => {
      const { publicUrl, jwt } = load({ ...development, PORT: '8080' });
      expect([publicUrl, jwt.issuer]).to.deep.equal(Array(2).fill('http://localhost:8080'));
    });

    it('count an empty value as not set', () => {
      const blank = Object.fromEntries(Object.keys(schema).map((name) => [name, '  ']));
      expect(load({ ...blank, ...development })).to.deep.equal(load(development));
    });

    it('mean production when nothing says what this is', () => {
      const { NODE_ENV: _, ...rest } = production;
      expect(load(rest).mode).to.equal('production');
      expect(load({ ...rest, NODE_ENV: '' }).mode).to.equal('production');
    });

    it('cannot be changed once they are read, on any level', () => {
      const walk = (value: unknown): void => {
        if (typeof value !== 'object' || value === null) return;
        expect(value).to.be.frozen;
        for (const inner of Object.values(value)) walk(inner);
      };
      walk(
        load({
          ...production,
          CORS_ORIGINS: 'https://app.example.org',
          TLS_CERT_FILE: 'a',
          TLS_KEY_FILE: 'b',
        }),
      );
    });
  });

  describe('as given', () => {
    it('are read in their own form: numbers, seconds, lists', () => {
      const settings = load({
        ...production,
        PORT: '0',
        PUBLIC_URL: 'https://login.example.org/',
        JWT_ALGORITHM: 'HS512',
        JWT_EXPIRES_IN: '15m',
        JWT_ISSUER: 'https://issuer.example.org/path',
        JWT_AUDIENCE: 'orders, billing',
        JWT_CLAIMS: 'id,roles',
        SESSION_IDLE_TIMEOUT: '90m',
        SESSION_LIFETIME: '30d',
        SESSION_COOKIE_SAMESITE: 'none',
        TOKEN_COOKIE: '__Host-token',
        REGISTRATION: 'open',
        DATABASE_URL: 'sqlite:/var/lib/coatcheck/users.db',
        CORS_ORIGINS: 'https://app.example.org, http://localhost:5173',
        TRUST_PROXY: '10.0.0.0/8, ::1, fd00::/8',
        TLS_CERT_FILE: 'cert.pem',
        TLS_KEY_FILE: 'key.pem',
        AUDIT_RETENTION: '30d',
        WORKERS: '64',
        LOG_LEVEL: 'silent',
      });
      expect(settings).to.deep.include({
        port: 0,
        publicUrl: 'https://login.example.org',
        session: { idleTimeout: 5400, lifetime: 30 * 86_400, sameSite: 'none' },
        tokenCookie: '__Host-token',
        registration: 'open',
        databaseUrl: 'sqlite:/var/lib/coatcheck/users.db',
        corsOrigins: ['https://app.example.org', 'http://localhost:5173'],
        trustProxy: ['10.0.0.0/8', '::1', 'fd00::/8'],
        tls: { certFile: 'cert.pem', keyFile: 'key.pem' },
        auditRetention: 30 * 86_400,
        workers: 64,
        logLevel: 'silent',
      });
      expect(settings.jwt).to.deep.include({
        algorithm: 'HS512',
        expiresIn: 900,
        issuer: 'https://issuer.example.org/path',
        audiences: ['orders', 'billing'],
        claims: ['id', 'roles'],
      });
    });

    it('take one worker a core for auto', () => {
      const { workers } = load({ ...development, WORKERS: 'auto' });
      expect(workers).to.equal(Math.min(availableParallelism(), 64));
    });

    it('keep the order of secrets: the first one signs', () => {
      const secrets = [freshSecret(), freshSecret(), freshSecret()];
      const settings = load({ ...development, SESSION_SECRET: secrets.join(' , ') });
      expect(settings.sessionSecrets).to.deep.equal(secrets);
    });

    it('write an origin as browsers do, in whatever case it was given', () => {
      const settings = load({
        ...production,
        PUBLIC_URL: 'HTTPS://Login.Example.org',
        CORS_ORIGINS: 'https://App.Example.org',
      });
      expect(settings.publicUrl).to.equal('https://login.example.org');
      expect(settings.corsOrigins).to.deep.equal(['https://app.example.org']);
    });
  });

  describe('that are wrong', () => {
    const bad: Record<string, readonly string[]> = {
      NODE_ENV: ['prod', 'Production', 'staging', 'true'],
      PORT: ['http', '65536', '-1', '3000.5', '0x50', '100000'],
      PUBLIC_URL: [
        'login.example.org',
        'localhost:3000',
        'http://localhost:3000/auth',
        'http://localhost:3000?x',
        'http://me:pw@localhost:3000',
        'ftp://localhost',
        'http://login.example.org',
        'HTTP://login.example.org',
        'https://login.example.org',
      ],
      SESSION_SECRET: ['short', `${freshSecret()},`, `,${freshSecret()}`, 'a'.repeat(64)],
      JWT_SECRET_KEY: ['short', 'ab'.repeat(32)],
      JWT_SECRET_KEY_PREVIOUS: ['short', `${freshSecret()},,${freshSecret()}`],
      JWT_ALGORITHM: ['none', 'hs256', 'HS1', 'HS256,HS512'],
      JWT_PROFILE: ['JWT', 'at+jwt', 'RFC9068'],
      KEY_ENCRYPTION_SECRET: ['short', `${freshSecret()},`, 'ab'.repeat(32)],
      KEY_ROTATION_INTERVAL: ['90', '23h', 'never', '0d'],
      KEY_PUBLICATION_PERIOD: ['21', '10m', '659s', '25h', '0s'],
      JWT_EXPIRES_IN: [
        '21600',
        '6',
        '6 h',
        '6H',
        '0h',
        '-6h',
        '1.5h',
        '25h',
        '1441m',
        '6hours',
        '1w',
      ],
      JWT_AUDIENCE: ['orders,,billing', 'orders,'],
      JWT_CLAIMS: ['id,password_hash', 'everything', 'ID', 'id,'],
      SESSION_IDLE_TIMEOUT: ['86400', '6h', '1m', 'never'],
      SESSION_LIFETIME: ['604800', '366d', '23h', 'for ever'],
      SESSION_COOKIE_SAMESITE: ['None', 'strict', 'off', 'true'],
      TOKEN_COOKIE: ['a b', 'a;b', 'a=b', 'é', 'x'.repeat(65), 'session', '__Host-session'],
      BYPASS_AUTH: ['yes', '1', 'TRUE', 'on'],
      REGISTRATION: ['yes', 'Open', 'true'],
      BRAND_NAME: ['x'.repeat(41), 'a\u202Eb', 'a\nb'],
      BRAND_COLOR: ['red', '#12', '#1234', '0x112233', '#gggggg', '#fff;}', 'rgb(1,2,3)'],
      INSPECTOR: ['true', 'ON', 'yes', '1'],
      DATABASE_URL: ['data/coatcheck.db', 'sqlite:', 'sqlite::memory:', 'mysql://localhost/users'],
      SESSION_STORE_URL: [
        'localhost:6379',
        'http://localhost',
        'redis:localhost',
        'redis://',
        'redis://:6379',
        'redis://host:0',
        'redis://host:65536',
        'redis://host:port',
        'redis://host/one',
        'redis://host/-1',
        'redis://host/0/1',
        'redis://user@host',
        'redis://:a/b@host',
        'redis://:a#b@host',
        'redis://:a?b@host',
        'redis://:%@host',
        'redis://a b',
        'redis://host?db=1',
        'redis://host?prefix=',
        'redis://host?prefix=a*',
        'redis://host?prefix=a&prefix=b',
        'redis://host#x',
      ],
      CORS_ORIGINS: [
        '*',
        'null',
        'https://app.example.org/',
        'app.example.org',
        'https://a.example,',
      ],
      TRUST_PROXY: [
        'true',
        '1',
        'loopback',
        '10.0.0.0/33',
        '::/129',
        '0.0.0.0/0',
        '10.0.0.5,',
        '10.0/8',
      ],
      TLS_CERT_FILE: ['cert.pem'],
      TLS_KEY_FILE: ['key.pem'],
      AUDIT_RETENTION: ['400', '29d', '3651d', 'for ever'],
      WORKERS: ['0', '-1', '65', '1.5', '02', '1e1', '0x4', 'two', 'AUTO'],
      LOG_LEVEL: ['verbose', 'INFO'],
    };
    /** Where any text is right: names of hosts, of issuers, and of a file that is looked at later. */
    const free = ['HOST', 'JWT_ISSUER', 'BRAND_LOGO_FILE'];

    it('have an example here for every setting that can be wrong', () => {
      expect([...Object.keys(bad), ...free].toSorted()).to.deep.equal(
        Object.keys(schema).toSorted(),
      );
    });

    for (const [name, values] of Object.entries(bad)) {
      it(`are told by name and with what to do: ${name}`, () => {
        const blamed =
          name === 'TLS_CERT_FILE'
            ? 'TLS_KEY_FILE'
            : name === 'TLS_KEY_FILE'
              ? 'TLS_CERT_FILE'
              : name;
        for (const value of values) {
          const lines = problems({ ...development, [name]: value });
          expect(lines, value).to.satisfy((all: string[]) =>
            all.some((line) => line.startsWith(`${blamed} `)),
          );
          expect(lines.join('\n'), value).to.match(
            /must|make one|remove|go together|may be|set TLS_CERT_FILE/,
          );
        }
      });
    }

    it('are told all at once', () => {
      const wrong = Object.fromEntries(Object.entries(bad).map(([name, [first]]) => [name, first]));
      const named = new Set(problems(wrong).map((line) => line.split(' ')[0]));
      const independent = Object.keys(bad).filter((name) => !name.startsWith('TLS_'));
      expect([...named]).to.include.members(independent);
    });

    it('do not hide what is wrong between others', () => {
      const lines = problems({
        ...production,
        LOG_LEVEL: 'loud',
        BYPASS_AUTH: 'true',
        TLS_CERT_FILE: 'a',
      });
      expect(lines.map((line) => line.split(' ')[0])).to.include.members([
        'LOG_LEVEL',
        'BYPASS_AUTH',
        'TLS_KEY_FILE',
      ]);
    });

    it('are not told twice', () => {
      const lines = problems({ ...development, SESSION_SECRET: 'short,tiny,small' });
      expect(new Set(lines).size).to.equal(lines.length);
    });

    it('say that secrets are required, and how to make one', () => {
      const lines = problems({ NODE_ENV: 'development' });
      expect(lines).to.have.length(2);
      for (const [index, name] of ['SESSION_SECRET', 'JWT_SECRET_KEY'].entries()) {
        expect(lines[index]).to.match(new RegExp(`^${name} is required: make one with: node -p`));
      }
    });

    it('are one readable text', () => {
      const lines = problems({ NODE_ENV: 'development' });
      expect(new SettingsError(lines).message).to.equal(
        `The settings cannot be used:\n${lines.map((line) => `  - ${line}`).join('\n')}`,
      );
    });
  });

  describe('for lifetimes', () => {
    it('refuse a number without a unit, which one reader takes for seconds and the next for milliseconds', () => {
      for (const name of ['JWT_EXPIRES_IN', 'SESSION_IDLE_TIMEOUT', 'SESSION_LIFETIME']) {
        expect(problems({ ...development, [name]: '21600' }).join()).to.equal(
          `${name} must be a whole number with a unit: 90s, 15m, 6h or 7d`,
        );
      }
    });

    it('let a token last from 1 second to 24 hours', () => {
      const idle = { SESSION_IDLE_TIMEOUT: '2d' };
      expect(load({ ...development, ...idle, JWT_EXPIRES_IN: '1s' }).jwt.expiresIn).to.equal(1);
      expect(load({ ...development, ...idle, JWT_EXPIRES_IN: '24h' }).jwt.expiresIn).to.equal(
        86_400,
      );
      expect(problem({ ...idle, JWT_EXPIRES_IN: '86401s' })).to.equal(
        'JWT_EXPIRES_IN must be at most 24h',
      );
    });

    it('want the idle timeout longer than a token and not longer than the session', () => {
      const idle = (text: string) => problems({ ...development, SESSION_IDLE_TIMEOUT: text });
      expect(idle('6h').join()).to.match(
        /^SESSION_IDLE_TIMEOUT must be longer than JWT_EXPIRES_IN/,
      );
      expect(idle('21601s')).to.deep.equal([]);
      expect(idle('7d')).to.deep.equal([]);
      expect(idle('8d').join()).to.match(
        /^SESSION_LIFETIME must not be shorter than SESSION_IDLE_TIMEOUT/,
      );
    });
  });

  it('want https for the origins of apps in production, localhost aside', () => {
    const origins = (CORS_ORIGINS: string) => problems({ ...production, CORS_ORIGINS });
    expect(origins('https://app.example.org,http://localhost:5173')).to.deep.equal([]);
    expect(origins('http://app.example.org').join()).to.match(
      /^CORS_ORIGINS has http:.* use https/,
    );
  });

  it('want https and the apps it is for, before the session cookie goes along from other sites', () => {
    const none = { SESSION_COOKIE_SAMESITE: 'none' };
    const apps = { CORS_ORIGINS: 'https://app.example.net' };
    expect(problems({ ...production, ...none, ...apps })).to.deep.equal([]);
    expect(problems({ ...production, ...none }).join()).to.match(
      /^SESSION_COOKIE_SAMESITE must not be none without CORS_ORIGINS/,
    );
    expect(problem({ ...none, ...apps })).to.match(
      /^SESSION_COOKIE_SAMESITE must not be none without https/,
    );
    const tls = { TLS_CERT_FILE: 'cert.pem', TLS_KEY_FILE: 'key.pem' };
    expect(problems({ ...development, ...none, ...apps, ...tls })).to.deep.equal([]);
  });

  describe('for key pairs', () => {
    const ES256 = { ...development, JWT_ALGORITHM: 'ES256', JWT_SECRET_KEY: undefined };

    it('want a secret that encrypts them, and no shared one', () => {
      expect(problems(ES256).join()).to.match(/^KEY_ENCRYPTION_SECRET is required with ES256/);
      for (const JWT_ALGORITHM of ['ES256', 'ES384', 'RS256', 'PS256']) {
        const secret = { KEY_ENCRYPTION_SECRET: freshSecret() };
        expect(problems({ ...ES256, ...secret, JWT_ALGORITHM }), JWT_ALGORITHM).to.deep.equal([]);
      }
    });

    it('refuse a secret that has another purpose as well', () => {
      const shared = freshSecret();
      const lines = problems({ ...ES256, SESSION_SECRET: shared, KEY_ENCRYPTION_SECRET: shared });
      expect(lines.join()).to.match(/^KEY_ENCRYPTION_SECRET has the same secret as SESSION_SECRET/);
    });

    it('are no reason to go without the shared secret where the algorithm is of that kind', () => {
      for (const JWT_ALGORITHM of ['HS256', 'HS384', 'HS512']) {
        const settings = { ...development, JWT_SECRET_KEY: undefined, JWT_ALGORITHM };
        expect(problems(settings).join()).to.match(/^JWT_SECRET_KEY is required/);
      }
    });
  });

  it('want an audience for access tokens of RFC 9068', () => {
    const rfc9068 = { ...development, JWT_PROFILE: 'rfc9068' };
    expect(problems(rfc9068).join()).to.match(/^JWT_AUDIENCE is required with JWT_PROFILE=rfc9068/);
    expect(problems({ ...rfc9068, JWT_AUDIENCE: 'orders' })).to.deep.equal([]);
  });

  describe('security 8: for secrets', () => {
    const names = [
      'SESSION_SECRET',
      'JWT_SECRET_KEY',
      'JWT_SECRET_KEY_PREVIOUS',
      'KEY_ENCRYPTION_SECRET',
    ] as const;

    function refused(secret: string, reason: RegExp): void {
      for (const name of names) {
        const line = problem({ [name]: secret });
        expect(line).to.match(new RegExp(`^${name} `));
        expect(line).to.match(reason);
        expect(line).to.match(/make one with: node -p/);
      }
    }

    it('of the tests are for a loopback address alone', () => {
      const tests = { NODE_ENV: 'test', BYPASS_AUTH: 'false' };
      expect(problems(tests, process.cwd())).to.deep.equal([]);
      expect(problems({ ...tests, HOST: '0.0.0.0' }, process.cwd()).join('\n')).to.match(
        /SESSION_SECRET is the one of \.env\.test.*\nJWT_SECRET_KEY is the one of \.env\.test/,
      );
    });

    it('want as many bytes as the hash of the algorithm gives', () => {
      const JWT_SECRET_KEY = 'h7K!q2mZ9$wXv4Tn8@bRc5Yd1^gLp6Ws';
      expect(problem({ JWT_SECRET_KEY, JWT_ALGORITHM: 'HS384' })).to.include('48 bytes for HS384');
      expect(problem({ JWT_SECRET_KEY, JWT_ALGORITHM: 'HS512' })).to.include('64 bytes for HS512');
      expect(problems({ ...development, JWT_SECRET_KEY })).to.deep.equal([]);
    });

    it('want 32 bytes, not characters', () => {
      refused('0123456789abcdefghijklmnopqrstu', /too short: at least 32 bytes/);
      expect(
        problems({ ...development, SESSION_SECRET: 'h7K!q2mZ9$wXv4Tn8@bRc5Yd1^gLp6Ws' }),
      ).to.deep.equal([]);
      expect(problems({ ...development, SESSION_SECRET: 'é1ü2ö3ä4ñ5ç6å7ø8æ9ß0þ' })).to.deep.equal(
        [],
      );
    });

    it('refuse a pattern that repeats, also one that is cut off', () => {
      refused('a'.repeat(64), /repeats itself/);
      refused('ab'.repeat(40), /repeats itself/);
      refused('0123456789ab'.repeat(4), /repeats itself/);
      refused(`${'0123456789ab'.repeat(4)}0123`, /repeats itself/);
      refused('correct-horse'.repeat(3), /repeats itself/);
    });

    it('refuse a long text of few different characters', () => {
      refused('aabbccddeeffaabbddccffeeabcdefabcdeffedcba', /repeats itself/);
    });

    it('security 8: refuse a key, also a damaged one: whoever knows its public half could sign', () => {
      for (const { publicKey } of [
        generateKeyPairSync('ec', { namedCurve: 'P-256' }),
        generateKeyPairSync('rsa', { modulusLength: 2048 }),
      ]) {
        const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString().trim();
        const jwk = JSON.stringify(publicKey.export({ format: 'jwk' }));
        const body = pem.replaceAll(/-----.*?-----|\n/g, '');
        for (const text of [
          pem,
          ` ${pem}`,
          `"${pem}"`,
          pem.replaceAll('\n', String.raw`\n`),
          pem.slice(0, 90),
          pem.slice(20),
          body,
          jwk,
          jwk.replaceAll('"', "'"),
          jwk.replaceAll('"', String.raw`\"`),
          Buffer.from(jwk).toString('base64'),
        ]) {
          for (const name of ['JWT_SECRET_KEY', 'SESSION_SECRET', 'KEY_ENCRYPTION_SECRET']) {
            const lines = problems({ ...development, [name]: text }).join();
            if (!text.includes(',') || name === 'JWT_SECRET_KEY') {
              expect(lines, text).to.match(new RegExp(`${name} is a key`));
            } else expect(lines, text).to.match(new RegExp(`^${name} `));
          }
        }
      }
      const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      const pkcs1 = publicKey.export({ format: 'der', type: 'pkcs1' }).toString('base64');
      expect(problem({ JWT_SECRET_KEY: pkcs1 })).to.match(/^JWT_SECRET_KEY is a key/);
    });

    it('take every random secret, in hex or in base64', () => {
      fc.assert(
        fc.property(fc.uint8Array({ minLength: 48, maxLength: 64 }), (bytes) => {
          const random = Buffer.concat([randomBytes(32), bytes]);
          for (const encoding of ['hex', 'base64', 'base64url'] as const) {
            expect(secretProblem(random.toString(encoding), false)).to.equal(undefined);
          }
        }),
      );
    });

    it('refuse those of the tutorials, padded or not', () => {
      const known = '46a5fdfe16fa710867102d1f0dbd2329f2eae69be3ed56ca084d9e0ad';
      refused(known, /everybody knows/);
      refused(`${known}....`, /everybody knows/);
      refused(`'${known}0123456789'`, /everybody knows/);
      refused(known.toUpperCase(), /everybody knows/);
      refused(known.slice(0, 40), /everybody knows/);
      refused('asupersecretkey-0123456789-qwertz-zxcv', /everybody knows/);
      refused('0123456789-qwertz-zxcv-ASuperSecretKey', /everybody knows/);
    });

    it('refuse those of .env.example', () => {
      const example = parse(readFileSync('.env.example'));
      for (const name of ['SESSION_SECRET', 'JWT_SECRET_KEY', 'KEY_ENCRYPTION_SECRET']) {
        refused(example[name] ?? '', /everybody knows/);
      }
    });

    it('refuse those of .env.test outside tests, and take them in tests', () => {
      const settings = loadSettings({ NODE_ENV: 'test' });
      refused(settings.jwt.secret ?? '', /\.env\.test/);
      for (const secret of settings.sessionSecrets) refused(secret, /\.env\.test/);
    });

    it('refuse one secret for two purposes', () => {
      const shared = freshSecret();
      const lines = problems({ ...development, SESSION_SECRET: shared, JWT_SECRET_KEY: shared });
      expect(lines.join()).to.match(/^JWT_SECRET_KEY has the same secret as SESSION_SECRET/);
      const other = problems({
        ...development,
        SESSION_SECRET: `${freshSecret()},${shared}`,
        JWT_SECRET_KEY_PREVIOUS: shared,
      });
      expect(other.join()).to.match(
        /^JWT_SECRET_KEY_PREVIOUS has the same secret as SESSION_SECRET/,
      );
    });

    it('refuse a secret that is in a list twice, or is its own predecessor', () => {
      const twice = freshSecret();
      expect(problem({ SESSION_SECRET: `${twice},${freshSecret()},${twice}` })).to.match(
        /^SESSION_SECRET has the same secret as another entry of it/,
      );
      expect(problem({ JWT_SECRET_KEY: twice, JWT_SECRET_KEY_PREVIOUS: twice })).to.match(
        /^JWT_SECRET_KEY_PREVIOUS has the same secret as JWT_SECRET_KEY/,
      );
    });

    it('refuse an empty entry', () => {
      const good = freshSecret();
      for (const text of [',', `${good},`, `,${good}`, `${good}, ,${freshSecret()}`]) {
        expect(problem({ SESSION_SECRET: text })).to.match(/empty entry: remove the comma/);
      }
    });

    it('never appear in a message, whatever is wrong with them and wherever they were put', () => {
      const piece = fc.string({
        unit: fc.constantFrom(...'ghjkqvwxyzGHJKQVWXYZ+/=!$'.split('')),
        minLength: 8,
        maxLength: 40,
      });
      const spoilt = (secret: string) =>
        fc.constantFrom(
          secret,
          `${secret},`,
          `${secret},${secret}`,
          secret.repeat(5),
          `asupersecretkey${secret}`,
        );
      const names_ = fc.uniqueArray(fc.constantFrom(...Object.keys(schema)), { minLength: 1 });
      fc.assert(
        fc.property(
          piece.chain((secret) => fc.tuple(fc.constant(secret), spoilt(secret))),
          names_,
          fc.constantFrom('development', 'production', 'test', 'other'),
          ([secret, value], wrong, mode) => {
            const environment: Environment = { ...development, NODE_ENV: mode };
            for (const name of [...wrong, ...names]) environment[name] = value;
            const lines = problems(environment);
            expect(lines).not.to.deep.equal([]);
            expect(new SettingsError(lines).message).not.to.include(secret);
          },
        ),
      );
    });
  });

  describe('in production', () => {
    it('need a public URL', () => {
      expect(problems({ ...production, PUBLIC_URL: undefined }).join()).to.match(
        /^PUBLIC_URL is required in production/,
      );
    });

    it('need https, on localhost too', () => {
      for (const PUBLIC_URL of ['http://login.example.org', 'http://localhost:3000']) {
        expect(problems({ ...production, PUBLIC_URL }).join()).to.match(
          /^PUBLIC_URL must begin with https in production/,
        );
      }
    });

    it('security 17: need something that serves https: a proxy or certificate and key', () => {
      const tls = { TLS_CERT_FILE: 'cert.pem', TLS_KEY_FILE: 'key.pem' };
      expect(problems(production)).to.deep.equal([]);
      expect(problems({ ...production, TRUST_PROXY: undefined, ...tls })).to.deep.equal([]);
      expect(problems({ ...production, TRUST_PROXY: undefined }).join()).to.match(
        /^PUBLIC_URL says https, but nothing here serves it.*TRUST_PROXY.*TLS_CERT_FILE and TLS_KEY_FILE/,
      );
    });

    it('security 2: refuse the bypass, naming both settings', () => {
      const lines = problems({ ...production, BYPASS_AUTH: 'true' });
      expect(lines.join('\n')).to.match(/^BYPASS_AUTH must not be true with NODE_ENV=production/);
    });
  });

  describe('for the bypass', () => {
    const choices = {
      NODE_ENV: [undefined, '', 'development', 'test', 'production', 'Development'],
      BYPASS_AUTH: [undefined, 'true', ' true ', 'TRUE'],
      HOST: [
        undefined,
        '127.0.0.1',
        '127.8.9.10',
        '::1',
        'localhost',
        '0.0.0.0',
        '::',
        '192.168.1.5',
        '127.0.0.1.example.org',
      ],
      PUBLIC_URL: [
        undefined,
        'http://localhost:3000',
        'http://[::1]:3000',
        'https://localhost',
        'https://login.example.org',
        'http://localhost.example.org',
      ],
      TRUST_PROXY: [undefined, '127.0.0.1', '10.0.0.0/8'],
      WORKERS: [undefined, '2'],
    };
    const loopback = [undefined, '127.0.0.1', '127.8.9.10', '::1', 'localhost'];
    const local = [undefined, 'http://localhost:3000', 'http://[::1]:3000', 'https://localhost'];

    function combinations(): Environment[] {
      let all: Environment[] = [{}];
      for (const [name, values] of Object.entries(choices)) {
        all = all.flatMap((environment) =>
          values.map((value) => ({ ...environment, [name]: value })),
        );
      }
      return all;
    }

    it('security 2: hold every condition of the guard in every combination', function () {
      this.timeout(120_000);
      let on = 0;
      for (const environment of combinations()) {
        const { NODE_ENV: mode, HOST: host, PUBLIC_URL: url, TRUST_PROXY: proxy } = environment;
        const wanted = environment['BYPASS_AUTH']?.trim() === 'true';
        const safe =
          (mode === 'development' || mode === 'test') &&
          loopback.includes(host) &&
          local.includes(url) &&
          proxy === undefined &&
          environment['WORKERS'] === undefined;
        const text = JSON.stringify(environment);
        const lines = problems({
          SESSION_SECRET: development['SESSION_SECRET'],
          JWT_SECRET_KEY: development['JWT_SECRET_KEY'],
          ...environment,
        });
        const bypass =
          lines.length === 0 &&
          load({ ...development, NODE_ENV: undefined, ...environment }).bypass;
        if (bypass) on += 1;
        expect(bypass && !(wanted && safe), text).to.be.false;
        if (wanted && safe && !url?.startsWith('https:')) expect(bypass, text).to.be.true;
        if (wanted && !safe && mode !== 'Development')
          expect(lines.join('\n'), text).to.include('BYPASS_AUTH');
      }
      expect(on).to.be.greaterThan(0);
    });
  });

  describe('from files', () => {
    /** A directory with these files, and the settings read there. */
    function loadWith(files: Record<string, Environment>, environment: Environment): Settings {
      using directory = temporaryDirectory();
      for (const [name, values] of Object.entries(files)) {
        const lines = Object.entries(values).map(([key, value]) => `${key}=${value ?? ''}\n`);
        writeFileSync(join(directory.path, name), lines.join(''));
      }
      return loadSettings(environment, directory.path);
    }

    it('come from the environment first, then from .env, then by default', () => {
      const settings = loadWith(
        { '.env': { ...development, PORT: '4000', LOG_LEVEL: 'debug' } },
        { PORT: '5000' },
      );
      expect([settings.port, settings.logLevel, settings.host]).to.deep.equal([
        5000,
        'debug',
        '127.0.0.1',
      ]);
      expect(settings.mode).to.equal('development');
    });

    it('say so when a colour was meant and dotenv reads a comment', () => {
      const colour = (value: string) => () =>
        loadWith({ '.env': { ...development, BRAND_COLOR: value } }, {}).brand.color;
      expect(colour('#2546a3')).to.throw(
        SettingsError,
        'BRAND_COLOR must be written without the #',
      );
      expect(colour('"#2546a3"')()).to.equal('#2546a3');
      expect(colour('2546a3')()).to.equal('#2546a3');
      expect(colour(' # none yet')()).to.equal(undefined);
    });

    it('come from .env.test alone with NODE_ENV=test', () => {
      const files = {
        '.env': { ...development, PORT: '4000', HOST: '::1' },
        '.env.test': { ...development, NODE_ENV: 'test', PORT: '4001' },
      };
      const settings = loadWith(files, { NODE_ENV: 'test' });
      expect([settings.mode, settings.port, settings.host]).to.deep.equal([
        'test',
        4001,
        '127.0.0.1',
      ]);
    });

    it('come never from .env.test without NODE_ENV=test', () => {
      const files = { '.env.test': { ...development, BYPASS_AUTH: 'true', PORT: '4001' } };
      expect(loadWith(files, production).port).to.equal(3000);
      expect(loadWith({ ...files, '.env': development }, {}).port).to.equal(3000);
    });

    it('stay production where the environment says so, whatever the file says', () => {
      const file = {
        ...development,
        BYPASS_AUTH: 'false',
        PUBLIC_URL: 'https://login.example.org',
        TRUST_PROXY: '10.0.0.5',
      };
      expect(loadWith({ '.env': file }, { NODE_ENV: 'production' }).mode).to.equal('production');
      expect(() =>
        loadWith({ '.env': { ...file, BYPASS_AUTH: 'true' } }, { NODE_ENV: 'production' }),
      ).to.throw(SettingsError, 'BYPASS_AUTH must not be true with NODE_ENV=production');
    });

    it('leave the environment of the process as it is', () => {
      const before_ = { ...process.env };
      loadWith({ '.env': { ...development, COATCHECK_STRAY: 'x' } }, {});
      expect({ ...process.env }).to.deep.equal(before_);
    });

    it('of the repository make the tests run', () => {
      const { mode, bypass } = loadSettings({ NODE_ENV: 'test' });
      expect([mode, bypass]).to.deep.equal(['test', true]);
    });
  });
});
