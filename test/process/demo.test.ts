import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import metadata from '../../package.json' with { type: 'json' };
import { cleanEnvironment, ROOT } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';

describe('npm run demo', function () {
  this.timeout(120_000);

  it('shows the whole way step by step, and leaves no file and no process behind', async () => {
    expect(metadata.scripts.demo).to.equal('node examples/demo.ts');
    using directory = temporaryDirectory();
    const child = spawn(process.execPath, [join(ROOT, 'examples', 'demo.ts')], {
      cwd: directory.path,
      env: cleanEnvironment({ TMPDIR: directory.path, NO_COLOR: '1' }),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a process group of its own, to look for who is left
      timeout: 30_000,
    });
    const [stdout, stderr] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ]);
    expect(child.exitCode, stderr).to.equal(0);
    expect(stderr).to.match(/^Added ada \([0-9a-f-]+\)\.\n$/);
    const steps = [
      'Exchange the session',
      'Take the token apart',
      '/auth/me',
      '/auth/logout',
      '401',
      'The token has been revoked',
    ];
    for (const step of steps) expect(stdout).to.include(step);
    expect(readdirSync(directory.path)).to.deep.equal([]);
    expect(() => process.kill(-(child.pid ?? 0), 0)).to.throw('ESRCH');
  });
});
