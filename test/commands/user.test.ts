import { expect } from 'chai';
import { sql } from 'kysely';
import { openDatabase } from '../../storage/database.ts';
import { PASSWORD } from '../support/app.ts';
import { onRecord } from '../support/audit.ts';
import { Client } from '../support/client.ts';
import { inTurns, run, serve, type Served } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';

describe('coatcheck user', function () {
  this.timeout(120_000);
  const directory = temporaryDirectory();
  const cwd = directory.path;
  const coatcheck = (args: string[], stdin = `${PASSWORD}\n`) => run(args, { cwd, stdin });
  const user = (...args: string[]) => coatcheck(['user', ...args]);
  let service: Served;
  const login = (name: string, password = PASSWORD) =>
    new Client(service.url).login(name, password);

  before(async () => {
    await coatcheck(['init']);
    service = await serve({ cwd, longest: 600_000 });
  });
  after(async () => {
    await service[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  describe('add', () => {
    it('adds somebody who can then sign in, by name and by e-mail address', async () => {
      const args = [
        'add',
        'ada',
        '--email',
        'Ada@Example.org',
        '--name',
        'Ada L.',
        '--roles',
        'admin, editor',
      ];
      const { code, stdout, stderr } = await user(...args);
      expect([code, stdout]).to.deep.equal([0, '']);
      expect(stderr).to.match(/^Added ada \([0-9a-f-]{36}\)\.\n$/);
      for (const name of ['ADA', 'ada@example.org'])
        expect((await login(name)).status).to.equal(200);
    });

    it('prints the user as JSON, without a trace of the password', async () => {
      const { code, stdout, stderr } = await user('add', 'json', '--roles', 'a', '--json');
      expect([code, stderr]).to.deep.equal([0, '']);
      const printed: unknown = JSON.parse(stdout);
      expect(printed).to.have.all.keys(
        'id',
        'username',
        'name',
        'email',
        'roles',
        'disabled',
        'has_password',
        'created_at',
      );
      expect(printed).to.include({ username: 'json', name: null, email: null, has_password: true });
      expect(stdout).not.to.match(/argon2|gull/);
    });

    it('takes the first line of standard input as the password, also with Windows line ends', async () => {
      await coatcheck(['user', 'add', 'lines'], `${PASSWORD}\r\nmore of it\r\n`);
      expect((await login('lines')).status).to.equal(200);
    });

    it('refuses a taken username, whatever its case, and a taken e-mail address', async () => {
      await user('add', 'taken', '--email', 'taken@example.org');
      const name = await user('add', 'TAKEN');
      const email = await user('add', 'other', '--email', 'TAKEN@example.org');
      expect([name.code, name.stderr]).to.deep.equal([1, 'Another user has that username.\n']);
      expect([email.code, email.stderr]).to.deep.equal([
        1,
        'Another user has that e-mail address.\n',
      ]);
      expect((await user('show', 'other')).code).to.equal(1);
    });

    it('refuses weak passwords and no password, and adds nobody', async () => {
      const weak = {
        '': 'at least 8 characters',
        '\n': 'at least 8',
        'password1\n': 'attackers try first',
        'weakling\n': 'your own',
        'coatcheck2026\n': 'a name of this service',
        'seven wet umb\0rellas\n': 'is text',
      };
      await inTurns(Object.entries(weak), async ([stdin, reason]) => {
        const { code, stdout, stderr } = await coatcheck(['user', 'add', 'weakling'], stdin);
        expect([code, stdout], stdin).to.deep.equal([1, '']);
        expect(stderr).to.include(reason);
      });
      expect((await user('show', 'weakling')).code).to.equal(1);
    });

    it('refuses names, addresses and roles that cannot be ones, without showing them raw', async () => {
      const wrong = [
        ['a b'],
        ['me@example.org'],
        ['bad', '--email', 'nowhere'],
        ['bad', '--name', 'clear\u001b[2J'],
        ['bad', '--roles', 'a\u001b[2Jb'],
        ['bad', '--roles', 'a,,b'],
      ];
      await inTurns(wrong, async (args) => {
        const { code, stdout, stderr } = await user('add', ...args);
        expect([code, stdout], args.join(' ')).to.deep.equal([1, '']);
        expect(stderr).to.match(/^[\P{C}\n]+$/u);
      });
      expect((await user('show', 'bad')).code).to.equal(1);
    });
  });

  describe('list and show', () => {
    it('list everybody in columns, or as JSON', async () => {
      await user(
        'add',
        'listed',
        '--name',
        'Lis Ted',
        '--email',
        'lis@example.org',
        '--roles',
        'r1,r2',
      );
      const table = await user('list');
      const json = await user('list', '--json');
      expect([table.code, table.stderr, json.code, json.stderr]).to.deep.equal([0, '', 0, '']);
      expect(table.stdout).to.match(/^USERNAME +NAME +E-MAIL +ROLES +STATE\n/);
      expect(table.stdout).to.match(/^listed +Lis Ted +lis@example.org +r1,r2$/m);
      const users: unknown = JSON.parse(json.stdout);
      expect(users).to.be.an('array').that.is.not.empty;
      expect(json.stdout).to.include('"username": "listed"').and.not.include('argon2');
    });

    it('say who has no password because they came through the bypass', async () => {
      await new Client(service.url).get('/auth/bypass?token=passerby');
      expect((await user('list')).stdout).to.match(/^passerby +no password$/m);
    });

    it('show one user, by username or e-mail address, with the number of sessions', async () => {
      await user('add', 'shown', '--email', 'shown@example.org');
      await login('shown');
      for (const name of ['Shown', 'SHOWN@example.org']) {
        const { code, stdout } = await user('show', name);
        expect(code).to.equal(0);
        expect(stdout)
          .to.match(/^USER +shown\n/)
          .and.match(/^sessions +1$/m)
          .and.match(/^state +active$/m);
      }
      const printed: unknown = JSON.parse((await user('show', 'shown', '--json')).stdout);
      expect(printed).to.include({ username: 'shown', sessions: 1, disabled: false });
    });
  });

  describe('disable, enable, delete and password', () => {
    /** A session of a new user, who is also known by an e-mail address. */
    async function signedIn(name: string): Promise<Client> {
      await user('add', name, '--email', `${name}@example.org`);
      const client = new Client(service.url);
      expect((await client.login(name, PASSWORD)).status).to.equal(200);
      return client;
    }

    it('unlock lets somebody try again, by name and by e-mail address, at once', async () => {
      await user('add', 'locked', '--email', 'locked@example.org');
      for (const name of ['locked', 'locked@example.org']) {
        for (let left = 10; left > 0; left -= 1) await login(name, 'a wren stole my umbrella');
        expect((await login(name)).status).to.equal(429);
      }
      const { code, stderr } = await user('unlock', 'locked');
      expect([code, stderr]).to.deep.equal([0, 'Unlocked locked.\n']);
      for (const name of ['locked', 'LOCKED@example.org'])
        expect((await login(name)).status).to.equal(200);
    });

    it('disable ends the sessions and lets nobody in, until enable', async () => {
      const client = await signedIn('dis');
      const disabled = await user('disable', 'dis@example.org');
      expect([disabled.code, disabled.stdout]).to.deep.equal([0, '']);
      expect(disabled.stderr).to.equal('Disabled dis@example.org; 1 session has ended.\n');
      expect((await client.get('/auth/token')).status).to.equal(401);
      expect((await login('dis')).status).to.equal(401);
      expect((await user('list')).stdout).to.match(/^dis .*disabled$/m);

      const enabled = await user('enable', 'dis');
      expect([enabled.code, enabled.stderr]).to.deep.equal([0, 'Enabled dis.\n']);
      expect((await client.get('/auth/token')).status, 'the old session stays ended').to.equal(401);
      expect((await login('dis')).status).to.equal(200);
    });

    it('delete removes the user and ends the sessions', async () => {
      const client = await signedIn('del');
      await login('del');
      const { code, stderr } = await user('delete', 'del@example.org');
      expect([code, stderr]).to.deep.equal([
        0,
        'Deleted del@example.org; 2 sessions have ended.\n',
      ]);
      expect((await client.get('/auth/token')).status).to.equal(401);
      expect((await login('del')).status).to.equal(401);
      expect((await user('show', 'del')).code).to.equal(1);
    });

    it('password sets a new one and ends the sessions', async () => {
      const client = await signedIn('pass');
      const changed = await coatcheck(
        ['user', 'password', 'pass@example.org'],
        'three dry umbrellas\n',
      );
      expect([changed.code, changed.stderr]).to.deep.equal([
        0,
        'Changed the password of pass@example.org; 1 session has ended.\n',
      ]);
      expect((await client.get('/auth/token')).status).to.equal(401);
      expect((await login('pass')).status).to.equal(401);
      expect((await login('pass', 'three dry umbrellas')).status).to.equal(200);
    });

    it('password refuses a weak one and changes nothing', async () => {
      const client = await signedIn('keep');
      await inTurns(['', 'keep@example.org\n'], async (weak) => {
        const { code, stderr } = await coatcheck(['user', 'password', 'keep'], weak);
        expect(code).to.equal(1);
        expect(stderr).to.include('password');
      });
      expect((await client.get('/auth/token')).status).to.equal(200);
      expect((await login('keep')).status).to.equal(200);
    });
  });

  describe('roles', () => {
    const rolesOf = async (...args: string[]) => {
      const { code, stdout, stderr } = await user('roles', ...args);
      expect([code, stderr], args.join(' ')).to.deep.equal([0, '']);
      return stdout;
    };

    it('shows, adds, removes and replaces them', async () => {
      await user('add', 'rolf', '--roles', 'a,b', '--email', 'rolf@example.org');
      expect(await rolesOf('rolf')).to.equal('a,b\n');
      expect(
        await rolesOf('rolf@example.org', '--add', 'c', '--remove', 'a', '--add', 'b'),
      ).to.equal('b,c\n');
      expect(await rolesOf('rolf', '--set', 'x, y,x', '--json')).to.equal('[\n  "x",\n  "y"\n]\n');
      expect(await rolesOf('rolf', '--set', '')).to.equal('\n');
      expect(JSON.parse(await rolesOf('rolf', '--json'))).to.deep.equal([]);
    });

    it('are all kept of two changes at once: what one removes, the other does not bring back', async () => {
      await user('add', 'twice', '--roles', 'admin');
      await Promise.all([rolesOf('twice', '--remove', 'admin'), rolesOf('twice', '--add', 'x')]);
      expect(await rolesOf('twice')).to.equal('x\n');
    });

    it('are in the next token of a session that exists', async () => {
      await user('add', 'next');
      const client = new Client(service.url);
      await client.login('next', PASSWORD);
      await user('roles', 'next', '--add', 'fresh');
      const [, claims = ''] = (await client.token()).split('.');
      expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).to.deep.include({
        roles: ['fresh'],
      });
    });

    it('refuses --set beside --add or --remove, and roles that cannot be ones; nothing changes', async () => {
      await user('add', 'stay', '--roles', 'only');
      for (const option of ['--add', '--remove']) {
        const { code, stdout, stderr } = await user('roles', 'stay', '--set', 'a', option, 'b');
        expect([code, stdout]).to.deep.equal([2, '']);
        expect(stderr).to.include('--set replaces all roles');
      }
      const hostile = await user('roles', 'stay', '--add', 'a\u001b[31m');
      expect(hostile.code).to.equal(1);
      expect(hostile.stderr).to.include('a\uFFFD[31m').and.not.include('\u001b');
      expect((await user('roles', 'stay', '--add', '')).code).to.equal(2);
      expect((await user('roles', 'stay', '--add', 'a,b')).code).to.equal(1);
      expect(await rolesOf('stay')).to.equal('only\n');
    });
  });

  describe('email', () => {
    const emailOf = async (username: string) => {
      const shown: unknown = JSON.parse((await user('show', username, '--json')).stdout);
      return shown instanceof Object && 'email' in shown ? shown.email : undefined;
    };

    it('changes the address, which is one to log in with and in the next token, or removes it', async () => {
      await user('add', 'mail', '--email', 'old@example.org');
      const client = new Client(service.url);
      await client.login('old@example.org', PASSWORD);
      const { code, stdout, stderr } = await user('email', 'mail', 'New@example.org');
      expect([code, stdout]).to.deep.equal([0, '']);
      expect(stderr).to.equal('Changed the e-mail address of mail.\n');
      const [, claims = ''] = (await client.token()).split('.');
      expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).to.deep.include({
        email: 'New@example.org',
      });
      const tries = ['old@example.org', 'new@example.org'].map(async (address) => {
        return (await new Client(service.url).login(address, PASSWORD)).status;
      });
      expect(await Promise.all(tries)).to.deep.equal([401, 200]);
      expect((await user('email', 'mail', '--remove')).code).to.equal(0);
      expect(await emailOf('mail')).to.equal(null);
      const events = (await onRecord(cwd, '--user', 'mail')).map(({ event }) => event);
      expect(events.filter((event) => event === 'user.email_changed')).to.have.length(2);
    });

    it('refuses what is none, what somebody else has, and not to say what to do', async () => {
      await user('add', 'mail-a', '--email', 'a@example.org');
      await user('add', 'mail-b', '--email', 'b@example.org');
      for (const [wanted, exit] of [
        ['no address', 1],
        ['A@example.org', 1],
        [undefined, 2],
      ] as const) {
        const { code } = await user('email', 'mail-b', ...(wanted === undefined ? [] : [wanted]));
        expect(code, wanted).to.equal(exit);
      }
      expect((await user('email', 'mail-b', 'c@example.org', '--remove')).code).to.equal(2);
      expect(await emailOf('mail-b')).to.equal('b@example.org');
    });
  });

  it('says that there is no such user, and does not show the name raw', async () => {
    await inTurns(
      ['show', 'disable', 'enable', 'delete', 'password', 'roles', 'unlock', 'email --remove'],
      async (command) => {
        const [name = '', ...options] = command.split(' ');
        const { code, stdout, stderr } = await user(name, 'nobody\u001b[2J\u009b', ...options);
        expect([code, stdout], command).to.deep.equal([1, '']);
        expect(stderr).to.equal('There is no user "nobody\uFFFD[2J\uFFFD".\n');
      },
    );
  });

  it('says so too of one who is removed meanwhile, and records nothing', async () => {
    await user('add', 'late');
    const database = await openDatabase(`sqlite:${cwd}/data/coatcheck.db`);
    try {
      for (const change of ['update', 'delete']) {
        await sql
          .raw(
            `create trigger late_${change} before ${change} on users
              when old.username = 'late' begin select raise(ignore); end`, // as if the row were gone
          )
          .execute(database.kysely);
      }
    } finally {
      await database.close();
    }
    const changes = ['enable', 'disable', 'password', 'delete', 'roles --add x', 'email --remove'];
    await inTurns(changes, async (change) => {
      const [command = '', ...options] = change.split(' ');
      const { code, stdout, stderr } = await user(command, 'late', ...options);
      expect([code, stdout, stderr], change).to.deep.equal([1, '', 'There is no user "late".\n']);
    });
    const events = (await onRecord(cwd, '--user', 'late')).map(({ event }) => event);
    expect(events).to.deep.equal(['user.added']);
  });

  it('names what is wrong with the settings, exit code 78', async () => {
    const env = { NODE_ENV: 'production', JWT_EXPIRES_IN: '21600' };
    const { code, stdout, stderr } = await run(['user', 'list'], { cwd, env });
    expect([code, stdout]).to.deep.equal([78, '']);
    expect(stderr)
      .to.match(/^The settings cannot be used:\n/)
      .and.include('JWT_EXPIRES_IN');
  });
});
