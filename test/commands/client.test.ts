import { expect } from 'chai';
import { z } from 'zod';
import { doneByCommand } from '../support/audit.ts';
import { run, serve, type Served } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { basic } from '../support/introspection.ts';

const Credentials = z.strictObject({ client_id: z.uuid(), client_secret: z.string().length(43) });

describe('coatcheck client', function () {
  this.timeout(120_000);
  const directory = temporaryDirectory();
  const cwd = directory.path;
  const client = (...args: string[]) => run(['client', ...args], { cwd });
  let service: Served;

  before(async () => {
    await run(['init'], { cwd });
    service = await serve({ cwd });
  });
  after(async () => {
    await service[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  async function statusFor({ client_id, client_secret }: z.infer<typeof Credentials>) {
    const response = await fetch(`${service.url}/oauth/introspect`, {
      method: 'POST',
      headers: { Authorization: basic(client_id, client_secret) },
      body: new URLSearchParams({ token: 'x' }),
    });
    return response.status;
  }

  async function added(name: string) {
    const { code, stdout } = await client('add', name, '--json');
    expect(code).to.equal(0);
    return Credentials.parse(JSON.parse(stdout));
  }

  it('add prints an id and a secret that the running service takes, and warns that it is the only time', async () => {
    const { code, stdout, stderr } = await client('add', 'orders');
    expect(code).to.equal(0);
    expect(stderr).to.match(/cannot be shown again/);
    const lines = stdout.trim().split('\n');
    const credentials = Credentials.parse(Object.fromEntries(lines.map((line) => line.split(' '))));
    expect(await statusFor(credentials)).to.equal(200);
    expect(await statusFor({ ...credentials, client_secret: 'x'.repeat(43) })).to.equal(401);
  });

  it('list shows all of them, and no secret', async () => {
    const one = await added('  Bücher  ');
    const table = await client('list');
    expect(table.stdout).to.match(/^CLIENT ID +NAME +ADDED\n/);
    expect(table.stdout).to.match(new RegExp(`${one.client_id} +Bücher +\\d{4}-`));
    const json = await client('list', '--json');
    const listed = z
      .array(z.strictObject({ client_id: z.string(), name: z.string(), created_at: z.string() }))
      .parse(JSON.parse(json.stdout));
    expect(listed.map(({ name }) => name)).to.include('Bücher');
    for (const { stdout } of [table, json]) expect(stdout).to.not.include(one.client_secret);
  });

  it('delete ends it at once, for the running service too', async () => {
    const [gone, kept] = [await added('shop'), await added('shop')];
    const { code, stdout, stderr } = await client('delete', gone.client_id);
    expect([code, stdout, stderr]).to.deep.equal([0, '', 'Removed the client.\n']);
    expect([await statusFor(gone), await statusFor(kept)]).to.deep.equal([401, 200]);
    const done = await doneByCommand(cwd);
    const events = (id: string) =>
      done.flatMap(({ event, subject }) => (subject?.id === id ? [event, subject.name] : []));
    expect(events(gone.client_id)).to.deep.equal([
      'client.added',
      'shop',
      'client.deleted',
      'shop',
    ]);
    expect(JSON.stringify(done)).not.to.include(kept.client_secret);
    const again = await client('delete', `${gone.client_id}\u001b[2J`);
    expect(again.code).to.equal(1);
    expect(again.stderr).to.match(/^There is no client "[\w-]+\uFFFD\[2J"\.\n$/);
  });

  it('add refuses a name that is empty, long, or has invisible characters', async () => {
    for (const name of ['', '  ', 'x'.repeat(65), 'a\u001b[2J', 'a\nb', 'a\u202Eb', 'a\u2028b']) {
      const { code, stdout, stderr } = await client('add', name);
      expect([code, stdout], JSON.stringify(name)).to.deep.equal([1, '']);
      expect(stderr).to.match(/^The name of a client has .*\n$/);
    }
  });
});
