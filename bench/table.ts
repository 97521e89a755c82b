/** One column of a text table: its heading, and how a row shows in it. */
export interface Column<Row> {
  readonly heading: string;
  readonly align: 'left' | 'right';
  readonly cell: (row: Row) => string;
}

/** A column of figures. */
export function right<Row>(heading: string, cell: (row: Row) => string): Column<Row> {
  return { heading, align: 'right', cell };
}

function pad(text: string, width: number, align: 'left' | 'right'): string {
  return align === 'left' ? text.padEnd(width) : text.padStart(width);
}

/** Lays rows out in aligned columns under their headings and a rule. */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const filled = columns.map(({ heading, align, cell }) => {
    const cells = [heading, ...rows.map(cell)];
    const width = Math.max(...cells.map((text) => text.length));
    const [head = '', ...body] = cells.map((text) => pad(text, width, align));
    return [head, '-'.repeat(width), ...body];
  });
  const lines = Array.from({ length: rows.length + 2 }, (_, line) =>
    filled.map((column) => column[line] ?? '').join('  '),
  );
  return lines.map((line) => line.trimEnd()).join('\n');
}
