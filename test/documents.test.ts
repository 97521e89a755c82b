import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';

interface Manifest {
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;

/** Tracked files and those that could be added, as they are on the disk. */
const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'])
  .toString()
  .split('\0')
  .filter((file) => file !== '' && file !== 'package-lock.json' && existsSync(file));
const documents = files.filter((file) => file.endsWith('.md'));
const read = (file: string) => readFileSync(file, 'utf8');

/** What is in a code block is an example, not a link. */
const prose = (file: string) => read(file).replaceAll(/^(`{3,})[^\n]*\n.*?^\1/gms, '');

const matches = (text: string, pattern: RegExp) =>
  [...text.matchAll(pattern)].flatMap((match) => match[1] ?? []);

describe('the documents', () => {
  it('explain every dependency, and none that is gone', () => {
    const rows = matches(read('docs/dependencies.md'), /^\| *`([^`]+)`/gm);
    const used = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(rows.toSorted()).to.deep.equal(used.toSorted());
  });

  it('and the sources name no path of one machine', () => {
    const machine = ['work', 'root', String.raw`tmp/\w+_jobs`].join('|');
    const pattern = new RegExp(String.raw`(?<![\w.}\])])/(?:${machine})(?![\w-])`, 'm');
    const offenders = files.filter((file) => pattern.test(read(file)));
    expect(offenders).to.deep.equal([]);
  });

  for (const document of documents) {
    it(`${document} links to files that exist`, () => {
      const inline = matches(prose(document), /\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g);
      const references = matches(prose(document), /^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)/gm);
      const broken = [...inline, ...references]
        .filter((link) => !/^(?:[a-z][a-z0-9+.-]*:|#)/i.test(link))
        .map((link) => decodeURIComponent(link.replace(/[?#].*$/, '')))
        .filter((path) => !existsSync(join(dirname(document), path)));
      expect(broken).to.deep.equal([]);
    });

    it(`${document} names only scripts that exist`, () => {
      const named = matches(read(document), /\bnpm run (?:-s |--silent )?([a-z][\w:-]*)/g);
      const unknown = named.filter((script) => !(script in manifest.scripts));
      expect(unknown).to.deep.equal([]);
    });
  }
});
