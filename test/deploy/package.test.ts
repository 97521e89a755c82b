import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { ROOT } from '../support/command.ts';
import { buildContext } from '../support/image.ts';

describe('what npm would pack', () => {
  it('security 2: is what the image is made of: nothing that signs in by the bypass, only the route that would ask it', () => {
    const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: ROOT,
    });
    const [{ files } = { files: [] }] = JSON.parse(String(output)) as {
      files: { path: string }[];
    }[];
    const packed = files.map(({ path }) => path);
    expect(
      packed.filter((path) => path.includes('bypass') && !path.startsWith('routes/')),
    ).to.deep.equal([]);
    expect(
      packed.filter((path) => /(^|\/)(test|bench|data|node_modules)\/|\.env$/.test(path)),
    ).to.deep.equal([]);
    const tracked = String(execFileSync('git', ['ls-files'], { cwd: ROOT }))
      .trim()
      .split('\n');
    const image = buildContext(tracked, readFileSync(join(ROOT, '.dockerignore'), 'utf8'));
    expect(packed).to.include.members(image.filter((path) => path !== 'package-lock.json'));
  }).timeout(120_000);
});
