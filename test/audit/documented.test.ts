import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { EVENTS } from '../../audit/events.ts';

describe('docs/audit.md', () => {
  it('explains every event that there is, and none that there is not', () => {
    const document = readFileSync('docs/audit.md', 'utf8');
    const rows = document.matchAll(/^\| `(logout|[a-z]+\.[a-z_]+)` +\|/gm);
    expect([...rows].map(([, name]) => name)).to.deep.equal([...EVENTS]);
  });
});
