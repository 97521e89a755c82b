import { createHash, X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'dotenv';
import * as fc from 'fast-check';
import { lifetimeFindings, nameFindings } from '../../../commands/doctor/certificate.ts';
import { SETUP_CHECKS } from '../../../commands/doctor/checks.ts';
import { type Disk, diskFindings } from '../../../commands/doctor/disk.ts';
import { examine } from '../../../commands/doctor/examine.ts';
import { modesOf } from '../../../commands/doctor/files.ts';
import { secretStrength } from '../../../commands/doctor/secrets.ts';
import type { Setup } from '../../../commands/doctor/setup.ts';
import { loadSettings } from '../../../config/settings.ts';
import { DAY, HOUR, TestClock } from '../../support/clock.ts';
import { temporaryDirectory } from '../../support/directory.ts';
import { type Expected, expectFinding, findingsOf } from '../../support/findings.ts';
import { freshSecret } from '../../support/keys.ts';
import { makeCertificate } from '../../support/tls.ts';

const SECRET = freshSecret();
const OTHER = freshSecret();

const GOOD: Readonly<Record<string, string>> = {
  NODE_ENV: 'production',
  PUBLIC_URL: 'https://login.example.org',
  TRUST_PROXY: '127.0.0.1',
  SESSION_SECRET: SECRET,
  JWT_ALGORITHM: 'ES256',
  JWT_AUDIENCE: 'https://api.example.org',
  KEY_ENCRYPTION_SECRET: OTHER,
};

/** The rest of a set-up that differs from the good one in these settings. */
type Row = Expected & { readonly settings: Readonly<Record<string, string>> };

const HMAC = { JWT_ALGORITHM: 'HS256', JWT_SECRET_KEY: freshSecret() };
const TWO = 'https://a.example.org,https://b.example.org';
const ON_LOCALHOST = { NODE_ENV: 'development', PUBLIC_URL: '', TRUST_PROXY: '' };

const ROWS: readonly Row[] = [
  {
    check: 'secrets',
    settings: { SESSION_SECRET: '31415926535897932384626433832790' },
    verdict: 'wrong',
    what: /^SESSION_SECRET holds 106 bits at most, and 128 are needed\.$/,
    asvs: '11.5.1',
    change: 'SESSION_SECRET=',
  },
  {
    check: 'secrets',
    settings: { KEY_ENCRYPTION_SECRET: 'the gulls of our harbour stole seven umbrellas' },
    verdict: 'wrong',
    what: /^KEY_ENCRYPTION_SECRET looks like words, which hold 103 bits at most, and 128 are needed\.$/,
    asvs: '11.5.1',
    change: 'KEY_ENCRYPTION_SECRET=',
  },
  ...[
    'thisisaverysecretsentencethatnobodyknows',
    'THESEARELETTERSANDNODIGITSATALL!',
    'nobodyknowsthissecretsentence2024!',
    'MyCompanyProductionJwtSigningKey2024!',
    'MyCompanyProductionJwtSigningKeyNeverShared',
    'MY_COMPANY_PRODUCTION_SIGNING_KEY_2024',
    'unserehafenmöwenstehlensiebenschirme7',
    'Чайки нашей гавани украли 7 зонтиков',
  ].map((secret): Row => ({
    check: 'secrets',
    settings: { ...HMAC, JWT_SECRET_KEY: secret },
    verdict: 'wrong',
    what: /^JWT_SECRET_KEY looks like words/,
    asvs: '11.5.1',
    change: 'JWT_SECRET_KEY=',
  })),
  ...['abcdefghijklmnopqrstuvwxyz0123456789', '000102030405060708090a0b0c0d0e0f10111213'].map(
    (secret): Row => ({
      check: 'secrets',
      settings: { ...HMAC, JWT_SECRET_KEY: secret },
      verdict: 'wrong',
      what: /^JWT_SECRET_KEY counts up or down/,
      asvs: '11.5.1',
      change: 'JWT_SECRET_KEY=',
    }),
  ),
  {
    check: 'secret reuse',
    settings: { KEY_ENCRYPTION_SECRET: SECRET.slice(0, 64).toUpperCase() },
    verdict: 'wrong',
    what: /^KEY_ENCRYPTION_SECRET is, or is a part of, what stands in SESSION_SECRET\.$/,
    asvs: '11.1.1',
    change: 'KEY_ENCRYPTION_SECRET=',
  },
  {
    check: 'secret reuse',
    settings: { DATABASE_URL: `postgres://coatcheck:${SECRET}@localhost/coatcheck` },
    verdict: 'wrong',
    what: /^SESSION_SECRET .* in DATABASE_URL\.$/,
    asvs: '11.1.1',
  },
  {
    check: 'secret reuse',
    settings: { SESSION_STORE_URL: `redis://:${OTHER}@localhost` },
    verdict: 'wrong',
    what: /^KEY_ENCRYPTION_SECRET .* in SESSION_STORE_URL\.$/,
    asvs: '11.1.1',
  },
  {
    check: 'secret reuse',
    settings: { SESSION_SECRET: [freshSecret(), freshSecret(), freshSecret()].join() },
    verdict: 'note',
    what: /^SESSION_SECRET has 3 secrets/,
    asvs: '13.3.4',
  },
  {
    check: 'algorithm',
    settings: { ...HMAC, JWT_AUDIENCE: TWO, KEY_ENCRYPTION_SECRET: '' },
    verdict: 'wrong',
    what: /^HS256 shares one secret among 2 audiences\.$/,
    asvs: '11.1.1',
    change: 'JWT_ALGORITHM=ES256\nKEY_ENCRYPTION_SECRET=',
  },
  {
    check: 'algorithm',
    settings: HMAC,
    verdict: 'note',
    what: /^HS256 signs with a secret/,
    asvs: '11.1.1',
    change: 'JWT_ALGORITHM=ES256',
  },
  {
    check: 'algorithm',
    settings: { JWT_ALGORITHM: 'RS256' },
    verdict: 'note',
    what: /^RS256/,
    asvs: '11.6.1',
    change: 'JWT_ALGORITHM=PS256',
  },
  {
    check: 'audience',
    settings: { JWT_AUDIENCE: '' },
    verdict: 'note',
    what: /no audience/,
    asvs: '9.2.3',
    change: 'JWT_AUDIENCE=',
  },
  {
    check: 'audience',
    settings: { JWT_AUDIENCE: TWO },
    verdict: 'note',
    what: /all 2 audiences/,
    asvs: '9.2.4',
    change: '?audience=https%3A%2F%2Fa.example.org',
  },
  {
    check: 'audience',
    settings: { JWT_ISSUER: 'coatcheck' },
    verdict: 'note',
    what: /^JWT_ISSUER/,
    change: 'JWT_ISSUER=',
  },
  {
    check: 'lifetimes',
    settings: { JWT_EXPIRES_IN: '12h' },
    verdict: 'note',
    what: /^A token lasts 12 hours\.$/,
    asvs: '7.4.1',
    change: 'JWT_EXPIRES_IN=6h',
  },
  {
    check: 'lifetimes',
    settings: { SESSION_IDLE_TIMEOUT: '361m' },
    verdict: 'note',
    what: /within ten minutes/,
    change: 'SESSION_IDLE_TIMEOUT=720m',
  },
  {
    check: 'lifetimes',
    settings: { SESSION_IDLE_TIMEOUT: '7d', SESSION_LIFETIME: '7d' },
    verdict: 'note',
    what: /^SESSION_IDLE_TIMEOUT is as long as SESSION_LIFETIME/,
    asvs: '7.3.1',
    change: 'SESSION_IDLE_TIMEOUT=24h',
  },
  {
    check: 'lifetimes',
    settings: { SESSION_IDLE_TIMEOUT: '8d', SESSION_LIFETIME: '20d' },
    verdict: 'note',
    what: /stays open for 8 days/,
    asvs: '7.3.1',
  },
  {
    check: 'lifetimes',
    settings: { SESSION_LIFETIME: '31d' },
    verdict: 'note',
    what: /up to 31 days/,
    asvs: '7.3.2',
    change: 'SESSION_LIFETIME=30d',
  },
  {
    check: 'lifetimes',
    settings: { KEY_ROTATION_INTERVAL: '400d' },
    verdict: 'note',
    what: /^A key signs for 400 days/,
    asvs: '13.3.4',
    change: 'KEY_ROTATION_INTERVAL=90d',
  },
  {
    check: 'cookies',
    settings: { CORS_ORIGINS: 'https://ok.example.org,https://app.example.com' },
    verdict: 'wrong',
    what: /^https:\/\/app\.example\.com is another site/,
    asvs: '3.3.2',
    change:
      'SESSION_COOKIE_SAMESITE=none\nor, with the app there: CORS_ORIGINS=https://ok.example.org,https://app.example.org',
  },
  {
    check: 'cookies',
    settings: { ...ON_LOCALHOST, CORS_ORIGINS: 'http://app.test.localhost,http://127.0.0.1:5173' },
    verdict: 'wrong',
    what: /^http:\/\/127\.0\.0\.1:5173 is another site than PUBLIC_URL, http:\/\/localhost:3000/,
    asvs: '3.3.2',
    change: 'CORS_ORIGINS=http://app.test.localhost,http://localhost:5173',
  },
  {
    check: 'cookies',
    settings: { SESSION_COOKIE_SAMESITE: 'none', CORS_ORIGINS: 'https://app.example.org' },
    verdict: 'note',
    what: /^SESSION_COOKIE_SAMESITE=none, and every app seems/,
    asvs: '3.3.2',
    change: 'SESSION_COOKIE_SAMESITE=lax',
  },
  {
    check: 'cookies',
    settings: { TOKEN_COOKIE: 'jwt' },
    verdict: 'note',
    what: /^The cookie jwt has no prefix/,
    asvs: '3.3.3',
    change: 'TOKEN_COOKIE=__Host-jwt',
  },
  {
    check: 'proxy',
    settings: { TRUST_PROXY: '10.0.0.5' },
    verdict: 'wrong',
    what: /^HOST=127\.0\.0\.1 can be reached from this machine only/,
    asvs: '3.3.1',
    change: 'TRUST_PROXY=127.0.0.1',
  },
  {
    check: 'proxy',
    settings: { HOST: '::1' },
    verdict: 'wrong',
    what: /^HOST=::1 can be reached/,
    asvs: '3.3.1',
    change: 'TRUST_PROXY=::1',
  },
  {
    check: 'proxy',
    settings: { HOST: '0.0.0.0' },
    verdict: 'wrong',
    what: /^The proxy is on this machine, but HOST=0\.0\.0\.0/,
    asvs: '12.2.1',
    change: 'HOST=127.0.0.1',
  },
  {
    check: 'proxy',
    settings: { TRUST_PROXY: '127.0.0.1,0.0.0.0/1' },
    verdict: 'wrong',
    what: /believes everybody in 0\.0\.0\.0\/1/,
    asvs: '15.3.4',
    change: 'TRUST_PROXY=127.0.0.1,<',
  },
  {
    check: 'proxy',
    settings: { TRUST_PROXY: '127.0.0.1,2000::/3' },
    verdict: 'wrong',
    what: /believes everybody in 2000::\/3/,
    asvs: '15.3.4',
  },
  ...(
    [
      ['10.0.0.0/8', 'note'],
      ['10.0.0.0/7', 'wrong'],
      ['10.0.0.0/1', 'wrong'],
      ['192.168.0.0/16', 'note'],
      ['192.168.0.0/8', 'wrong'],
      ['127.0.0.0/1', 'wrong'],
      ['fd00::/8', 'note'],
      ['fd00::/6', 'wrong'],
      ['::1/1', 'wrong'],
      ['::ffff:10.0.0.0/104', 'note'],
      ['::ffff:0.0.0.0/97', 'wrong'],
    ] as const
  ).map(([range, verdict]): Row => ({
    check: 'proxy',
    settings: { TRUST_PROXY: `127.0.0.1,${range}` },
    verdict,
    what: new RegExp(`believes everybody in ${range}\\.$`),
    asvs: '15.3.4',
    change: 'TRUST_PROXY=127.0.0.1,<',
  })),
  {
    check: 'connections',
    settings: { DATABASE_URL: 'postgres://coatcheck:x7q@db.example.org/coatcheck' },
    verdict: 'wrong',
    what: /database at db\.example\.org is not encrypted/,
    asvs: '12.3.1',
    change:
      'DATABASE_URL=postgres://coatcheck:<password>@db.example.org:5432/coatcheck?sslmode=verify-full',
  },
  {
    check: 'connections',
    settings: { DATABASE_URL: 'postgres://coatcheck:x7q@postgres/coatcheck' },
    verdict: 'note',
    what: /database at postgres is not encrypted/,
    asvs: '12.3.1',
  },
  {
    check: 'connections',
    settings: { DATABASE_URL: 'postgres://c:x7q@db.example.org/c?sslmode=require' },
    verdict: 'wrong',
    what: /^sslmode=require does not ask/,
    asvs: '12.3.2',
  },
  {
    check: 'connections',
    settings: { DATABASE_URL: 'postgres://postgres:postgres@localhost/coatcheck' },
    verdict: 'note',
    what: /^The password in DATABASE_URL is one that is tried first/,
    asvs: '13.2.3',
  },
  {
    check: 'connections',
    settings: { SESSION_STORE_URL: 'redis://:x7q@redis.example.org' },
    verdict: 'wrong',
    what: /^What goes to Redis at redis\.example\.org is not encrypted/,
    asvs: '12.3.1',
    change: 'SESSION_STORE_URL=rediss://',
  },
  {
    check: 'connections',
    settings: { SESSION_STORE_URL: 'rediss://10.1.2.3' },
    verdict: 'note',
    what: /^Redis at 10\.1\.2\.3 wants no password/,
    asvs: '13.2.1',
  },
  {
    check: 'connections',
    settings: { SESSION_STORE_URL: 'rediss://:password@redis.example.org' },
    verdict: 'wrong',
    what: /^The password in SESSION_STORE_URL/,
    asvs: '13.2.3',
  },
  {
    check: 'mode',
    settings: { ...ON_LOCALHOST, HOST: '0.0.0.0' },
    verdict: 'wrong',
    what: /^NODE_ENV=development, and HOST=0\.0\.0\.0/,
    asvs: '13.4.2',
    change: 'NODE_ENV=production',
  },
  {
    check: 'mode',
    settings: { NODE_ENV: 'development' },
    verdict: 'wrong',
    what: /^NODE_ENV=development, and PUBLIC_URL=https:\/\/login\.example\.org /,
    asvs: '13.4.2',
    change: 'NODE_ENV=production',
  },
  {
    check: 'mode',
    settings: { ...ON_LOCALHOST, BYPASS_AUTH: 'true' },
    verdict: 'note',
    what: /^BYPASS_AUTH is on/,
    asvs: '15.2.3',
    change: 'BYPASS_AUTH=false',
  },
  {
    check: 'https',
    settings: { PUBLIC_URL: 'https://192.0.2.7' },
    verdict: 'note',
    what: /^PUBLIC_URL has the address 192\.0\.2\.7, and no name\.$/,
    asvs: '3.4.1',
    change: 'PUBLIC_URL=https://',
  },
  {
    check: 'registration',
    settings: { REGISTRATION: 'open' },
    verdict: 'note',
    what: /^Everybody can sign up/,
    asvs: '2.4.1',
    change: 'REGISTRATION=closed',
  },
  {
    check: 'inspector',
    settings: { INSPECTOR: 'on' },
    verdict: 'note',
    what: /^Everybody can have tokens taken apart/,
    asvs: '13.4.5',
    change: 'INSPECTOR=off',
  },
  {
    check: 'log',
    settings: { LOG_LEVEL: 'error' },
    verdict: 'note',
    what: /^LOG_LEVEL=error leaves/,
    asvs: '16.3.3',
    change: 'LOG_LEVEL=info',
  },
  {
    check: 'log',
    settings: { LOG_LEVEL: 'trace' },
    verdict: 'note',
    what: /^LOG_LEVEL=trace in production/,
    asvs: '13.4.2',
    change: 'LOG_LEVEL=info',
  },
];

describe('coatcheck doctor, of the settings', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let clock: TestClock;
  let good: Setup;
  beforeEach(() => {
    directory = temporaryDirectory();
    clock = new TestClock();
    good = setupOf({});
  });
  afterEach(() => directory[Symbol.dispose]());

  const file = (name: string) => join(directory.path, name);

  function setupOf(settings: Readonly<Record<string, string>>): Setup {
    const environment = { ...GOOD, DATABASE_URL: `sqlite:${file('data/test.db')}`, ...settings };
    return { settings: loadSettings(environment, directory.path), clock };
  }

  for (const { settings, ...expected } of ROWS) {
    it(`says of ${Object.keys(settings).join(', ')}: ${expected.what.source}`, async () => {
      await expectFinding(SETUP_CHECKS, expected, { bad: setupOf(settings), good });
    });
  }

  it('finds nothing wrong with a good set-up, and says of it what it has looked at', async () => {
    mkdirSync(file('data'), { mode: 0o700 });
    const { disk: _, ...checks } = SETUP_CHECKS; // which disk the tests run on is not theirs to choose
    const results = await examine(checks, good, () => undefined);
    expect(results.map(({ check }) => check)).to.have.members(Object.keys(checks));
    for (const { verdict, what } of results) {
      expect(what).to.match(/\.$/);
      if (verdict !== 'fine') expect(what).to.equal('The code of the bypass is installed here.');
    }
  });

  it('takes no secret that was drawn at random for words', () => {
    const alone = (secret: string): Setup => {
      return { ...good, settings: { ...good.settings, sessionSecrets: [secret] } };
    };
    // few pieces and many vowels, as 16 bytes may have; few pieces and few vowels
    for (const secret of ['e1a70529aecd83190642bcaf57904ead', 'Xkqvar93847Bdwzpn2Wjtegh50Fmrlck1'])
      expect(secretStrength(alone(secret))[0], secret).to.include({ verdict: 'fine' });
    const seeds = [fc.nat(), fc.constantFrom(32, 48, 64)] as const;
    fc.assert(
      fc.property(...seeds, fc.constantFrom('hex', 'base64', 'base64url'), (seed, length, as) => {
        const bytes = createHash('sha512').update(`${seed}`).digest(); // as good as random, and the same again
        const secret = bytes.subarray(0, length).toString(as);
        const [finding] = secretStrength(alone(secret));
        expect(finding, secret).to.include({ verdict: 'fine' });
      }),
      { numRuns: 1000 },
    );
  });

  /** How many of so many secrets the check complains of. They are always the same ones. */
  function complaints(count: number, draw: (below: (of: number) => number) => string): number {
    let wrong = 0;
    for (let seed = 0; seed < count; seed += 1) {
      const bytes = [...createHash('sha512').update(`${seed}`).digest()]; // as good as random
      const secret = draw((below) => (bytes.pop() ?? 0) % below);
      const setup = { ...good, settings: { ...good.settings, sessionSecrets: [secret] } };
      if (secretStrength(setup)[0]?.verdict === 'wrong') wrong += 1;
    }
    return wrong;
  }

  it('takes fewer than one in 2,000 for words of those that were drawn from letters and digits', () => {
    const letters = 'abcdefghijklmnopqrstuvwxyz';
    for (const alphabet of [
      `${letters}0123456789`,
      `${letters.toUpperCase()}0123456789`,
      `${letters}${letters.toUpperCase()}0123456789`,
    ]) {
      const wrong = complaints(20_000, (below) =>
        Array.from({ length: 32 }, () => alphabet[below(alphabet.length)]).join(''),
      );
      expect(wrong, alphabet).to.be.below(10);
    }
  });

  it('finds words, whatever stands between and after them', () => {
    const words =
      'correct horse battery staple orange monkey dragon coffee secret production company token signing summer winter garden purple elephant guitar window pencil rocket silver mountain river castle banana yellow thunder pirate umbrella harbour seagull'.split(
        ' ',
      );
    const ends = ['', '2024', '!', '123!', '-7'];
    for (const between of ['', '-', '_', ' ', '.']) {
      const found = complaints(1000, (below) => {
        const word = () => words[below(words.length)] ?? '';
        let text = word();
        while (text.length < 32) text += between + word();
        return text + (ends[below(ends.length)] ?? '');
      });
      expect(found, `"${between}" between`).to.be.above(990);
    }
  });

  it('finds nothing wrong with development where nobody else comes', async () => {
    for (const PUBLIC_URL of [
      '',
      'http://localhost:3000',
      'http://app.localhost:3000',
      'http://[::1]:3000',
    ]) {
      const findings = await findingsOf(
        SETUP_CHECKS,
        'mode',
        setupOf({ ...ON_LOCALHOST, PUBLIC_URL }),
      );
      expect(findings.map(({ verdict }) => verdict)).to.deep.equal(['fine']);
    }
  });

  it('has no word of a secret or a password in any finding', async () => {
    const [secret, password] = ['98107243516273849501928374650192', 'tried-seldom-but-known'];
    const bad = setupOf({
      SESSION_SECRET: secret,
      DATABASE_URL: `postgres://c:${password}@db.example.org/c`,
      SESSION_STORE_URL: `redis://:${password}@redis.example.org`,
    });
    const { disk: _, ...checks } = SETUP_CHECKS;
    const said = JSON.stringify(await examine(checks, bad, () => undefined));
    expect(said).not.to.include(secret).and.not.to.include(password);
  });

  it('finds nothing wrong with the set-ups that docs/operations.md shows', async () => {
    const text = readFileSync('docs/operations.md', 'utf8');
    const blocks = [...text.matchAll(/<<END\n(.*?)\nEND$/gms)].map(([, block = '']) =>
      parse(
        block
          .replaceAll(/\$\(openssl[^)]*\)/g, freshSecret)
          .replaceAll(/\$\(cat[^)]*\)/g, freshSecret),
      ),
    );
    expect(blocks).to.have.length(2);
    // what the image and compose.yaml set besides
    const container = { NODE_ENV: 'production', HOST: '0.0.0.0', TRUST_PROXY: '172.30.77.2' };
    for (const [index, block] of blocks.entries()) {
      const environment = index === 0 ? block : { ...container, ...block };
      const settings = loadSettings(environment, directory.path);
      const { disk: _, ...checks } = SETUP_CHECKS;
      const results = await examine(checks, { settings, clock }, () => undefined);
      expect(results.filter(({ verdict }) => verdict === 'wrong')).to.deep.equal([]);
    }
  });

  it('looks at every app behind the same proxy: none that is same-site is complained of', async () => {
    const apps = 'https://example.org,https://app.example.org,https://a.b.example.org:8443';
    const findings = await findingsOf(SETUP_CHECKS, 'cookies', setupOf({ CORS_ORIGINS: apps }));
    expect(findings.map(({ verdict }) => verdict)).to.deep.equal(['fine']);
    const none = { SESSION_COOKIE_SAMESITE: 'none', CORS_ORIGINS: 'https://app.example.com' };
    const [reached] = await findingsOf(SETUP_CHECKS, 'cookies', setupOf(none));
    expect(reached).to.include({ verdict: 'fine' });
    const local = setupOf({ ...ON_LOCALHOST, CORS_ORIGINS: 'http://localhost:5173' });
    expect((await findingsOf(SETUP_CHECKS, 'cookies', local))[0]).to.include({ verdict: 'fine' });
  });

  describe('about files', () => {
    it('names those that others can read, and the command that ends it', () => {
      writeFileSync(file('secret'), '', { mode: 0o600 });
      expect(modesOf([file('secret')])[0]).to.include({ verdict: 'fine' });
      for (const [mode, better] of [
        [0o644, '0640'],
        [0o604, '0600'],
        [0o660, '0640'],
      ] as const) {
        chmodSync(file('secret'), mode);
        expect(modesOf([file('secret')])[0]).to.include({
          verdict: 'wrong',
          asvs: '13.3.2',
          change: `chmod ${better} ${file('secret')}`,
        });
      }
    });

    it('bears a group that may read, as a service of systemd needs it', () => {
      writeFileSync(file('secret'), '');
      chmodSync(file('secret'), 0o640);
      expect(modesOf([file('secret'), file('missing')])[0]).to.include({ verdict: 'fine' });
    });

    it('names a directory in which anybody may put another file in their place', () => {
      writeFileSync(file('secret'), '', { mode: 0o600 });
      chmodSync(directory.path, 0o777);
      expect(modesOf([file('secret')])[0]).to.include({ change: `chmod o-w ${directory.path}` });
      chmodSync(directory.path, 0o1777);
      expect(modesOf([file('secret')])[0]).to.include({ verdict: 'fine' });
    });

    it('looks at the database with what lies beside it, and at the key of TLS', async () => {
      mkdirSync(file('data'), { mode: 0o700 });
      for (const name of ['data/test.db', 'data/test.db-wal', 'tls.key', 'tls.crt']) {
        writeFileSync(file(name), '');
        chmodSync(file(name), 0o644);
      }
      const tls = { TLS_CERT_FILE: file('tls.crt'), TLS_KEY_FILE: file('tls.key') };
      const findings = await findingsOf(SETUP_CHECKS, 'files', setupOf(tls));
      expect(findings.map(({ change }) => change?.split(' ').at(-1))).to.deep.equal(
        ['data/test.db', 'data/test.db-wal', 'tls.key'].map(file),
      );
    });
  });

  describe('about the certificate', () => {
    const tls = () => ({ TLS_CERT_FILE: file('tls.crt'), TLS_KEY_FILE: file('tls.key') });
    const name = 'login.example.org';

    function made(options: Parameters<typeof makeCertificate>[2]): X509Certificate | undefined {
      if (!makeCertificate(file('tls.crt'), file('tls.key'), { name, ...options }))
        return undefined;
      clock.advance(HOUR); // it begins when it was made, which is later than the clock was
      return new X509Certificate(readFileSync(file('tls.crt')));
    }
    const said = (cert: X509Certificate, host = name, later = 0) =>
      [
        ...lifetimeFindings(cert, clock.now() + later, 'TLS_CERT_FILE=x'),
        ...nameFindings(cert, host, 'TLS_CERT_FILE=x'),
      ].map(({ verdict, what }) => `${verdict}: ${what}`);
    const SELF = 'note: The certificate has signed itself.';

    it('says when it ends, before it is too late and after', function () {
      const cert = made({ days: 90 });
      if (cert === undefined) return this.skip(); // there is no openssl
      expect(said(cert)).to.deep.equal([SELF]);
      expect(said(cert, name, 70 * DAY)[0]).to.match(
        /^note: The certificate ends in (?:19|20) days/,
      );
      expect(said(cert, name, 85 * DAY)[0]).to.match(/^wrong: The certificate ends in [45] days/);
      expect(said(cert, name, 91 * DAY)[0]).to.match(/^wrong: The certificate ended on 20/);
      expect(said(cert, name, -2 * DAY)[0]).to.match(/^wrong: The certificate begins on 20/);
      return undefined;
    });

    it('says when it is for another name, lasts too long or is weak', function () {
      const cert = made({ days: 500 });
      if (cert === undefined) return this.skip(); // there is no openssl
      expect(said(cert, 'other.example.org').join()).to.include('is not for other.example.org');
      expect(said(cert)).to.deep.equal(['note: The certificate lasts more than 398 days.', SELF]);
      const weak = made({ days: 90, newkey: 'rsa:1024' });
      if (weak) expect(said(weak).join()).to.include('wrong: The key of the certificate has less');
      return undefined;
    });

    it('looks at the one of the settings, and says that it does not belong to its key', async function () {
      if (!made({ days: 90 })) return this.skip(); // there is no openssl
      const direct = setupOf({ ...tls(), TRUST_PROXY: '' });
      const [first] = await findingsOf(SETUP_CHECKS, 'certificate', direct);
      expect(first).to.include({ verdict: 'note', asvs: '12.2.2' });
      const [behind] = await findingsOf(SETUP_CHECKS, 'certificate', setupOf(tls()));
      expect(behind, 'only the proxy sees it').to.include({ verdict: 'fine' });
      makeCertificate(file('other.crt'), file('tls.key'));
      const results = await examine(SETUP_CHECKS, setupOf(tls()), () => undefined);
      const finding = results.find(({ check }) => check === 'certificate');
      expect(finding).to.include({ verdict: 'wrong' });
      expect(finding?.what).to.match(
        /^TLS_CERT_FILE and TLS_KEY_FILE must be a certificate and the key .*\.$/,
      );
      const missing = setupOf({ ...tls(), TLS_KEY_FILE: file('missing.key') });
      const [unread] = await findingsOf(SETUP_CHECKS, 'certificate', missing);
      expect(unread?.what).to.include('ENOENT').and.to.include('missing.key');
      return undefined;
    });
  });

  describe('about the disk', () => {
    const disk: Disk = { directory: '/srv', type: 0xef53, free: 2 ** 33, writes: [1, 90, 2] };
    const rows: readonly [string, Partial<Disk>, string, RegExp][] = [
      ['NFS', { type: 0x6969 }, 'wrong', /network file system \(NFS\)/],
      ['SMB, which comes as a negative number', { type: 0xfe534d42 | 0 }, 'wrong', /\(SMB\)/],
      ['tmpfs', { type: 0x01021994 }, 'wrong', /in memory \(tmpfs\)/],
      ['the layer of a container', { type: 0x794c7630 }, 'note', /layer of a container/],
      ['FUSE', { type: 0x65735546 }, 'note', /FUSE/],
      ['a disk that is nearly full', { free: 2 ** 28 }, 'note', /has 256 MiB left/],
      ['a disk that is full', { free: 2 ** 20 }, 'wrong', /has 1 MiB left/],
      ['a disk that is slow', { writes: [90, 1, 80] }, 'note', /takes 80 ms/],
    ];
    for (const [what, change, verdict, words] of rows) {
      it(`complains of ${what}`, () => {
        const [finding, ...more] = diskFindings({ ...disk, ...change });
        expect(finding).to.include({ verdict });
        expect(finding?.what).to.match(words);
        expect(more).to.deep.equal([]);
      });
    }

    it('does not complain of a good one', () => {
      expect(diskFindings(disk)).to.deep.equal([
        { verdict: 'fine', what: '/srv: 8192 MiB free, written in 2.0 ms (median of 3).' },
      ]);
    });

    it('tries the real one, where the database is going to be, and leaves nothing there', async () => {
      const [finding] = await findingsOf(SETUP_CHECKS, 'disk', good);
      expect(finding?.what).to.include(directory.path);
      expect(readdirSync(directory.path)).to.deep.equal([]);
    });
  });
});
