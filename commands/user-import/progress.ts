import { monotonic } from '../../core/clock.ts';

/** How often it is shown, in milliseconds: on a terminal over the line before, elsewhere on a line of its own. */
const ON_TERMINAL = 100;
const ELSEWHERE = 10_000;

const WIDTH = 30;

export interface ProgressOptions {
  readonly terminal: boolean;
  readonly write: (text: string) => void;
  /** Milliseconds. */
  readonly now?: () => number;
}

/** Shows how far an import has got, every now and then. */
export class Progress {
  readonly #terminal: boolean;
  readonly #write: (text: string) => void;
  readonly #now: () => number;
  #shown: number;

  constructor({ terminal, write, now = monotonic }: ProgressOptions) {
    this.#terminal = terminal;
    this.#write = write;
    this.#now = now;
    this.#shown = now();
  }

  /** @param read the share of the file that has been read, if it is known how long it was: more than 1 if it has grown */
  show(rows: number, read: number | undefined): void {
    if (this.#now() - this.#shown < (this.#terminal ? ON_TERMINAL : ELSEWHERE)) return;
    this.#shown = this.#now();
    const share = read === undefined ? undefined : Math.min(1, read);
    const counted = `${rows.toLocaleString('en')} rows`;
    const percent = share === undefined ? '' : `${Math.floor(share * 100)} %`;
    if (!this.#terminal) {
      this.#write(`${counted} so far${percent && `, ${percent}`}\n`);
    } else {
      this.#write(`\r\u001B[K${share === undefined ? '' : `${bar(share)} ${percent}, `}${counted}`);
    }
  }

  /** Takes the line on the terminal away. */
  end(): void {
    if (this.#terminal) this.#write('\r\u001B[K');
  }
}

function bar(share: number): string {
  const done = Math.floor(share * WIDTH);
  return `[${'#'.repeat(done)}${'.'.repeat(WIDTH - done)}]`;
}
