import { expect } from 'chai';
import { SettingsError } from '../../core/errors.ts';
import { loadSettings } from '../../config/settings.ts';
import { shownDatabaseUrl } from '../../storage/database.ts';
import { parsePostgresUrl } from '../../storage/postgres-url.ts';

const PASSWORD = 'unguessable';
const URL_ = `postgres://ada:${PASSWORD}@db.example.org/coatcheck`;

describe('the URL of a PostgreSQL', () => {
  it('says where it is, and has a default for the rest', () => {
    expect(parsePostgresUrl(URL_)).to.deep.include({
      host: 'db.example.org',
      port: 5432,
      user: 'ada',
      password: PASSWORD,
      database: 'coatcheck',
    });
    expect(parsePostgresUrl(URL_)).to.have.nested.include({
      'parameters.pool_size': 10,
      'parameters.connect_timeout': 600,
      'parameters.statement_timeout': 1200,
      'parameters.sslmode': 'disable',
    });
  });

  it('may have any password, percent-encoded', () => {
    for (const password of [':/?#[]@%', 'é ü', '%40', '']) {
      const url = `postgresql://a%40b:${encodeURIComponent(password)}@[::1]:6543/x?pool_size=3`;
      expect(parsePostgresUrl(url), password).to.deep.include({
        host: '::1',
        port: 6543,
        user: 'a@b',
        password,
      });
    }
  });

  it('may lead to a socket', () => {
    expect(parsePostgresUrl('postgres://ada@/coatcheck?host=/run/postgresql')).to.be.a('string');
    expect(parsePostgresUrl('postgres://ada@localhost/coatcheck?host=/run/pg')).to.deep.include({
      host: '/run/pg',
    });
  });

  const wrong: Readonly<Record<string, RegExp>> = {
    [`postgres://${PASSWORD}`]: /names no user/,
    [`postgres://:${PASSWORD}@host/x`]: /names no user/,
    [`postgres://ada:${PASSWORD}@host`]: /names no database/,
    [`postgres://ada:${PASSWORD}@host/`]: /names no database/,
    [`postgres://ada:${PASSWORD}@host/x/y`]: /names no database/,
    [`postgres:${PASSWORD}`]: /names no user/,
    [`postgres://ada:${PASSWORD}#@host/x`]: /percent-encoded/,
    [`postgres://ada:${PASSWORD}/@host/x`]: /percent-encoded/,
    [`postgres://ada:${PASSWORD}%@host/x`]: /write it as %25/,
    [`${URL_}?sslmode=prefer`]: /wrong sslmode: it must be one of disable, require/,
    [`${URL_}?ssl=${PASSWORD}`]: /a parameter that is not known; these are: pool_size/,
    [`${URL_}?pool_size=0`]: /wrong pool_size: it must be a whole number from 1/,
    [`${URL_}?connect_timeout=2s`]: /wrong connect_timeout: it must be seconds/,
    [`${URL_}?statement_timeout=1`]: /wrong statement_timeout: it must be milliseconds/,
    [`${URL_}?pool_size=1&pool_size=2`]: /has the parameter pool_size twice/,
    [`${URL_}?host=elsewhere`]: /wrong host: it must be the directory/,
    [`${URL_}?sslrootcert=/x`]: /names certificates, but no sslmode/,
    [`${URL_}?sslmode=verify-ca`]: /verify-ca without sslrootcert/,
    [`${URL_}?sslmode=verify-full&sslcert=/x`]: /only one of sslcert and sslkey/,
    [`mysql://ada:${PASSWORD}@host/x`]: /must be sqlite:<path/,
    'sqlite::memory:': /must be sqlite:<path/,
  };
  for (const [url, sentence] of Object.entries(wrong)) {
    it(`is refused without its password: ${url}`, () => {
      let error: unknown;
      try {
        loadSettings({ NODE_ENV: 'test', DATABASE_URL: url });
      } catch (thrown) {
        error = thrown;
      }
      expect(error).to.be.instanceOf(SettingsError);
      const { problems } = error as SettingsError;
      expect(problems).to.have.length(1);
      expect(problems[0])
        .to.match(/^DATABASE_URL /)
        .and.to.match(sentence);
      expect(problems[0]).not.to.include(PASSWORD);
    });
  }

  it('is shown without its password and its parameters', () => {
    expect(shownDatabaseUrl(`${URL_}?pool_size=3`)).to.equal(
      'postgres://ada@db.example.org:5432/coatcheck',
    );
    expect(shownDatabaseUrl('postgres://ada@[::1]/x')).to.equal('postgres://ada@[::1]:5432/x');
    expect(shownDatabaseUrl('sqlite:data/coatcheck.db')).to.equal('sqlite:data/coatcheck.db');
  });
});
