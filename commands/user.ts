import type { Command } from 'commander';
import { isoTime } from '../core/clock.ts';
import { Problem } from '../core/errors.ts';
import { visible } from '../core/text.ts';
import { refuseBadNames, type User } from '../users/user-store.ts';
import { findUser, withServices } from './context.ts';
import { printJson, printTable, say, shortTime } from './terminal.ts';
import { acceptedPassword, roleList, userChangeCommands } from './user-changes.ts';
import { importCommand } from './user-import.ts';

export function userCommand(program: Command): void {
  const user = program.command('user').description('add, look at and change users');
  addCommand(user);
  listCommand(user);
  showCommand(user);
  userChangeCommands(user);
  importCommand(user);
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
        withServices(async (services) => {
          const { users, passwords, audit } = services;
          const { email, name, roles } = options;
          refuseBadNames({ username, email, name, roles });
          if (await users.findByUsername(username))
            throw new Problem('username_taken', 'Another user has that username.');
          const password = await acceptedPassword(services, [username, email, name]);
          const passwordHash = await passwords.hash(password);
          const added = await audit.recordWith({ event: 'user.added' }, (write) =>
            users.add({ username, email, name, roles, passwordHash }, (db, one) =>
              write(db, {
                subject: { kind: 'user', id: one.id, name: one.username },
                details: { roles: one.roles },
              }),
            ),
          );
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

function userJson({ createdAt, hasPassword, ...user }: User) {
  return { ...user, has_password: hasPassword, created_at: isoTime(createdAt) };
}
