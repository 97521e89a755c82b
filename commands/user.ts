import { type Command, InvalidArgumentError } from 'commander';
import type { Services } from '../config/services.ts';
import { isoTime } from '../core/clock.ts';
import { Problem } from '../core/errors.ts';
import { passwordProblem } from '../users/password-policy.ts';
import { refuseBadNames, type User } from '../users/user-store.ts';
import { findUser, withServices } from './context.ts';
import { newPassword, print, printJson, printTable, say, shortTime, visible } from './terminal.ts';

export function userCommand(program: Command): void {
  const user = program.command('user').description('add, look at and change users');
  addCommand(user);
  listCommand(user);
  showCommand(user);
  disableCommand(user);
  enableCommand(user);
  deleteCommand(user);
  passwordCommand(user);
  rolesCommand(user);
}

function addCommand(user: Command): void {
  user
    .command('add <username>')
    .description('add a user; the password comes from a prompt or from standard input')
    .option('--email <address>', 'a second way to log in')
    .option('--name <name>', 'the name to show')
    .option('--roles <roles>', 'separated by commas', roleList)
    .option('--json', 'print the user as JSON')
    .addHelpText(
      'after',
      `
Examples:
  coatcheck user add ada --email ada@example.org --roles admin,editor
  pass show ada | coatcheck user add ada`,
    )
    .action(
      (
        username: string,
        options: { email?: string; name?: string; roles?: string[]; json?: true },
      ) =>
        withServices(async ({ users, passwords }) => {
          const { email, name, roles } = options;
          refuseBadNames({ username, email, name, roles });
          if (await users.findByUsername(username))
            throw new Problem('username_taken', 'Another user has that username.');
          const password = await acceptedPassword([username, email, name]);
          const passwordHash = await passwords.hash(password);
          const added = await users.add({ username, email, name, roles, passwordHash });
          if (options.json) printJson(userJson(added));
          else say(`Added ${visible(added.username)} (${added.id}).`);
        }),
    );
}

function listCommand(user: Command): void {
  user
    .command('list')
    .description('list all users')
    .option('--json', 'print them as JSON')
    .action((options: { json?: true }) =>
      withServices(async ({ users }) => {
        const all = await users.list();
        if (options.json) return printJson(all.map(userJson));
        const rows = all.map((one) => [
          one.username,
          one.name ?? '',
          one.email ?? '',
          one.roles.join(','),
          one.disabled ? 'disabled' : one.hasPassword ? '' : 'no password',
        ]);
        return printTable(['USERNAME', 'NAME', 'E-MAIL', 'ROLES', 'STATE'], rows);
      }),
    );
}

function showCommand(user: Command): void {
  user
    .command('show <username>')
    .description('show one user, by username or e-mail address')
    .option('--json', 'print the user as JSON')
    .action((username: string, options: { json?: true }) =>
      withServices(async (services) => {
        const found = await findUser(services.users, username);
        const alive = await services.sessions.list(found.id);
        if (options.json) return printJson({ ...userJson(found), sessions: alive.length });
        return printTable(
          ['USER', found.username],
          [
            ['id', found.id],
            ['name', found.name ?? '-'],
            ['e-mail', found.email ?? '-'],
            ['roles', found.roles.join(',') || '-'],
            ['password', found.hasPassword ? 'set' : 'none'],
            ['state', found.disabled ? 'disabled' : 'active'],
            ['sessions', String(alive.length)],
            ['created', `${shortTime(isoTime(found.createdAt))} UTC`],
          ],
        );
      }),
    );
}

function disableCommand(user: Command): void {
  user
    .command('disable <username>')
    .description('end the sessions of a user and let them in no more')
    .action((username: string) =>
      withServices(async (services) => {
        const { id } = await findUser(services.users, username);
        await services.users.setDisabled(id, true);
        say(`Disabled ${visible(username)}; ${await endSessions(services, id)}.`);
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
        await services.users.setDisabled(id, false);
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
        const { id } = await findUser(services.users, username);
        await services.users.remove(id);
        say(`Deleted ${visible(username)}; ${await endSessions(services, id)}.`);
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
        const password = await acceptedPassword([found.username, found.email, found.name]);
        await services.users.setPassword(found.id, await services.passwords.hash(password));
        say(
          `Changed the password of ${visible(username)}; ${await endSessions(services, found.id)}.`,
        );
      }),
    );
}

function rolesCommand(user: Command): void {
  user
    .command('roles <username>')
    .description('show or change the roles of a user; the next exchange carries them')
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
          const kept = (set ?? found.roles).filter((role) => !remove.includes(role));
          const roles = [...new Set([...kept, ...add])];
          if (set || add.length + remove.length > 0) await services.users.setRoles(found.id, roles);
          if (options.json) printJson(roles);
          else print(roles.join(','));
        }),
    );
}

async function acceptedPassword(own: readonly (string | null | undefined)[]): Promise<string> {
  const password = await newPassword();
  const problem = passwordProblem(password, own);
  if (problem !== undefined) throw new Problem('password_refused', problem);
  return password;
}

async function endSessions({ sessions }: Services, userId: string): Promise<string> {
  const ended = await sessions.revokeByUser(userId);
  return ended === 1 ? '1 session has ended' : `${ended} sessions have ended`;
}

function userJson({ createdAt, hasPassword, ...user }: User) {
  return { ...user, has_password: hasPassword, created_at: isoTime(createdAt) };
}

function roleList(text: string): string[] {
  return text === '' ? [] : text.split(',').map((role) => role.trim());
}

function collect(role: string, before: string[] = []): string[] {
  if (role === '') throw new InvalidArgumentError('A role has a name.');
  return [...before, role];
}
