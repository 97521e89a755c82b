import type { Command } from 'commander';
import type { Services } from '../config/services.ts';
import { isoTime } from '../core/clock.ts';
import { Problem } from '../core/errors.ts';
import { visible } from '../core/text.ts';
import { findUser, withServices } from './context.ts';
import { counted, printJson, printTable, say, shortTime } from './terminal.ts';

export function sessionCommand(program: Command): void {
  const session = program.command('session').description('look at and end sessions');
  session
    .command('list')
    .description('list the sessions that are alive, newest first')
    .option('--user <username>', 'of one user only')
    .option('--json', 'print them as JSON')
    .action((options: { user?: string; json?: true }) =>
      withServices(async ({ users, sessions }) => {
        const owner = options.user === undefined ? undefined : await findUser(users, options.user);
        const alive = await sessions.list(owner?.id);
        const names = new Map((await users.list()).map(({ id, username }) => [id, username]));
        const rows = alive.map((one) => ({
          id: one.publicId,
          username: names.get(one.userId) ?? '(gone)',
          amr: one.amr,
          created_at: isoTime(one.createdAt),
          last_seen_at: isoTime(one.lastSeenAt),
          expires_at: isoTime(Math.min(one.expiresAt, one.idleExpiresAt)),
          address: one.address,
          user_agent: one.userAgent,
        }));
        if (options.json) return printJson(rows);
        return printTable(
          ['ID', 'USER', 'HOW', 'SIGNED IN', 'LAST SEEN', 'ENDS', 'ADDRESS', 'DEVICE'],
          rows.map((row) => [
            row.id,
            row.username,
            row.amr,
            shortTime(row.created_at),
            shortTime(row.last_seen_at),
            shortTime(row.expires_at),
            row.address ?? '',
            (row.user_agent ?? '').slice(0, 40),
          ]),
        );
      }),
    );
  session
    .command('revoke [id]')
    .description('end one session, all of a user, or all there are')
    .option('--user <username>', 'all sessions of that user')
    .option('--all', 'all sessions of everybody, as after a restore')
    .action((id: string | undefined, options: Which, command: Command) => {
      const named = [id, options.user, options.all].filter((one) => one !== undefined);
      if (named.length !== 1) {
        command.error(
          'error: name either the id of a session, from "session list", or --user <username>, or --all',
        );
      }
      return withServices((services) => revoke(services, id, options));
    });
}

interface Which {
  user?: string;
  all?: true;
}

async function revoke(
  { users, sessions, audit }: Services,
  id = '',
  { user, all }: Which,
): Promise<void> {
  const event = 'session.revoked';
  if (user !== undefined) {
    const owner = await findUser(users, user);
    const subject = { kind: 'user', id: owner.id } as const;
    const ended = await audit.recordWith({ event, subject }, (write) =>
      sessions.revokeByUser(owner.id, undefined, undefined, (db, { length }) =>
        write(db, { details: { scope: 'all', sessions: length } }),
      ),
    );
    say(`Ended ${counted(ended, 'session')} of ${visible(owner.username)}.`);
  } else if (all) {
    const revoked = await sessions.revokeAll();
    await audit.record({ event, details: { scope: 'everybody', sessions: revoked } });
    say(`Ended all sessions: the tokens of ${counted(revoked, 'session')} are revoked.`);
  } else if (await revokeOne({ sessions, audit }, id)) {
    say('Ended the session.');
  } else {
    throw new Problem('not_found', 'There is no session of that id.');
  }
}

function revokeOne({ sessions, audit }: Pick<Services, 'sessions' | 'audit'>, id: string) {
  return audit.recordWith(
    { event: 'session.revoked', session: id, details: { scope: 'one' } },
    (write) =>
      sessions.revoke(id, (db, [ended]) =>
        write(db, { subject: ended && { kind: 'user', id: ended.userId } }),
      ),
  );
}
