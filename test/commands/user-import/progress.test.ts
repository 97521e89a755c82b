import { expect } from 'chai';
import { Progress } from '../../../commands/user-import/progress.ts';

/** @returns what was written after each look, `''` where nothing was */
function shown(
  terminal: boolean,
  looks: readonly (readonly [now: number, rows: number, share?: number])[],
): string[] {
  let time = 0;
  let written = '';
  const write = (text: string) => void (written += text);
  const progress = new Progress({ terminal, write, now: () => time });
  const texts = looks.map(([now, rows, share]) => {
    time = now;
    written = '';
    progress.show(rows, share);
    return written;
  });
  written = '';
  progress.end();
  return [...texts, written];
}

describe('the progress of an import', () => {
  it('is a bar on a terminal, drawn anew ten times a second at most and gone at the end', () => {
    const looks = [
      [99, 100, 0.1],
      [100, 2000, 0.5],
      [150, 3000, 0.6],
      [200, 4000, 1],
    ] as const;
    expect(shown(true, looks)).to.deep.equal([
      '',
      `\r\u001B[K[${'#'.repeat(15)}${'.'.repeat(15)}] 50 %, 2,000 rows`,
      '',
      `\r\u001B[K[${'#'.repeat(30)}] 100 %, 4,000 rows`,
      '\r\u001B[K',
    ]);
  });

  it('is not more than all of a file that grows while it is read', () => {
    expect(shown(true, [[100, 2000, 1.2]])[0]).to.equal(
      `\r\u001B[K[${'#'.repeat(30)}] 100 %, 2,000 rows`,
    );
  });

  it('is a line every ten seconds elsewhere', () => {
    const looks = [
      [9999, 100, 0.1],
      [10_000, 2000, 0.5],
      [19_999, 3000, 0.6],
      [20_000, 4000, 0.999],
    ] as const;
    expect(shown(false, looks)).to.deep.equal([
      '',
      '2,000 rows so far, 50 %\n',
      '',
      '4,000 rows so far, 99 %\n',
      '',
    ]);
  });

  it('counts rows alone where nobody knows how many there are', () => {
    expect(shown(true, [[100, 2000]])).to.deep.equal(['\r\u001B[K2,000 rows', '\r\u001B[K']);
    expect(shown(false, [[10_000, 2000]])).to.deep.equal(['2,000 rows so far\n', '']);
  });
});
