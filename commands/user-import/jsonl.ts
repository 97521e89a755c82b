import { isUtf8 } from 'node:buffer';
import { LONGEST_ROW, type Row } from './rows.ts';

const NEWLINE = 0x0a;

/** The rows of JSON Lines: one object on each line. Empty lines are passed over. */
export async function* jsonlRows(source: AsyncIterable<Buffer>): AsyncGenerator<Row> {
  let line = 0;
  for await (const bytes of lines(source)) {
    line += 1;
    if (bytes === undefined) {
      yield { line, problem: `The line has more than ${LONGEST_ROW} bytes.` };
    } else if (!isUtf8(bytes)) {
      yield { line, problem: 'The line is not valid UTF-8.' };
    } else {
      const text = bytes.toString('utf8').replace(/^\uFEFF/, '');
      if (text.trim() !== '') yield { line, ...parsed(text) };
    }
  }
}

function parsed(text: string): Omit<Row, 'line'> {
  try {
    return { fields: JSON.parse(text) };
  } catch {
    return { problem: 'The line is not valid JSON.' }; // the reason would quote it, hash included
  }
}

/** The bytes between line feeds; `undefined` for a line that is too long, which is not kept. */
async function* lines(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer | undefined> {
  let parts: Buffer[] = [];
  let length = 0;
  function add(part: Buffer): void {
    length += part.length;
    if (length <= LONGEST_ROW) parts.push(part);
    else parts = [];
  }
  function whole(): Buffer | undefined {
    const line = length <= LONGEST_ROW ? Buffer.concat(parts) : undefined;
    parts = [];
    length = 0;
    return line;
  }
  for await (const chunk of source) {
    let start = 0;
    for (let end; (end = chunk.indexOf(NEWLINE, start)) !== -1; start = end + 1) {
      add(chunk.subarray(start, end));
      yield whole();
    }
    add(chunk.subarray(start));
  }
  if (length > 0) yield whole();
}
