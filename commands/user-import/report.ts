import { once } from 'node:events';
import { type FileHandle, open } from 'node:fs/promises';
import { Problem } from '../../core/errors.ts';
import { visible, visibleJson } from '../../core/text.ts';

/** What became of a row. */
export interface ReportLine {
  readonly line: number;
  /** Empty where the row could not be read. */
  readonly username: string;
  readonly result: 'imported' | 'exists' | 'refused';
  readonly reason: string;
}

export interface ReportOptions {
  /** Where it goes instead of to standard output. */
  readonly report?: string;
  readonly json?: true;
}

/** On a terminal only what was refused is of use, and no more than fits on a screen. */
const ON_SCREEN = 20;

interface Form {
  readonly head: string;
  readonly between: string;
  readonly foot: string;
  readonly row: (line: ReportLine) => string;
}

const JSON_ARRAY: Form = {
  head: '[\n',
  between: ',\n',
  foot: '\n]\n',
  row: (line) => visibleJson(line, 0),
};

/** The columns are as wide as they mostly need be: nothing is kept until the end to measure it. */
const TABLE: Form = {
  head: `${columns('LINE', 'RESULT', 'USERNAME', 'REASON')}\n`,
  between: '',
  foot: '',
  row: ({ line, result, username, reason }) =>
    `${columns(String(line), result, visible(username), visible(reason))}\n`,
};

function columns(line: string, result: string, username: string, reason: string): string {
  return `${line.padEnd(8)}  ${result.padEnd(8)}  ${username.padEnd(24)}  ${reason}`.trimEnd();
}

/** Writes what became of each row as soon as it is known, and counts. */
export class Report implements AsyncDisposable {
  readonly counts = { imported: 0, exists: 0, refused: 0 };
  readonly #form: Form;
  readonly #file: FileHandle | undefined;
  readonly #shortened: boolean;
  #written = 0;
  #broken = false;

  private constructor({ report, json }: ReportOptions, file: FileHandle | undefined) {
    this.#form = json ? JSON_ARRAY : TABLE;
    this.#file = file;
    this.#shortened = report === undefined && !json && process.stdout.isTTY;
  }

  /** @throws {Problem} `invalid_request` when there is a file of that name: it may be the one with the users */
  static async open(options: ReportOptions): Promise<Report> {
    process.stdout.on('error', () => undefined); // said by what writes
    const { report } = options;
    if (report === undefined) return new Report(options, undefined);
    const file = await open(report, 'wx', 0o600).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      throw new Problem(
        'invalid_request',
        `${visible(report)} exists already, and no report is written over it: name another file.`,
      );
    });
    return new Report(options, file);
  }

  get total(): number {
    const { imported, exists, refused } = this.counts;
    return imported + exists + refused;
  }

  async add(lines: readonly ReportLine[]): Promise<void> {
    let text = '';
    for (const line of lines) {
      this.counts[line.result] += 1;
      if (this.#shortened && (line.result !== 'refused' || this.counts.refused > ON_SCREEN))
        continue;
      text += (this.#written === 0 ? this.#form.head : this.#form.between) + this.#form.row(line);
      this.#written += 1;
    }
    await this.#write(text);
  }

  /** Ends it, also where the import stops half way. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { head, foot } = this.#form;
    if (this.#written > 0) await this.#write(foot);
    else if (!this.#shortened) await this.#write(head + foot.trimStart());
    await this.#file?.close();
  }

  async #write(text: string): Promise<void> {
    if (text === '' || this.#broken) return;
    this.#broken = true; // the end would fail too, and hide why
    if (this.#file !== undefined) await this.#file.writeFile(text);
    else if (!process.stdout.write(text)) await once(process.stdout, 'drain');
    this.#broken = false;
  }
}
