import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';

const FOLDER = 'docs/security';
const documents = readdirSync(FOLDER).filter((file) => file.endsWith('.md'));
const read = (document: string) => readFileSync(join(FOLDER, document), 'utf8');

/** A link to a file of tests, and the titles behind it. */
const NAMED = /\]\(\.\.\/\.\.\/(test\/[\w./-]+\.ts)\)(?::((?:,?\s*`[^`]+`)+))?/g;

/** Whether a title is in the file: as it is written there, `${…}` included. */
function isTitle(title: string, source: string): boolean {
  return ["'", '"', '`'].some((quote) => source.includes(quote + title + quote));
}

describe('the documents on security', () => {
  for (const document of documents) {
    it(`${document} names tests that exist, by title`, () => {
      for (const [, file = '', titles] of read(document).matchAll(NAMED)) {
        expect(titles, `titles behind ${file}`).to.be.a('string');
        const source = readFileSync(file, 'utf8');
        for (const [, title = ''] of titles?.matchAll(/`([^`]+)`/g) ?? []) {
          expect(isTitle(title, source), `"${title}" in ${file}`).to.be.true;
        }
      }
    });
  }

  it('name lines that are there to be broken', () => {
    const breaks = /(added: )?`([^`]+)` in \[[^\]]+\]\(\.\.\/\.\.\/([\w./-]+)\)/g;
    const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ');
    for (const [, added, line = '', file = ''] of read('properties.md').matchAll(breaks)) {
      const isThere = oneLine(readFileSync(file, 'utf8')).includes(
        oneLine(line).replaceAll('\\|', '|'),
      );
      expect(isThere, `"${line}" in ${file}`).to.equal(added === undefined);
    }
  });

  it('have a row for each property and for each condition of the bypass, with a test', () => {
    const rows = read('properties.md').match(/^\|.*\]\(\.\.\/\.\.\/test\/.*$/gm) ?? [];
    const firsts = new Set(rows.map((row) => /^\| *([\w ]+?) *\|/.exec(row)?.[1]));
    const properties = Array.from({ length: 25 }, (_, index) => String(index + 1));
    const conditions = Array.from({ length: 7 }, (_, index) => `bypass ${index + 1}`);
    expect([...firsts]).to.deep.equal([...properties, ...conditions]);
  });

  it('have one entry for each requirement of ASVS, and count them right', () => {
    const text = read('asvs.md');
    const entries = Array.from(
      text.matchAll(
        /^- \*\*(\d+)\.(\d+\.\d+)\*\* L[12] (met|partly|not met|operator|not applicable): /gm,
      ),
      ([, chapter = '', number = '', state = '']) => ({ chapter, number, state }),
    );
    const numbers = entries.map(({ chapter, number }) => `${chapter}.${number}`);
    expect(new Set(numbers).size).to.equal(numbers.length);
    expect(numbers).to.have.length(138);
    const states = ['met', 'partly', 'not met', 'operator', 'not applicable'];
    for (const chapter of new Set(entries.map((entry) => entry.chapter))) {
      const own = entries.filter((entry) => entry.chapter === chapter);
      const counts = states.map((state) => own.filter((entry) => entry.state === state).length);
      const row = new RegExp(`^\\| V${chapter} [^|]*\\|(.*)\\|$`, 'm').exec(text)?.[1];
      expect(row?.split('|').map(Number), `the counts of V${chapter}`).to.deep.equal([
        own.length,
        ...counts,
      ]);
    }
  });
});
