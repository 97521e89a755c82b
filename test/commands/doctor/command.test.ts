import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  MACHINE_CHECKS,
  SERVICE_CHECKS,
  SETUP_CHECKS,
  STORE_CHECKS,
} from '../../../commands/doctor/checks.ts';
import { visibleLines } from '../../../commands/terminal.ts';
import { ROOT, run } from '../../support/command.ts';
import { onEngines } from '../../support/database.ts';
import { temporaryDirectory } from '../../support/directory.ts';
import { freePort } from '../../support/free-port.ts';
import { freshSecret } from '../../support/keys.ts';
import { startApi } from '../../support/lax-api.ts';
import { hasPseudoTerminal, runOnTerminal } from '../../support/pseudo-terminal.ts';
import { startService } from '../../support/service-process.ts';

interface Report {
  of: string;
  passed: boolean;
  summary: string;
  findings: Record<'check' | 'verdict' | 'what' | 'why' | 'asvs' | 'change', string | null>[];
}

const document = readFileSync(join(ROOT, 'docs', 'doctor.md'), 'utf8');
const [, typed = ''] = /^```sh\n(.*?)\n```$/ms.exec(document) ?? [];
const COMMANDS = typed.split('\n').map((line) => line.replace('npm run coatcheck -- ', ''));
const [, SHOWN = ''] = /^```\n(CHECK.*?)\n```$/ms.exec(document) ?? [];

/** The lines, whatever the widths of the columns. */
const narrow = (text: string) => text.replaceAll(/(?<=\S) {2,}/g, '  ').split('\n');

const reportIn = (stdout: string) => JSON.parse(stdout) as Report;
const of = ({ findings }: Report, wanted: string) =>
  findings.filter(({ verdict }) => verdict === wanted).map(({ check, what }) => [check, what]);

