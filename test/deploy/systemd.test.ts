import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { ROOT } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';

const unit = readFileSync(join(ROOT, 'deploy', 'coatcheck.service'), 'utf8');
/** What the unit sets, in order. */
const set = (name: string) =>
  [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value = '']) => value);

describe('deploy/coatcheck.service', function () {
  this.timeout(120_000);
  const directory = temporaryDirectory();
  const file = join(directory.path, 'coatcheck.service');
  after(() => directory[Symbol.dispose]());

  before(function () {
    if (spawnSync('systemd-analyze', ['--version']).status !== 0) {
      process.stderr.write('systemd-analyze is not on this machine.\n');
      this.skip();
    }
    writeFileSync(file, unit.replace('/usr/bin/node', process.execPath));
  });

  const analyze = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8' });

  it('is what systemd understands', () => {
    const { status, stdout, stderr } = analyze('verify', '--man=no', file);
    expect([status, stdout, stderr]).to.deep.equal([0, '', '']);
  });

  it('leaves the service little of the machine', () => {
    const { status, stdout } = analyze('security', '--offline=true', '--threshold=15', file);
    expect(status, stdout.slice(-200)).to.equal(0); // 1.5 of 10
  });

  it('stops by SIGTERM to the first process, and waits longer than requests may take', () => {
    expect(set('KillMode')).to.deep.equal(['mixed']);
    expect(set('KillSignal')).to.deep.equal([]); // SIGTERM
    expect(Number(set('TimeoutStopSec')[0])).to.be.at.least(30);
    expect(set('ExecReload')).to.deep.equal(['/bin/kill -HUP $MAINPID']);
    expect(set('ExecStart').join()).to.match(/ \/opt\/coatcheck\/bin\/coatcheck\.ts serve$/);
  });

  it('starts again after a crash, but not with settings that cannot be used', () => {
    expect(set('Restart')).to.deep.equal(['always']);
    expect(set('RestartPreventExitStatus')).to.deep.equal(['78']);
  });

  it('is production, as another user than root, with secrets from a file', () => {
    expect(set('User').concat(set('Group'))).to.deep.equal(['coatcheck', 'coatcheck']);
    expect(set('Environment').join(' '))
      .to.include('NODE_ENV=production')
      .and.not.match(/SECRET/);
    expect(set('EnvironmentFile')).to.deep.equal(['/etc/coatcheck/coatcheck.env']);
  });
});
