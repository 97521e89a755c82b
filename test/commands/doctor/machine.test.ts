import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { MACHINE_CHECKS } from '../../../commands/doctor/checks.ts';
import { examine } from '../../../commands/doctor/examine.ts';
import { type Machine, thisMachine } from '../../../commands/doctor/machine.ts';
import { misspelt } from '../../../commands/doctor/misspelt.ts';
import { isOlder, NODE_ENDS, VERSION_FLOORS } from '../../../commands/doctor/versions.ts';
import { schema } from '../../../config/settings-schema.ts';
import { namesGiven } from '../../../config/settings.ts';
import type { Clock } from '../../../core/clock.ts';
import { temporaryDirectory } from '../../support/directory.ts';
import { type Expected, expectFinding } from '../../support/findings.ts';

const on = (day: string): Clock => ({ now: () => Date.parse(day) });

const GOOD: Machine = {
  clock: on('2026-11-25'),
  directory: '/nowhere',
  nodeVersion: '24.11.0',
  packages: [
    { name: 'passport', version: '0.7.0', atLeast: '0.7.0' },
    { name: 'kysely', version: '0.29.10', atLeast: '0.29.9' },
  ],
  names: ['NODE_ENV', 'JWT_SECRET_KEY', 'HOME', 'HOSTNAME', 'POSTGRES_PASSWORD', 'PATH', 'POST'],
};

type Row = Expected & { readonly machine: Partial<Machine> };

const ROWS: readonly Row[] = [
  {
    check: 'node',
    machine: { nodeVersion: '22.18.0', clock: on('2027-05-01') },
    verdict: 'wrong',
    what: /^Node 22 has had no fixes since 2027-04-30\.$/,
    asvs: '15.2.1',
    change: 'brings 24 or later',
  },
  {
    check: 'node',
    machine: { nodeVersion: '22.18.0', clock: on('2027-02-01') },
    verdict: 'note',
    what: /^Node 22 gets fixes until 2027-04-30 only\.$/,
    asvs: '15.2.1',
  },
  {
    check: 'node',
    machine: { nodeVersion: '25.2.0' },
    verdict: 'wrong',
    what: /^Node 25 has had no fixes since 2026-06-01\.$/,
    asvs: '15.2.1',
  },
  {
    check: 'libraries',
    machine: {
      packages: [{ name: 'passport', version: '0.5.3', atLeast: '0.6.0', hole: 'keeps the id' }],
    },
    verdict: 'wrong',
    what: /^passport is 0\.5\.3, and at least 0\.6\.0 is needed\.$/,
    asvs: '15.2.1',
    change: 'npm ci',
  },
  {
    check: 'libraries',
    machine: { packages: [{ name: 'kysely', version: undefined, atLeast: '0.29.9' }] },
    verdict: 'wrong',
    what: /^kysely is not installed/,
    asvs: '15.2.1',
  },
  {
    check: 'setting names',
    machine: { names: ['TRUST_PROXIES'] },
    verdict: 'note',
    what: /^TRUST_PROXIES is no setting\. TRUST_PROXY is\.$/,
    change: 'TRUST_PROXY=<the value of TRUST_PROXIES>',
  },
];

