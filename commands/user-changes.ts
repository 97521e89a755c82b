import { type Command, InvalidArgumentError } from 'commander';
import type { Transaction } from 'kysely';
import type { WriteEvent } from '../audit/audit.ts';
import type { EventName } from '../audit/events.ts';
import type { Services } from '../config/services.ts';
import { Problem } from '../core/errors.ts';
import { visible } from '../core/text.ts';
import type { Schema } from '../storage/schema.ts';
import { findUser, noUser, withServices } from './context.ts';
import { newPassword, print, printJson, say } from './terminal.ts';

/** The commands that change a user who is there already. */
export function userChangeCommands(user: Command): void {
  disableCommand(user);
  enableCommand(user);
  deleteCommand(user);
  emailCommand(user);
  passwordCommand(user);
  unlockCommand(user);
  rolesCommand(user);
}

function disableCommand(user: Command): void {
  user
    .command('disable <username>')
    .description('end the sessions of a user and let them in no more')
    .action((username: string) =>
      withServices(async (services) => {
        const { id } = await findUser(services.users, username);
        say(`Disabled ${visible(username)}; ${await disable(services, id, username)}.`);
      }),
    );
}

function enableCommand(user: Command): void {
  user
    .command('enable <username>')
    .description('let a disabled user in again')
    .action((username: string) =>
      withServices(async (services) => {
        const { id } = await findUser(services.users, username);
        await onRecord(services, 'user.enabled', id, (write) =>
          services.database.transaction(async (db) => {
            if (!(await services.users.setDisabled(id, false, db))) throw noUser(username);
            await write(db);
          }),
        );
        say(`Enabled ${visible(username)}.`);
      }),
    );
}

function deleteCommand(user: Command): void {
  user
    .command('delete <username>')
    .description('remove a user and their sessions, for good')
    .action((username: string) =>
      withServices(async (services) => {
        const { id, username: name } = await findUser(services.users, username);
        const ended = await disable(services, id, username); // first, so that it can be done again if it stops half way
        await onRecord(services, 'user.deleted', id, (write) =>
          services.database.transaction(async (db) => {
            if (!(await services.users.remove(id, db))) throw noUser(username);
            await write(db, { subject: { kind: 'user', id, name } });
          }),
        );
        say(`Deleted ${visible(username)}; ${ended}.`);
      }),
    );
}

function emailCommand(user: Command): void {
  user
    .command('email <username> [address]')
    .description('change the e-mail address, and revoke the tokens that carry the old one')
    .option('--remove', 'have none')
    .action((username: string, address: string | undefined, options: { remove?: true }) =>
      withServices(async (services) => {
        if ((address === undefined) !== (options.remove === true))
          user.error('error: give either an address or --remove');
        const { id } = await findUser(services.users, username);
        await onRecord(services, 'user.email_changed', id, (write) =>
          services.changeClaims(id, async (db) => {
            const isThere = await services.users.setEmail(id, address ?? null, db);
            if (!isThere) throw noUser(username);
            await write(db);
          }),
        );
        const done = address === undefined ? 'Removed' : 'Changed';
        say(`${done} the e-mail address of ${visible(username)}.`);
      }),
    );
}

function passwordCommand(user: Command): void {
  user
    .command('password <username>')
    .description(
      'set a new password, from a prompt or from standard input, and end the sessions of the user',
    )
    .action((username: string) =>
      withServices(async (services) => {
        const found = await findUser(services.users, username);
        const password = await acceptedPassword(services, [
          found.username,
          found.email,
          found.name,
        ]);
        const passwordHash = await services.passwords.hash(password);
        const ended = await endSessions(
          services,
          { event: 'user.password_changed', id: found.id, username },
          (db) => services.users.setPassword(found.id, passwordHash, db),
        );
        say(`Changed the password of ${visible(username)}; ${ended}.`);
      }),
    );
}

