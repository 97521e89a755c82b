import { expect } from 'chai';
import * as fc from 'fast-check';
import { USER_CLAIMS, userClaims, type UserClaim } from '../../tokens/claims.ts';

const ada = {
  id: 'u1',
  username: 'ada',
  name: 'Ada Lovelace',
  email: 'ada@example.org',
  roles: ['admin'],
};
const all = new Set(USER_CLAIMS);

describe("the user's claims", () => {
  it('are these five, each with the value that the user has', () => {
    expect(userClaims(ada, all)).to.deep.equal(ada);
  });

  it('are left out where the user has no value; roles are an empty list', () => {
    expect(userClaims({ ...ada, name: null, email: null, roles: [] }, all)).to.deep.equal({
      id: 'u1',
      username: 'ada',
      roles: [],
    });
  });

  it('are exactly those that the settings include', () => {
    fc.assert(
      fc.property(fc.subarray([...USER_CLAIMS]), (included) => {
        const claims = userClaims(ada, new Set<UserClaim>(included));
        expect(Object.keys(claims).toSorted()).to.deep.equal(included.toSorted());
      }),
    );
  });

  it('never take in anything else that a user has', () => {
    const names = fc.oneof(
      fc.constantFrom(
        'password_hash',
        'passwordHash',
        'disabled',
        'exp',
        'iss',
        'sub',
        'admin',
        'toJSON',
        '__proto__',
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.dictionary(names, fc.jsonValue()), (extra) => {
        expect(userClaims({ ...extra, ...ada }, all)).to.deep.equal(ada);
      }),
    );
  });
});
