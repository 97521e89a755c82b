import type { TrailEntry } from '../audit/trail.ts';
import { isoTime } from '../core/clock.ts';
import { parsedJson } from '../core/json.ts';

/** The columns of the table. */
export const HEADINGS = [
  'TIME (UTC)',
  'EVENT',
  'BY',
  'ABOUT',
  'ADDRESS',
  'DETAILS',
  'REQUEST',
  'USER AGENT',
];

/** For a person. */
export function cellsOf(entry: TrailEntry): string[] {
  return [
    isoTime(entry.at).slice(0, 19).replace('T', ' '),
    entry.event,
    [entry.actor_kind, nameOfActor(entry)].filter((part) => part !== '').join(' '),
    nameOf(entry) ?? entry.subject_id ?? '',
    entry.address ?? '',
    Object.entries(detailsOf(entry))
      .map(([name, value]) => `${name}=${String(value)}`)
      .join(' '),
    entry.request_id ?? '',
    (entry.user_agent ?? '').slice(0, 40),
  ];
}

function nameOfActor(entry: TrailEntry): string {
  const isOwn = entry.actor_kind === entry.subject_kind && entry.actor_id === entry.subject_id;
  return (isOwn ? nameOf(entry) : undefined) ?? entry.actor_id ?? '';
}

function nameOf({ username, last_name, subject_name }: TrailEntry): string | undefined {
  return username ?? subject_name ?? last_name ?? undefined;
}

/** For a program. */
export function jsonOf(entry: TrailEntry) {
  return {
    id: entry.id,
    at: isoTime(entry.at),
    event: entry.event,
    actor: { kind: entry.actor_kind, id: entry.actor_id },
    subject:
      entry.subject_kind === null
        ? null
        : { kind: entry.subject_kind, id: entry.subject_id, name: nameOf(entry) ?? null },
    session: entry.session_id,
    address: entry.address,
    user_agent: entry.user_agent,
    request_id: entry.request_id,
    details: detailsOf(entry),
  };
}

/** A row that somebody has written by hand must not keep the others from being shown. */
function detailsOf({ details }: TrailEntry): object {
  const value = parsedJson(details ?? '');
  return typeof value === 'object' && value !== null ? value : {};
}
