import type { Command } from 'commander';
import { isoTime } from '../core/clock.ts';
import { Problem } from '../core/errors.ts';
import { visible } from '../core/text.ts';
import type { ApiClient } from '../tokens/api-clients.ts';
import { withServices } from './context.ts';
import { print, printJson, printTable, say, shortTime } from './terminal.ts';

export function clientCommand(program: Command): void {
  const client = program
    .command('client')
    .description('register APIs that may ask about tokens and revoke them');
  client
    .command('add <name>')
    .description('register an API; prints its id and its secret, which is shown this once only')
    .option('--json', 'print them as JSON')
    .action((name: string, options: { json?: true }) =>
      withServices(async ({ apiClients, audit }) => {
        const added = await audit.recordWith({ event: 'client.added' }, (write) =>
          apiClients.add(name, (db, { id, name: called }) =>
            write(db, { subject: { kind: 'client', id, name: called } }),
          ),
        );
        const credentials = { client_id: added.client.id, client_secret: added.secret };
        if (options.json) return printJson(credentials);
        for (const [field, value] of Object.entries(credentials)) print(`${field} ${value}`);
        return say('Keep the secret: it is stored as a hash only and cannot be shown again.');
      }),
    );
  client
    .command('list')
    .description('list the APIs that are registered')
    .option('--json', 'print them as JSON')
    .action((options: { json?: true }) =>
      withServices(async ({ apiClients }) => {
        const rows = (await apiClients.list()).map(clientJson);
        if (options.json) return printJson(rows);
        return printTable(
          ['CLIENT ID', 'NAME', 'ADDED'],
          rows.map((row) => [row.client_id, row.name, shortTime(row.created_at)]),
        );
      }),
    );
  client
    .command('delete <id>')
    .description('remove an API; its secret is good for nothing from then on')
    .action((id: string) =>
      withServices(async ({ apiClients, audit }) => {
        const name = (await apiClients.find(id))?.name;
        const subject = { kind: 'client', id, ...(name !== undefined && { name }) } as const;
        const isRemoved = await audit.recordWith({ event: 'client.deleted', subject }, (write) =>
          apiClients.remove(id, (db) => write(db)),
        );
        if (!isRemoved) {
          throw new Problem('not_found', `There is no client "${visible(id)}".`);
        }
        say('Removed the client.');
      }),
    );
}

function clientJson({ id, name, createdAt }: ApiClient) {
  return { client_id: id, name, created_at: isoTime(createdAt) };
}
