import { readdirSync } from 'node:fs';
import { expect } from 'chai';
import metadata from '../../package.json' with { type: 'json' };
import { inTurns, run } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';

/** Every command with a word that its help must contain. */
const COMMANDS: Readonly<Record<string, string>> = {
  '': 'Exit codes',
  serve: 'SIGTERM',
  init: '.env.example',
  migrate: '--json',
  user: 'roles',
  'user add': '--email <address>',
  'user list': '--json',
  'user show': 'e-mail address',
  'user disable': 'sessions',
  'user enable': 'again',
  'user delete': 'for good',
  'user password': 'prompt',
  'user roles': '--set <roles>',
  'user import': '--dry-run',
  session: 'revoke',
  'session list': '--user <username>',
  'session revoke': '--all',
  audit: 'client.refused',
  backup: 'must not exist yet',
  token: 'inspect',
  'token inspect': 'Example',
  'token verify': 'exit code 1',
  probe: 'Only probe what is yours',
  doctor: 'Changes nothing',
};

const words = (command: string) => command.split(' ').filter((word) => word !== '');

describe('coatcheck', function () {
  this.timeout(120_000); // one process for each command
  const directory = temporaryDirectory();
  const cwd = directory.path;
  after(() => directory[Symbol.dispose]());

  it('says its version', async () => {
    const { code, stdout } = await run(['--version'], { cwd });
    expect([code, stdout]).to.deep.equal([0, `${metadata.version}\n`]);
  });

  it('teaches every command with --help, on standard output', async () => {
    await inTurns(Object.entries(COMMANDS), async ([command, word]) => {
      const { code, stdout, stderr } = await run([...words(command), '--help'], { cwd });
      expect([code, stderr], command).to.deep.equal([0, '']);
      expect(stdout)
        .to.include(['Usage: coatcheck', ...words(command)].join(' '))
        .and.include(word);
    });
  });

  it('refuses an option that a command does not have, and shows the way to the help', async () => {
    const leaves = ['serve', 'user roles', 'token verify'];
    await inTurns(leaves, async (command) => {
      const { code, stdout, stderr } = await run([...words(command), '--colour'], { cwd });
      expect([code, stdout], command).to.deep.equal([2, '']);
      expect(stderr).to.equal("error: unknown option '--colour'\nTry --help.\n");
    });
  });

  it('refuses an unknown command, one word too few and one too many', async () => {
    const wrong = {
      dance: "error: unknown command 'dance'",
      'user show': "error: missing required argument 'username'",
      'user show ada bob': 'error: too many arguments',
      'user roles ada --add': "error: option '--add <role>' argument missing",
    };
    await inTurns(Object.entries(wrong), async ([command, message]) => {
      const { code, stdout, stderr } = await run(words(command), { cwd });
      expect([code, stdout], command).to.deep.equal([2, '']);
      expect(stderr).to.include(message);
    });
  });

  it('explains itself on standard error when it is not told what to do', async () => {
    await inTurns(['', 'user'], async (command) => {
      const { code, stdout, stderr } = await run(words(command), { cwd });
      expect([code, stdout], command).to.deep.equal([2, '']);
      expect(stderr).to.include('Usage: coatcheck');
    });
  });

  it('does not let escape sequences of its arguments through to the terminal', async () => {
    const { stderr } = await run(['\u001b]0;owned\u0007'], { cwd });
    expect(stderr).to.equal("error: unknown command '\uFFFD]0;owned\uFFFD'\nTry --help.\n");
  });

  it('writes no file while it only explains', () => {
    expect(readdirSync(cwd)).to.deep.equal([]);
  });
});
