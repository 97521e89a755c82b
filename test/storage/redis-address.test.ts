import { expect } from 'chai';
import { type RedisAddress, redisAddress } from '../../storage/redis-address.ts';

describe('the URL of Redis', () => {
  it('may leave out all but the host', () => {
    expect(redisAddress('redis://localhost')).to.deep.equal({
      tls: false,
      host: 'localhost',
      port: 6379,
      username: undefined,
      password: undefined,
      database: 0,
      prefix: 'coatcheck:',
    } satisfies RedisAddress);
  });

  it('may name everything, in any spelling', () => {
    const url = 'REDISS://us%40er:p%2F%3A%23%3F%40%25w@[2001:db8::1]:6380/15?prefix=a_b:c.d-';
    expect(redisAddress(url)).to.deep.equal({
      tls: true,
      host: '2001:db8::1',
      port: 6380,
      username: 'us@er',
      password: 'p/:#?@%w',
      database: 15,
      prefix: 'a_b:c.d-',
    } satisfies RedisAddress);
  });

  it('may have a password without a user, and a slash without a database', () => {
    const address = redisAddress('redis://:secret@127.0.0.1/');
    expect(address).to.deep.include({ username: undefined, password: 'secret', database: 0 });
  });

  const wrong: Record<string, readonly string[]> = {
    'must begin with redis://': ['localhost', 'http://localhost', 'redis:localhost', 'redis', ''],
    'must have a port': ['redis://h:0', 'redis://h:65536', 'redis://h:x', 'redis://h:6379x/1'],
    'must name a host': ['redis://', 'redis:///1', 'redis://:6379', 'redis://u:secret@:6379'],
    'must have a host that can be read': ['redis://a b', 'redis://:secret@a^b'],
    'written otherwise': [
      'redis://u:sec/ret@h',
      'redis://u:sec#ret@h:1',
      'redis://u:sec?ret@h/2',
      'redis://u:secret%@h',
      'redis://%zz:secret@h',
    ],
    'the password of its user': ['redis://user@h', 'redis://user:@h'],
    'a number for a database': ['redis://h/one', 'redis://h/-1', 'redis://h/0/1', 'redis://h/1.5'],
    'nothing behind the database': [
      'redis://h?db=1',
      'redis://h#x',
      'redis://h?prefix=a&prefix=b',
      'redis://:secret@h?prefix=a&secret',
    ],
    'a prefix of': [
      'redis://h?prefix=',
      'redis://h?prefix=a*',
      `redis://h?prefix=${'x'.repeat(65)}`,
    ],
  };
  for (const [problem, urls] of Object.entries(wrong)) {
    it(`is told what it "${problem}", never the password`, () => {
      for (const url of urls) {
        const told = redisAddress(url);
        expect(told, url).to.be.a('string').that.includes(problem);
        expect(told, url).not.to.match(/sec|ret/);
      }
    });
  }
});