describe('coatcheck doctor', function () {
  this.timeout(120_000);
  let directory: ReturnType<typeof temporaryDirectory>;
  let production: Record<string, string>;
  beforeEach(() => {
    directory = temporaryDirectory();
    production = {
      NODE_ENV: 'production',
      PUBLIC_URL: 'https://login.example.org',
      TRUST_PROXY: '127.0.0.1',
      SESSION_SECRET: freshSecret(),
      JWT_ALGORITHM: 'ES256',
      JWT_AUDIENCE: 'https://api.example.org',
      KEY_ENCRYPTION_SECRET: freshSecret(),
    };
  });
  afterEach(() => directory[Symbol.dispose]());

  const doctor = (args: readonly string[], env: Record<string, string> = production) =>
    run(['doctor', ...args], { cwd: directory.path, env });

  it('has every check of its lists in docs/doctor.md, and two commands', () => {
    expect(COMMANDS).to.deep.equal(['doctor', 'doctor http://localhost:3000']);
    const checks = { ...MACHINE_CHECKS, ...SETUP_CHECKS, ...STORE_CHECKS, ...SERVICE_CHECKS };
    for (const check of Object.keys(checks)) expect(document).to.include(`\`${check}\``);
  });

  it('passes a good set-up, and makes nothing', async () => {
    const { code, stdout, stderr } = await doctor(['--json']);
    const report = reportIn(stdout);
    expect(report.of).to.equal('settings');
    // which disk the tests run on is not theirs to choose
    expect(of(report, 'wrong').filter(([check]) => check !== 'disk')).to.deep.equal([]);
    expect(code).to.equal(report.passed ? 0 : 1);
    expect(stderr).to.equal(`${report.summary}\n`);
    expect(readdirSync(directory.path)).to.deep.equal([]);
  });

  it('ends with 1 where something is wrong, and shows the line to change', async () => {
    const { code, stdout, stderr } = await doctor([], { ...production, TRUST_PROXY: '10.0.0.5' });
    expect(code).to.equal(1);
    expect(narrow(stdout)).to.include.members(narrow(SHOWN));
    expect(stderr).to.match(/^\n\d wrong, \d+ notes?, \d+ fine\.\n$/);
  });

  it('says all that a start would say of settings that cannot be used, and looks at the rest', async () => {
    const env = { NODE_ENV: 'production', SESSION_SECRET: 'short', JWT_EXPIRES_IN: '21600' };
    const { code, stdout } = await doctor(['--json'], env);
    expect(code).to.equal(78);
    const problems = of(reportIn(stdout), 'wrong').map(([, what]) => what);
    const start = await run(['serve'], { cwd: directory.path, env });
    expect(start.code).to.equal(78);
    const said = start.stderr.split('\n').filter((line) => line.startsWith('  - '));
    expect(said).to.have.length.above(2);
    expect(problems.map((what) => `  - ${what ?? ''}`)).to.deep.equal(said);
    expect(reportIn(stdout).findings.map(({ check }) => check)).to.include.members([
      'node',
      'libraries',
    ]);
  });

  it('writes no .env where there is none, and says what does', async () => {
    const { code, stdout } = await doctor([], {});
    expect(code).to.equal(78);
    expect(stdout).to.include('There are no settings here').and.to.include('> coatcheck init');
    expect(readdirSync(directory.path)).to.deep.equal([]);
  });

  it('says that a store is away, and how the rest is', async () => {
    const port = await freePort();
    const env = { ...production, DATABASE_URL: `postgres://c:x@127.0.0.1:${port}/c` };
    const { code, stdout } = await doctor(['--json'], env);
    expect(code).to.equal(1);
    const wrong = of(reportIn(stdout), 'wrong');
    expect(wrong.map(([check]) => check)).to.deep.equal(['stores']);
    expect(wrong[0]?.[1]).to.include('The database does not answer (ECONNREFUSED)');
  });

  onEngines(
    (engine) => {
      it(`says that there is no such database in ${engine}`, async () => {
        const name = `missing_${randomUUID()}`;
        const env = { ...production, DATABASE_URL: `postgres://postgres@127.0.0.1:5432/${name}` };
        const { code, stdout } = await doctor(['--json'], env);
        expect(code).to.equal(1);
        expect(of(reportIn(stdout), 'wrong')).to.deep.equal([
          [
            'stores',
            'This could not be looked at: DATABASE_URL names a database that is not there: make it with createdb, or correct the name.',
          ],
        ]);
      });
    },
    ['PostgreSQL'],
  );

  it('looks at a running service without any settings, as docs/doctor.md says', async () => {
    await using service = await startService();
    const words = COMMANDS[1]?.replace('http://localhost:3000', service.url).split(' ') ?? [];
    const { code, stdout, stderr } = await run([...words, '--json'], { cwd: directory.path });
    const report = reportIn(stdout);
    expect([code, of(report, 'wrong')]).to.deep.equal([0, []]);
    expect(report).to.include({ of: service.url, passed: true });
    expect(of(report, 'note').map(([check]) => check)).to.deep.equal(['bypass']);
    expect(stderr).to.equal(`${report.summary}\n`);
  });

  it('ends with 1 where nobody answers', async () => {
    const { code, stdout } = await doctor([`http://127.0.0.1:${await freePort()}`]);
    expect(code).to.equal(1);
    expect(stdout).to.match(/^service +WRONG +This could not be looked at: .*ECONNREFUSED/m);
  });

  it('lets no escape sequence of the service through to the terminal', async () => {
    await using api = await startApi((_req, res) => {
      const body = JSON.stringify({ issuer: 'https://\u001b]0;owned\u0007.example', keys: [] });
      res.setHeader('X-Powered-By', 'bell\u009b31m');
      res.end(body);
    });
    for (const more of [[], ['--json']]) {
      const { stdout, stderr } = await doctor([api.url, ...more]);
      expect(stdout).to.include('owned').and.to.include('bell');
      expect(visibleLines(stdout + stderr)).to.equal(stdout + stderr);
    }
  });

  it('ends with 2 for what is no address of a service', async () => {
    for (const url of ['ftp://example.org', 'https://example.org/auth']) {
      const { code, stdout } = await doctor([url]);
      expect([code, stdout], url).to.deep.equal([2, '']);
    }
    expect((await doctor(['https://example.org', '--timeout', '5'])).code).to.equal(2);
  });

  it('shows on a terminal what it is at, and wipes that away', async function () {
    if (!hasPseudoTerminal()) return this.skip(); // there is no "script" of util-linux
    await run(['init'], { cwd: directory.path });
    const { screen } = await runOnTerminal(['doctor'], directory.path, []);
    expect(screen).to.include('\r\u001b[Ksecrets …').and.to.include('\r\u001b[KCHECK');
    expect(readdirSync(directory.path)).to.deep.equal(['.env']);
    expect(screen).not.to.include(join(directory.path, 'data', 'coatcheck.db-wal'));
    return undefined;
  });
});
