import type { Transaction } from 'kysely';
import type { Schema } from './schema.ts';

type Work<T> = (db: Transaction<Schema>) => Promise<T>;

/** What is to be done once a transaction has been committed. */
const waiting = new WeakMap<object, (() => void)[]>();

/** Does something once the transaction has been committed, and not if it is rolled back; at once where there is none. */
export function afterCommit(db: object, act: () => void): void {
  const acts = waiting.get(db);
  if (acts === undefined) act();
  else acts.push(act);
}

/**
 * Runs a transaction, and then what `afterCommit` was given in it.
 * @param execute runs the work in a transaction, once
 */
export async function thenActs<T>(
  work: Work<T>,
  execute: (work: Work<T>) => Promise<T>,
): Promise<T> {
  const acts: (() => void)[] = [];
  const result = await execute((db) => {
    waiting.set(db, acts);
    return work(db);
  });
  for (const act of acts) act();
  return result;
}