function unlockCommand(user: Command): void {
  user
    .command('unlock <username>')
    .description('forget the wrong passwords that were tried for a user, who then need not wait')
    .action((username: string) =>
      withServices(async ({ users, attempts, audit }) => {
        const found = await findUser(users, username);
        for (const login of [found.username, found.email]) {
          for (const kind of ['account', 'login'] as const)
            if (login) await attempts.forget({ kind, subject: login });
        }
        await audit.record({ event: 'user.unlocked', subject: { kind: 'user', id: found.id } });
        say(`Unlocked ${visible(username)}.`);
      }),
    );
}

function rolesCommand(user: Command): void {
  user
    .command('roles <username>')
    .description(
      'show or change the roles of a user; tokens with the old ones are revoked, the sessions go on',
    )
    .option('--add <role>', 'add a role; may be repeated', collect)
    .option('--remove <role>', 'remove a role; may be repeated', collect)
    .option('--set <roles>', 'replace them all; separated by commas, "" for none', roleList)
    .option('--json', 'print the roles as JSON')
    .action(
      (
        username: string,
        options: { add?: string[]; remove?: string[]; set?: string[]; json?: true },
        command: Command,
      ) =>
        withServices(async (services) => {
          const { add = [], remove = [], set } = options;
          if (set && add.length + remove.length > 0) {
            command.error(
              'error: --set replaces all roles; it does not go together with --add or --remove',
            );
          }
          const found = await findUser(services.users, username);
          let { roles } = found;
          if (set || add.length + remove.length > 0) {
            const next = (current: readonly string[]) => {
              const kept = (set ?? current).filter((role) => !remove.includes(role));
              return [...new Set([...kept, ...add])];
            };
            const changed = await onRecord(services, 'user.roles_changed', found.id, (write) =>
              services.changeRoles(found.id, next, (db, details) =>
                write(db, { details: { ...details } }),
              ),
            );
            if (changed === undefined) throw noUser(username);
            ({ roles } = changed);
          }
          if (options.json) printJson(roles);
          else print(roles.join(','));
        }),
    );
}

export async function acceptedPassword(
  { settings }: Pick<Services, 'settings'>,
  own: readonly (string | null | undefined)[],
): Promise<string> {
  const password = await newPassword();
  const { passwordPolicy } = await import('../users/password-policy.ts');
  const problem = passwordPolicy(settings.publicUrl)(password, own);
  if (problem !== undefined) throw new Problem('password_refused', problem);
  return password;
}

function disable(services: Services, id: string, username: string): Promise<string> {
  return endSessions(services, { event: 'user.disabled', id, username }, (db) =>
    services.users.setDisabled(id, true, db),
  );
}

interface Ending {
  readonly event: EventName;
  readonly id: string;
  /** As it was typed. */
  readonly username: string;
}

/**
 * Ends all sessions of a user together with the change that is the reason for it.
 * @param change answers whether the user is still there
 * @throws {Problem} `not_found` if not
 */
async function endSessions(
  services: Services,
  { event, id, username }: Ending,
  change: (db: Transaction<Schema>) => Promise<boolean>,
): Promise<string> {
  const ended = await onRecord(services, event, id, (write) =>
    services.sessions.revokeByUser(id, undefined, async (db) => {
      if (!(await change(db))) throw noUser(username);
      await write(db);
    }),
  );
  return ended === 1 ? '1 session has ended' : `${ended} sessions have ended`;
}

function onRecord<T>(
  { audit }: Services,
  event: EventName,
  userId: string,
  work: (write: WriteEvent) => Promise<T>,
): Promise<T> {
  return audit.recordWith({ event, subject: { kind: 'user', id: userId } }, work);
}

export function roleList(text: string): string[] {
  return text === '' ? [] : text.split(',').map((role) => role.trim());
}

function collect(role: string, before: string[] = []): string[] {
  if (role === '') throw new InvalidArgumentError('A role has a name.');
  return [...before, role];
}
