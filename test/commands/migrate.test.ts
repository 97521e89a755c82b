import { expect } from 'chai';
import { migrations } from '../../storage/migrations/index.ts';
import { run } from '../support/command.ts';
import { onEngines, temporaryPlace } from '../support/database.ts';
import { temporaryDirectory } from '../support/directory.ts';

onEngines((engine) =>
  describe(`coatcheck migrate, in ${engine}`, function () {
    this.timeout(120_000);

    it('makes the tables and says so, and finds nothing to do the next time', async () => {
      using directory = temporaryDirectory();
      await using place = await temporaryPlace(engine);
      const surroundings = { cwd: directory.path, env: { DATABASE_URL: place.url } };
      await run(['init'], surroundings);
      const names = Object.keys(migrations);
      expect(await run(['migrate'], surroundings)).to.deep.equal({
        code: 0,
        stdout: '',
        stderr: `The tables are up to date now: ran ${names.join(', ')}.\n`,
      });
      expect(await run(['migrate'], surroundings)).to.deep.equal({
        code: 0,
        stdout: '',
        stderr: 'The tables were up to date.\n',
      });
      const { code, stdout } = await run(['migrate', '--json'], surroundings);
      expect([code, JSON.parse(stdout)]).to.deep.equal([0, { migrated: [] }]);
    });
  }),
);
