import { expect } from 'chai';
import { PASSWORD } from '../support/app.ts';
import { Client } from '../support/client.ts';
import { run, serve, type Served } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { hasPseudoTerminal, runOnTerminal } from '../support/pseudo-terminal.ts';

const NEW = 'three dry umbrellas';
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';

describe('a password asked for on a terminal', function () {
  this.timeout(120_000);
  const directory = temporaryDirectory();
  const cwd = directory.path;
  let service: Served | undefined;
  const login = async (password: string) =>
    (await new Client(service?.url ?? '').login('ada', password)).status;

  before(async function () {
    if (!hasPseudoTerminal()) this.skip();
    await run(['init'], { cwd });
    await run(['user', 'add', 'ada'], { cwd, stdin: PASSWORD });
    service = await serve({ cwd });
  });
  after(async () => {
    await service?.[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  it('is asked for twice and never shown', async () => {
    const { code, screen } = await runOnTerminal(['user', 'add', 'bob'], cwd, [
      ['Password: ', `${PASSWORD}\r`],
      ['The same again: ', `${PASSWORD}\r`],
    ]);
    expect(code).to.equal(0);
    expect(screen).to.match(/^Password: \r\nThe same again: \r\nAdded bob \([0-9a-f-]+\)\.\r\n$/);
    expect((await new Client(service?.url ?? '').login('bob', PASSWORD)).status).to.equal(200);
  });

  it('can be mended with backspace while typing', async () => {
    const { code } = await runOnTerminal(['user', 'add', 'carl'], cwd, [
      ['Password: ', `${PASSWORD}x\u007f\r`],
      ['The same again: ', `${PASSWORD}\r`],
    ]);
    expect(code).to.equal(0);
    expect((await new Client(service?.url ?? '').login('carl', PASSWORD)).status).to.equal(200);
  });

  it('changes nothing when the two are not the same', async () => {
    const { code, screen } = await runOnTerminal(['user', 'password', 'ada'], cwd, [
      ['Password: ', `${NEW}\r`],
      ['The same again: ', 'three wet umbrellas\r'],
    ]);
    expect(code).to.equal(1);
    expect(screen).to.include('The two passwords are not the same. Nothing was changed.');
    expect(screen).not.to.include('umbrellas');
    expect([await login(PASSWORD), await login(NEW)]).to.deep.equal([200, 401]);
  });

  for (const [name, key] of [
    ['Ctrl-C', CTRL_C],
    ['Ctrl-D', CTRL_D],
  ] as const) {
    it(`changes nothing when ${name} is pressed, at either prompt`, async () => {
      const atFirst = await runOnTerminal(['user', 'password', 'ada'], cwd, [['Password: ', key]]);
      const atSecond = await runOnTerminal(['user', 'password', 'ada'], cwd, [
        ['Password: ', `${NEW}\r`],
        ['The same again: ', key],
      ]);
      for (const { code, screen } of [atFirst, atSecond]) {
        expect(code).to.equal(1);
        expect(screen)
          .to.match(/Cancelled\. Nothing was changed\.\r\n$/)
          .and.not.include('umbrellas');
      }
      expect(await login(PASSWORD)).to.equal(200);
    });
  }
});
