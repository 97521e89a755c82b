import type { Kysely } from 'kysely';
import { canonical } from '../core/text.ts';
import type { Database } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';

/** Which rows of the record are meant: those that are all of it. */
export interface TrailQuery {
  /** The ids of users whom it is about. Never empty. */
  readonly users?: readonly string[] | undefined;
  /** Never empty. */
  readonly events?: readonly string[] | undefined;
  /** Milliseconds since 1970: from then on, and before. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Those that were written after the row of this id, the first ones; left out, the last ones. */
  readonly after?: number;
  readonly limit: number;
}

/** A row of the record, with the name that the user has now, or had. */
export type TrailEntry = Awaited<ReturnType<typeof readTrail>>[number];

/** How many names are looked up at once: a statement has room for so many parameters only. */
const AT_ONCE = 1000;

/** Rows of the record, oldest first. */
export async function readTrail({ kysely }: Database, query: TrailQuery) {
  const { users, events, since, until, after, limit } = query;
  let rows = kysely
    .selectFrom('audit_events')
    .leftJoin('users', (join) =>
      join
        .onRef('users.id', '=', 'audit_events.subject_id')
        .on('audit_events.subject_kind', '=', 'user'),
    )
    .selectAll('audit_events')
    .select('users.username')
    .orderBy('audit_events.id', after === undefined ? 'desc' : 'asc')
    .limit(limit);
  if (after !== undefined) rows = rows.where('audit_events.id', '>', after);
  if (users !== undefined) rows = rows.where('audit_events.subject_id', 'in', users);
  if (events !== undefined) rows = rows.where('audit_events.event', 'in', events);
  if (since !== undefined) rows = rows.where('audit_events.at', '>=', since);
  if (until !== undefined) rows = rows.where('audit_events.at', '<', until);
  const found = await rows.execute();
  const nameless = found.flatMap((row) => (row.username === null ? (row.subject_id ?? []) : []));
  const names = await lastNames(kysely, [...new Set(nameless)]);
  const entries = found.map((row) => ({
    ...row,
    last_name: names.get(row.subject_id ?? '') ?? null,
  }));
  return after === undefined ? entries.toReversed() : entries;
}

/** What the record last called them, by their ids. */
async function lastNames(
  kysely: Kysely<Schema>,
  ids: readonly string[],
): Promise<ReadonlyMap<string | null, string | null>> {
  const names = new Map<string | null, string | null>();
  for (let start = 0; start < ids.length; start += AT_ONCE) {
    const rows = await kysely
      .selectFrom('audit_events')
      .select(['subject_id', 'subject_name'])
      .where('subject_id', 'in', ids.slice(start, start + AT_ONCE))
      .where('subject_name', 'is not', null)
      .orderBy('subject_id')
      .orderBy('id')
      .execute();
    for (const { subject_id, subject_name } of rows) names.set(subject_id, subject_name);
  }
  return names;
}

/** The ids of all users whom the record knows by that name, or as that id: also of those who are gone. */
export async function usersInTrail({ kysely }: Database, nameOrId: string): Promise<string[]> {
  const rows = await kysely
    .selectFrom('audit_events')
    .select('subject_id')
    .distinct()
    .where('subject_kind', '=', 'user')
    .where((eb) =>
      eb.or([eb('subject_name', '=', canonical(nameOrId)), eb('subject_id', '=', nameOrId)]),
    )
    .execute();
  return rows.flatMap(({ subject_id }) => subject_id ?? []);
}

/** The id of the row that was written last; 0 where there is none. */
export async function endOfTrail({ kysely }: Database): Promise<number> {
  const last = await kysely
    .selectFrom('audit_events')
    .select('id')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return last?.id ?? 0;
}
