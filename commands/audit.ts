import { setTimeout as delay } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { type EventName, EVENTS } from '../audit/events.ts';
import {
  endOfTrail,
  readTrail,
  type TrailEntry,
  type TrailQuery,
  usersInTrail,
} from '../audit/trail.ts';
import type { Services } from '../config/services.ts';
import { parseTime, systemClock } from '../core/clock.ts';
import { parseDuration } from '../core/durations.ts';
import { Problem } from '../core/errors.ts';
import { visible, visibleJson } from '../core/text.ts';
import { cellsOf, HEADINGS, jsonOf } from './audit-rows.ts';
import { withServices } from './context.ts';
import { columnWidths, print, printRow, printTable } from './terminal.ts';

const BY_DEFAULT = 100;
const MOST = 100_000;

/** How often `--follow` looks for more, in milliseconds. */
const LOOK = 1000;

/** A row may be seen later than one that was written after it, by so many looks: as long as a transaction may last. */
const LATE = 10;

/** What `--follow` reads at once. */
const PAGE = 1000;

interface Options {
  user?: string;
  since?: number;
  until?: number;
  event?: EventName[];
  limit: number;
  follow?: true;
  json?: true;
}

export function auditCommand(program: Command): void {
  program
    .command('audit')
    .description('show who signed in, who changed what, and what was refused, oldest first')
    .option('--user <username>', 'about one user only: by name, e-mail address or id, also if gone')
    .option(
      '--since <time>',
      'from then on: 2026-11-25, 2026-11-25T14:30Z, or 24h for a day ago',
      time,
    )
    .option('--until <time>', 'before then, in the same form', time)
    .option(
      '--event <name>',
      'such as login.failed, or login for all of them; may be repeated',
      events,
    )
    .option(
      '--limit <number>',
      `the last ones of all that there are, ${MOST} at most`,
      limit,
      BY_DEFAULT,
    )
    .option('--follow', 'go on with what happens from now on, until Ctrl-C')
    .option('--json', 'print each as a line of JSON, with all that is known of it')
    .addHelpText('after', `\nThe events are: ${EVENTS.join(', ')}.`)
    .action((options: Options, command: Command) => {
      const { since = -Infinity, until = Infinity, follow: follows } = options;
      if (since >= until) command.error('error: --since has to be before --until');
      if (follows && options.until !== undefined) {
        command.error('error: --follow does not go together with --until');
      }
      return withServices((services) => show(services, options));
    });
}

async function show(services: Services, options: Options): Promise<void> {
  const { database } = services;
  const { since, until, event: names, limit: most, json } = options;
  const users = options.user === undefined ? undefined : await idsOf(services, options.user);
  const query = { users, events: names, since, until };
  const end = await endOfTrail(database);
  const entries = await readTrail(database, { ...query, limit: most });
  const cells = entries.map(cellsOf);
  if (json) for (const entry of entries) print(visibleJson(jsonOf(entry), 0));
  else printTable(HEADINGS, cells);
  if (!options.follow) return;
  const widths = columnWidths(HEADINGS, cells);
  const more = follow(services, query, end, new Set(entries.map(({ id }) => id)));
  for await (const entry of more) {
    if (json) print(visibleJson(jsonOf(entry), 0));
    else printRow(cellsOf(entry), widths);
  }
}

/** Whoever has or had that name, and whoever has that id. @throws {Problem} `not_found` */
async function idsOf({ users, database }: Services, nameOrId: string): Promise<string[]> {
  const found = [await users.findLogin(nameOrId), { user: await users.findById(nameOrId) }];
  const ids = new Set(found.flatMap((one) => one?.user?.id ?? []));
  for (const id of await usersInTrail(database, nameOrId)) ids.add(id);
  if (ids.size > 0) return [...ids];
  throw new Problem(
    'not_found',
    `There is no user "${visible(nameOrId)}", and nothing is on record of one.`,
  );
}

/** What is written from now on. @param seen ids that are not to be shown again */
async function* follow(
  { database }: Services,
  query: Omit<TrailQuery, 'limit'>,
  end: number,
  seen: Set<number>,
): AsyncGenerator<TrailEntry> {
  const ends = Array.from({ length: LATE }, () => end);
  for (;;) {
    await delay(LOOK);
    let after = ends.shift() ?? end;
    let page: TrailEntry[];
    for (const id of seen) if (id <= after) seen.delete(id);
    do {
      page = await readTrail(database, { ...query, after, limit: PAGE });
      after = page.at(-1)?.id ?? after;
      for (const entry of page) {
        if (!seen.has(entry.id)) yield entry;
        seen.add(entry.id);
      }
    } while (page.length === PAGE);
    ends.push(Math.max(after, ends.at(-1) ?? end));
  }
}

function time(text: string): number {
  const ago = parseDuration(text);
  const at = ago === undefined ? parseTime(text) : systemClock.now() - ago * 1000;
  if (at !== undefined) return at;
  throw new InvalidArgumentError(
    'A time is a day, 2026-11-25; a moment with its zone, 2026-11-25T14:30Z; or how long ago: 90s, 15m, 6h, 7d.',
  );
}

function events(text: string, before: EventName[] = []): EventName[] {
  const named = EVENTS.filter((event) => event === text || event.startsWith(`${text}.`));
  if (named.length > 0) return [...before, ...named];
  throw new InvalidArgumentError(`There is no such event. There are: ${EVENTS.join(', ')}.`);
}

function limit(text: string): number {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= MOST) return number;
  throw new InvalidArgumentError(`It is a whole number from 1 to ${MOST}.`);
}
