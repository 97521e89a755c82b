import type { Command } from 'commander';
import { isoTime } from '../core/clock.ts';
import { Problem } from '../core/errors.ts';
import { findUser, withServices } from './context.ts';
import { printJson, printTable, say, shortTime, visible } from './terminal.ts';

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
    .description('end one session, or all of a user')
    .option('--user <username>', 'all sessions of that user')
    .action((id: string | undefined, options: { user?: string }, command: Command) => {
      if ((id === undefined) === (options.user === undefined)) {
        command.error(
          'error: name either the id of a session, from "session list", or --user <username>',
        );
      }
      return withServices(async ({ users, sessions }) => {
        if (options.user !== undefined) {
          const owner = await findUser(users, options.user);
          const ended = await sessions.revokeByUser(owner.id);
          say(
            `Ended ${ended === 1 ? '1 session' : `${ended} sessions`} of ${visible(owner.username)}.`,
          );
        } else if (id === undefined || !(await sessions.revoke(id))) {
          throw new Problem('not_found', 'There is no session of that id.');
        } else {
          say('Ended the session.');
        }
      });
    });
}
