import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { run } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';

describe('coatcheck init', function () {
  this.timeout(120_000);

  it('writes .env for its owner alone, says where, and prints no secret', async () => {
    using directory = temporaryDirectory();
    const cwd = directory.path;
    const { code, stdout, stderr } = await run(['init'], { cwd });
    const file = join(cwd, '.env');
    expect([code, stdout]).to.deep.equal([0, '']);
    expect(stderr).to.equal(`Wrote ${file} with fresh secrets.\n`);
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    expect(readdirSync(cwd)).to.deep.equal(['.env']);
  });

  it('touches no .env that is there already, and says so', async () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, '.env');
    writeFileSync(file, 'PORT=4000\n');
    const { code, stderr } = await run(['init'], { cwd: directory.path });
    expect(code).to.equal(0);
    expect(stderr).to.equal('.env exists already. Nothing was changed.\n');
    expect(readFileSync(file, 'utf8')).to.equal('PORT=4000\n');
  });

  it('writes no file in production, and says so', async () => {
    using directory = temporaryDirectory();
    const env = { NODE_ENV: 'production' };
    const { code, stdout, stderr } = await run(['init'], { cwd: directory.path, env });
    expect([code, stdout]).to.deep.equal([78, '']);
    expect(stderr).to.include('NODE_ENV is production');
    expect(readdirSync(directory.path)).to.deep.equal([]);
  });

  it('says in one sentence that the directory cannot be written to', async () => {
    const cwd = existsSync('/proc/self') ? '/proc' : '/System'; // not even root may, on Linux and macOS
    const { code, stdout, stderr } = await run(['init'], { cwd });
    expect([code, stdout]).to.deep.equal([1, '']);
    expect(stderr).to.match(/^E[A-Z]+: [^\n]+\n$/);
  });
});
