import { expect } from 'chai';
import { sql } from 'kysely';
import { migrations } from '../../storage/migrations/index.ts';
import { inTurns, run } from '../support/command.ts';
import { onEngines, temporaryDatabase, type TemporaryDatabase } from '../support/database.ts';
import { temporaryDirectory } from '../support/directory.ts';

const THEIRS = '9999-from-the-future';
const OURS = Object.keys(migrations).at(-1) ?? '';

onEngines((engine) =>
  describe(`a database in ${engine} that a newer version has migrated`, function () {
    this.timeout(120_000);
    const directory = temporaryDirectory();
    const cwd = directory.path;
    let temporary: TemporaryDatabase;
    before(async () => {
      await run(['init'], { cwd });
      temporary = await temporaryDatabase(engine);
      const values = sql`(${THEIRS}, '2099-01-01T00:00:00.000Z')`;
      await sql`insert into kysely_migration values ${values}`.execute(temporary.database.kysely);
    });
    after(async () => {
      await temporary?.[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    });

    const COMMANDS: readonly (readonly [command: string, workers?: string])[] = [
      ['serve'],
      ['serve', '2'],
      ['migrate'],
      ['user list'],
      ['session list'],
      ['key list'],
      ['client list'],
      ['key rotate'],
    ];

    it('is refused by every command with both versions named, exit code 78: systemd does not try again', () =>
      inTurns(COMMANDS, async ([command, workers = '1']) => {
        const env = { DATABASE_URL: temporary.url, WORKERS: workers, BYPASS_AUTH: 'false' };
        const { code, stderr } = await run(command.split(' '), { cwd, env });
        expect(code, `${command}: ${stderr}`).to.equal(78);
        expect(stderr).to.include(
          `a newer version of Coatcheck has migrated: it has the migration ${THEIRS}, and the last one that this version knows is ${OURS}.`,
        );
        expect(stderr.match(/newer version/g), 'said once').to.have.length(1);
      }));

    it('is left as it is', async () => {
      const { rows } = await sql<{ name: string }>`
        select name from kysely_migration order by name`.execute(temporary.database.kysely);
      expect(rows.map(({ name }) => name)).to.deep.equal([...Object.keys(migrations), THEIRS]);
    });
  }),
);
