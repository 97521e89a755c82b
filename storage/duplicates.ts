/** How each engine says that a unique column has that value in another row: SQLite's extended code, and PostgreSQL's. */
const SQLITE = 2067;
const POSTGRES = '23505';

/** Whether a write has failed for that. */
export function isDuplicate(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    ('errcode' in error && error.errcode === SQLITE) || ('code' in error && error.code === POSTGRES)
  );
}
