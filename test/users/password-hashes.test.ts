import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { z } from 'zod';
import { firebaseParameters, fromFirebase } from '../../users/hashes/firebase.ts';
import { readHash } from '../../users/password-hashes.ts';

const VECTORS = z
  .array(z.object({ source: z.string(), password: z.string(), hash: z.string() }))
  .parse(JSON.parse(readFileSync('test/vectors/password-hashes.json', 'utf8')));

const FIREBASE = z
  .object({
    parameters: z.string(),
    password: z.string(),
    password_hash: z.string(),
    password_salt: z.string(),
  })
  .parse(JSON.parse(readFileSync('test/vectors/firebase.json', 'utf8')));

/** Whether the password is the one behind the hash. @throws when the hash is not accepted */
async function matches(hash: string, password: string): Promise<boolean> {
  const check = readHash(hash);
  if (typeof check === 'string') throw new Error(check);
  return check(password);
}

const refusal = (hash: string): string => {
  const check = readHash(hash);
  return typeof check === 'string' ? check : 'accepted';
};

describe('a password hash from elsewhere', function () {
  this.timeout(120_000);

  for (const { source, password, hash } of VECTORS) {
    const kind = hash.slice(0, hash.lastIndexOf('$')).slice(0, 40);
    it(`of ${source} (${kind}) matches its password and no other`, async () => {
      expect(await matches(hash, password)).to.be.true;
      for (const other of [`x${password}`, password.slice(1) || ' ', `${password.slice(0, 60)}x`]) {
        expect(await matches(hash, other), other).to.be.false;
      }
    });
  }

  it('that no library could check is refused, not found out at a login', () => {
    const key = 'AAAAAAAAAAAAAAAAAAAAAA';
    const argon2 = (cost: string, salt: string, of = key) => `$argon2id$v=19$${cost}$${salt}$${of}`;
    for (const hash of [
      `$scrypt$ln=17,r=1,p=1$c2FsdHNhbHQ$${key}`,
      `$firebase-scrypt$ln=16,r=1$c2FsdHNhbHQ$${key}`,
      argon2('m=256,t=2,p=1', 'YWI'),
      argon2('m=256,t=2,p=1', 'c29tZXNhb_Q'),
      argon2('m=256,t=2,p=1', 'c29tZXNhbHR'), // bits left over
      argon2('m=256,t=2,p=1', 'c29tZXNhbHQ', 'AAAAAAAAAAAAAAAAAAAAAB'),
      argon2('m=0256,t=2,p=1', 'c29tZXNhbHQ'),
      argon2('m=256,t=0,p=1', 'c29tZXNhbHQ'),
    ]) {
      expect(refusal(hash), hash).to.match(/^The (salt of the )?password hash/);
    }
    expect(refusal(argon2('m=256,t=2,p=1', 'c29tZXNhbHQ'))).to.equal('accepted');
    expect(refusal(`$scrypt$ln=15,r=1,p=1$c2FsdHNhbHQ$${key}`)).to.equal('accepted');
  });

  describe('of Firebase', () => {
    const parameters = firebaseParameters(FIREBASE.parameters);
    const hash = fromFirebase(parameters, FIREBASE.password_hash, FIREBASE.password_salt);

    it('matches its password and no other', async () => {
      expect(await matches(hash, FIREBASE.password)).to.be.true;
      expect(await matches(hash, 'user2password')).to.be.false;
    });

    it('is kept without the signer key of the project, and without what Firebase stores', () => {
      expect(hash).to.match(/^\$firebase-scrypt\$ln=14,r=8\$42xEC\+ixf3L2lwc\$[\w+/]{86}$/);
      const kept = Buffer.from(hash.split('$').at(-1) ?? '', 'base64');
      expect(kept.equals(parameters.signerKey)).to.be.false;
      expect(kept.equals(Buffer.from(FIREBASE.password_hash, 'base64'))).to.be.false;
    });

    it('may be in the base64 of URLs', () => {
      const urlSafe = FIREBASE.password_hash.replaceAll('+', '-').replaceAll('/', '_');
      expect(fromFirebase(parameters, urlSafe, '42xEC-ixf3L2lw')).to.equal(hash);
    });

    it('has parameters as the console shows them, or as JSON', () => {
      const json = `{"rounds": 8, "mem_cost": 14, "base64_salt_separator": "Bw==",
        "base64_signer_key": "${parameters.signerKey.toString('base64')}"}`;
      expect(firebaseParameters(json)).to.deep.equal(parameters);
    });

    it('is refused when parameters are missing, or cost too much', () => {
      const without = (name: string) => () =>
        firebaseParameters(FIREBASE.parameters.replace(name, 'x'));
      for (const name of ['base64_signer_key', 'rounds', 'mem_cost']) {
        expect(without(name), name).to.throw('copy them from "Password hash parameters"');
      }
      const costly = FIREBASE.parameters.replace('mem_cost: 14', 'mem_cost: 30');
      expect(() => firebaseParameters(costly)).to.throw('costs too much (scrypt, ln=30');
    });

    it('is refused when it was made with another signer key', () => {
      expect(() => fromFirebase(parameters, 'c2hvcnQ=', 'c2FsdA==')).to.throw('another project');
    });
  });

  describe('of bcrypt', () => {
    const LONG = 'é'.repeat(36); // 72 bytes
    const LONG_HASH = '$2b$05$abcdefghijklmnopqrstuu9CyuiEyTnupb4rnoYIlshaDzoYa6ZaS'; // by libxcrypt

    it('covers the first 72 bytes of a password, and all of them', async () => {
      expect(await matches(LONG_HASH, LONG)).to.be.true;
      expect(await matches(LONG_HASH, `${LONG} and so on`)).to.be.true;
      expect(await matches(LONG_HASH, LONG.slice(1))).to.be.false;
      expect(await matches(LONG_HASH, `${LONG.slice(1)}ax`)).to.be.false;
    });

    it('is the same as 2a, 2b and 2y', async () => {
      for (const version of ['2a', '2b', '2y']) {
        const hash = `$${version}$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW`;
        expect(await matches(hash, 'U*U'), version).to.be.true;
      }
    });

    it('matches no password with a NUL: others cut there, and bcrypt repeats what is too short', async () => {
      const hash = '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW';
      for (const tried of ['U*U\0', 'U*U\0more', '\0U*U', 'U*U\0U*U']) {
        expect(await matches(hash, tried)).to.be.false;
      }
    });
  });

  it('is tried with the password as it was typed, and composed', async () => {
    // by Python's hashlib
    const composed = 'pbkdf2_sha256$1$salt$Yu4TpmhtpNaSoC/Jxp/U92IAQIHt27wUHqRv7H/X0fg=';
    const decomposed = 'pbkdf2_sha256$1$salt$BrTbYuZxiGUak1FfCTge6AVOPVYgLOiDyghTT2zrKdg=';
    expect(await matches(composed, 'cafe\u0301')).to.be.true;
    expect(await matches(composed, 'caf\u00E9')).to.be.true;
    expect(await matches(decomposed, 'cafe\u0301')).to.be.true;
    expect(await matches(decomposed, 'cafe')).to.be.false;
  });

  const bcrypt = 'CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW';
  const key = 'd9ZXYjhleyA7GcpCwYoEl/FrSETjB0ro39/6P+3iFEI';

  /** The last that is accepted, the first that is not, and how that is said. */
  const bounds: Record<string, [string, string, string]> = {
    bcrypt: [`$2b$14$${bcrypt}`, `$2b$15$${bcrypt}`, 'bcrypt, cost 15'],
    'N of scrypt': [`$scrypt$ln=17,r=8,p=1$$${key}`, `$scrypt$ln=18,r=8,p=1$$${key}`, 'ln=18'],
    'r of scrypt': [`$scrypt$ln=14,r=64,p=1$$${key}`, `$scrypt$ln=14,r=65,p=1$$${key}`, 'r=65'],
    'p of scrypt': [`$scrypt$ln=14,r=8,p=8$$${key}`, `$scrypt$ln=14,r=8,p=9$$${key}`, 'p=9'],
    'mem_cost of Firebase': [
      `$firebase-scrypt$ln=17,r=8$$${key}`,
      `$firebase-scrypt$ln=18,r=8$$${key}`,
      'ln=18',
    ],
    PBKDF2: [`pbkdf2_sha256$2000000$s$${key}`, `pbkdf2_sha256$2000001$s$${key}`, '2000001'],
    'PBKDF2 for two digests': [
      `$pbkdf2-sha1$1000000$$${key}`,
      `$pbkdf2-sha1$1000001$$${key}`,
      '1000001 iterations for 32 bytes',
    ],
    'memory of argon2': [
      `$argon2id$v=19$m=262144,t=4,p=1$c29tZXNhbHQ$${key}`,
      `$argon2id$v=19$m=262145,t=1,p=1$c29tZXNhbHQ$${key}`,
      'm=262145',
    ],
    'passes of argon2': [
      `$argon2i$v=19$m=65536,t=16,p=1$c29tZXNhbHQ$${key}`,
      `$argon2i$v=19$m=65536,t=17,p=1$c29tZXNhbHQ$${key}`,
      't=17',
    ],
    'lanes of argon2': [
      `$argon2d$v=19$m=1024,t=1,p=64$c29tZXNhbHQ$${key}`,
      `$argon2d$v=19$m=1024,t=1,p=65$c29tZXNhbHQ$${key}`,
      'p=65',
    ],
  };
  for (const [what, [last, first, said]] of Object.entries(bounds)) {
    it(`is refused when ${what} would cost more than about a second`, () => {
      expect(refusal(last)).to.equal('accepted');
      expect(refusal(first)).to.match(/^Checking the password hash costs too much/);
      expect(refusal(first)).to.include(said).and.not.include(first.slice(-20));
    });
  }

  it('is refused with numbers far beyond all bounds, at once', () => {
    for (const hash of [
      `$scrypt$ln=99,r=9999999,p=9999999$$${key}`,
      `$scrypt$ln=30,r=8,p=1$$${key}`,
      `$2b$31$${bcrypt}`,
      `pbkdf2_sha512$9999999999$s$${key}`,
      `$argon2id$v=19$m=4294967295,t=4294967295,p=1$c29tZXNhbHQ$${key}`,
    ]) {
      expect(refusal(hash), hash).to.include('costs too much');
    }
  });

  it('is refused when it is so short that other passwords would match', () => {
    for (const short of ['AAAA', 'AAAAAAAAAAAAAAAAAAAA']) {
      for (const start of [
        '$scrypt$ln=4,r=1,p=1$$',
        '$pbkdf2-sha256$1000$$',
        'pbkdf2_sha256$1000$salt$',
        '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$',
        '$firebase-scrypt$ln=4,r=1$$',
      ]) {
        expect(refusal(start + short), start).to.match(/has (?:3|15) bytes; 16 to 64 are accepted/);
      }
    }
  });

  it('is refused when it costs nothing', () => {
    for (const hash of [
      `$scrypt$ln=0,r=8,p=1$$${key}`,
      `$scrypt$ln=4,r=0,p=1$$${key}`,
      `pbkdf2_sha256$0$s$${key}`,
      `$argon2id$v=19$m=256,t=0,p=1$c29tZXNhbHQ$${key}`,
      `$argon2id$v=19$m=15,t=1,p=2$c29tZXNhbHQ$${key}`,
      `$argon2id$v=19$m=256,t=1,p=0$c29tZXNhbHQ$${key}`,
    ]) {
      expect(refusal(hash), hash).to.include('a cost of nothing');
    }
  });

  it('is refused when it is damaged or of another kind', () => {
    for (const hash of [
      '',
      'secret',
      '5f4dcc3b5aa765d61d8327deb882cf99',
      '{SSHA}DkMTwBl+a/3DQTxCYEApdUtNXGgdUac3',
      '$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/',
      `$2x$05$${bcrypt}`,
      `$2b$05$${bcrypt.slice(1)}`,
      `$2b$05$${bcrypt}x`,
      `$2b$03$${bcrypt}`,
      `$2b$05$${bcrypt}\n`,
      `$scrypt$ln=-4,r=1,p=1$$${key}`,
      `$scrypt$ln=4,r=1$$${key}`,
      `$scrypt$ln=4,r=1,p=1$$${key}$`,
      `$scrypt$ln=4,r=1,p=1$!$${key}`,
      `$pbkdf2-md5$1000$$${key}`,
      `$pbkdf2-sha256$1e9$$${key}`,
      `$argon2id$v=20$m=256,t=1,p=1$c29tZXNhbHQ$${key}`,
    ]) {
      expect(refusal(hash), hash).to.include('damaged or of a kind that is not known');
    }
  });
});
