import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';

const run = promisify(execFile);

/** Runs a benchmark. @returns what it printed */
async function bench(...args: string[]): Promise<string> {
  return (await run(process.execPath, ['bench/run.ts', ...args])).stdout;
}

describe('npm run bench', function () {
  this.timeout(240_000); // services are started several times

  it('knows what the documents name, and they explain what it knows', async () => {
    const documents = readdirSync('docs').filter((file) => file.endsWith('.md'));
    const text = documents.map((file) => readFileSync(join('docs', file), 'utf8')).join('\n');
    const named = [...text.matchAll(/npm run bench -- (\w+)/g)].map(([, name = '']) => name);
    const known = [...(await bench('--help')).matchAll(/^ {2}(\w+) {2,}/gm)];
    const names = known.map(([, name = '']) => name).filter((name) => name !== 'exchange');
    expect([...new Set(named)].toSorted()).to.deep.equal(names.toSorted());
  });

  const small = '--sessions 10 --rounds 1 --seconds 0.2 --warm-up 10 --json'.split(' ');

  it('scale measures a service over the sessions that it stored', async () => {
    const output = await bench('scale', '--engines', 'sqlite', '--stored', '300', ...small);
    const { rows, aims } = JSON.parse(output) as {
      rows: Record<string, number>[];
      aims: unknown[];
    };
    expect(rows.map(({ stored }) => stored)).to.deep.equal([300]);
    for (const row of rows) {
      for (const name of ['requestsPerSecond', 'p99Milliseconds', 'megabytes', 'startMilliseconds'])
        expect(row[name], name).to.be.greaterThan(0);
    }
    expect(aims).to.have.length(3);
  });

  it('workers counts the processor time of all workers, and of the load generator', async () => {
    const output = await bench('workers', ...small);
    const ratios = JSON.parse(output) as Record<string, { median: number }>;
    for (const name of ['asMeasured', 'speedUp', 'perCpuSecond']) {
      expect(ratios[name]?.median, name).to.be.greaterThan(0);
    }
  });

  it('parts asks for each part, and gets what it has to', async () => {
    const output = await bench('parts', '--engines', 'sqlite', ...small);
    const { rows } = JSON.parse(output) as { rows: { part: string; p50Milliseconds: number }[] };
    expect(rows.map(({ part }) => part)).to.include.members(['logout', 'password (argon2id)']);
    for (const row of rows) expect(row.p50Milliseconds, row.part).to.be.greaterThan(0);
  });
});
