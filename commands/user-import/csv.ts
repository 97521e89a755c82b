import { pipeline, type Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { Problem } from '../../core/errors.ts';
import { visible } from '../../core/text.ts';
import { FIELDS, LONGEST_ROW, NO_PASSWORDS, REQUIRED, type Row } from './rows.ts';

interface CsvRecord {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

/**
 * The rows of a CSV file (RFC 4180) whose first line names the columns, in any order.
 * @throws {Problem} `invalid_request` when the columns are others, or where quotes do not fit: what follows cannot be told apart
 */
export async function* csvRows(source: Readable): AsyncGenerator<Row> {
  let columns: readonly string[] | undefined;
  let surplus = 0; // a CRLF in quotes is counted as two lines
  try {
    for await (const { record, info } of records(source)) {
      surplus += record.join('').split('\r\n').length - 1;
      if (columns === undefined) columns = checked(record);
      else yield { line: info.lines - surplus, ...fieldsOf(record, columns) };
    }
  } catch (error) {
    throw error instanceof CsvError ? inWords(error) : error;
  }
  if (columns === undefined) {
    throw new Problem('invalid_request', 'There is nothing in it: its first line names columns.');
  }
}

function records(source: Readable): AsyncIterable<CsvRecord> {
  const parser = parse({
    bom: true,
    info: true,
    max_record_size: LONGEST_ROW,
    record_delimiter: ['\r\n', '\n'],
    relax_column_count: true,
    skip_empty_lines: true,
  });
  return pipeline(source, parser, () => undefined); // whoever reads the parser gets the error
}

/** @throws {Problem} `invalid_request` unless these are columns that are known, each once, with all that are needed. */
function checked(columns: readonly string[]): readonly string[] {
  const problem = columnsProblem(columns);
  if (problem === undefined) return columns;
  throw new Problem('invalid_request', `Line 1 names the columns, but ${problem}`);
}

function columnsProblem(columns: readonly string[]): string | undefined {
  const known: readonly string[] = FIELDS;
  for (const [index, name] of columns.entries()) {
    const shown = `the column "${visible(name).slice(0, 40)}" is`;
    if (name.toLowerCase() === 'password') return `${shown} not one of them. ${NO_PASSWORDS}`;
    if (!known.includes(name)) return `${shown} not known. Known are ${known.join(', ')}.`;
    if (columns.indexOf(name) !== index) return `${shown} there twice.`;
  }
  const missing = REQUIRED.find((name) => !columns.includes(name));
  return missing && `there is no column ${missing}.`;
}

function fieldsOf(record: readonly string[], columns: readonly string[]): Omit<Row, 'line'> {
  if (record.length !== columns.length) {
    return { problem: `The row has ${record.length} fields, and line 1 has ${columns.length}.` };
  }
  // The parser writes U+FFFD for what it cannot read.
  const unread = columns.find((_, index) => record[index]?.includes('\uFFFD'));
  if (unread !== undefined) return { problem: `The field ${unread} is not valid UTF-8.` };
  return { fields: Object.fromEntries(columns.map((name, index) => [name, record[index]])) };
}

const REASONS: Readonly<Record<string, string>> = {
  CSV_MAX_RECORD_SIZE: `a row has more than ${LONGEST_ROW} bytes. Is a closing quote missing?`,
  CSV_QUOTE_NOT_CLOSED: 'a quoted field does not end.',
  CSV_INVALID_CLOSING_QUOTE:
    'something follows a closing quote; in a quoted field, write "" for ".',
  INVALID_OPENING_QUOTE:
    'a quote is in a field that does not begin with one; quote the whole field.',
};

function inWords({ code, ['lines']: line }: CsvError): Problem {
  const reason = REASONS[code] ?? code;
  return new Problem(
    'invalid_request',
    `Line ${String(line)}: ${reason} Nothing from there on was read. Mend it and run it again: who is in already is passed over.`,
  );
}