describe('coatcheck doctor, of the machine', () => {
  for (const { machine, ...expected } of ROWS) {
    it(`says: ${expected.what.source}`, async () => {
      await expectFinding(MACHINE_CHECKS, expected, { bad: { ...GOOD, ...machine }, good: GOOD });
    });
  }

  it('finds nothing on a good one, nor where Node is newer than its table', async () => {
    for (const machine of [GOOD, { ...GOOD, nodeVersion: '31.0.0' }]) {
      const results = await examine(MACHINE_CHECKS, machine, () => undefined);
      expect(results.map(({ verdict }) => verdict)).to.deep.equal(
        Object.keys(MACHINE_CHECKS).map(() => 'fine'),
      );
    }
  });

  it('looks at .env, which holds the secrets', async () => {
    using directory = temporaryDirectory();
    writeFileSync(join(directory.path, '.env'), '');
    chmodSync(join(directory.path, '.env'), 0o644);
    const results = await examine(
      MACHINE_CHECKS,
      { ...GOOD, directory: directory.path },
      () => undefined,
    );
    expect(results.find(({ check }) => check === '.env')).to.include({ verdict: 'wrong' });
  });

  it('finds the libraries that are installed here, none older than it may be', async () => {
    const machine = thisMachine();
    const names = machine.packages.map(({ name }) => name);
    expect(names).to.include.members(['passport', 'jsonwebtoken', 'express-session', 'jose', 'pg']);
    expect(machine.packages.filter(({ version }) => version === undefined)).to.deep.equal([]);
    const results = await examine(MACHINE_CHECKS, machine, () => undefined);
    expect(results.find(({ check }) => check === 'libraries')).to.include({ verdict: 'fine' });
    expect(results.find(({ check }) => check === 'node')).not.to.include({ verdict: 'wrong' });
  });

  it('knows until when the Node of this repository, and the oldest that is taken, get fixes', () => {
    expect(NODE_ENDS).to.include.keys(String(Number.parseInt(process.versions.node, 10)), '22');
  });

  it('has a hole and a version for each library that it knows of', () => {
    for (const { path, atLeast, hole } of VERSION_FLOORS) {
      expect(hole, path.join()).to.match(/ \((?:CVE-\d{4}-\d+|GHSA(?:-\w{4}){3})\)$/);
      expect(atLeast).to.match(/^\d+\.\d+\.\d+$/);
    }
  });

  it('compares versions by their numbers', () => {
    const older: [string, string][] = [
      ['9.0.2', '9.0.3'],
      ['9.9.9', '10.0.0'],
      ['1.18.1', '1.18.2'],
      ['0.9.10', '0.10.0'],
      ['2.0.0-beta.1', '2.0.0'],
    ];
    for (const [one, other] of older) {
      expect(isOlder(one, other), one).to.equal(true);
      expect(isOlder(other, one), other).to.equal(false);
    }
    expect(isOlder('9.0.3', '9.0.3')).to.equal(false);
    expect(isOlder(undefined, '1.0.0')).to.equal(true);
  });

  it('sees what looks like a setting, in whatever way it is misspelt, and nothing else', () => {
    const known = Object.keys(schema);
    const meant = (name: string) => misspelt([name], known)[0]?.meant;
    for (const [name, setting] of [
      ['JWT_SECRET', 'JWT_SECRET_KEY'],
      ['JWTSECRETKEY', 'JWT_SECRET_KEY'],
      ['SESSION_SECRETS', 'SESSION_SECRET'],
      ['SESION_SECRET', 'SESSION_SECRET'],
      ['session_secret', 'SESSION_SECRET'],
      ['NODE_ENVIRONMENT', 'NODE_ENV'],
      ['DATABASE_URI', 'DATABASE_URL'],
      ['TLS_KEY_FILES', 'TLS_KEY_FILE'],
      ['CORS_ORIGIN', 'CORS_ORIGINS'],
      ['PUBLICURL', 'PUBLIC_URL'],
    ] as const) {
      expect(meant(name), name).to.equal(setting);
    }
    const others = [
      'PATH',
      'HOME',
      'HOSTNAME',
      'SESSION_MANAGER',
      'XDG_SESSION_ID',
      'LOGNAME',
      'SSL_CERT_FILE',
      'USER',
    ];
    const ofNode = [
      'NODE_OPTIONS',
      'NODE_EXTRA_CA_CERTS',
      'NODE_COMPILE_CACHE',
      'NODE_PATH',
      'NODE',
    ];
    for (const name of [...others, ...ofNode, ...known])
      expect(meant(name), name).to.equal(undefined);
  });

  it('takes names from the environment and from the file that is read', () => {
    using directory = temporaryDirectory();
    writeFileSync(join(directory.path, '.env'), 'IN_THE_FILE=1\n');
    expect(namesGiven({ ELSEWHERE: '' }, directory.path)).to.deep.equal([
      'IN_THE_FILE',
      'ELSEWHERE',
    ]);
    expect(namesGiven({ NODE_ENV: 'test' }, directory.path)).to.deep.equal(['NODE_ENV']);
  });
});
