import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect } from 'chai';
import { createApp } from '../../app.ts';
import { createWebServices } from '../../config/services.ts';
import { PasswordHasher } from '../../users/password.ts';
import { addUser, PASSWORD, startApp, type TestApp } from '../support/app.ts';
import { bodyOf, Client } from '../support/client.ts';

/** Finds out whether a password is right, and keeps the answer to itself until told to go on. */
class HeldHasher extends PasswordHasher {
  readonly #held = Promise.withResolvers<void>();
  readonly #checked = Promise.withResolvers<void>();
  readonly checked = this.#checked.promise;

  override async matches(passwordHash: string | null, password: string): Promise<boolean> {
    const matches = await super.matches(passwordHash, password);
    this.#checked.resolve();
    await this.#held.promise;
    return matches;
  }

  goOn(): void {
    this.#held.resolve();
  }
}

describe('A login that is in flight while the password is changed', () => {
  let app: TestApp;
  before(async () => (app = await startApp()));
  after(() => app[Symbol.asyncDispose]());

  it('leaves no session of the old password behind', async () => {
    const ada = await addUser(app, 'ada');
    const passwords = new HeldHasher();
    const slow = createServer(createApp(await createWebServices({ ...app.services, passwords })));
    slow.listen(0, '127.0.0.1');
    await once(slow, 'listening');
    const address = slow.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    try {
      const login = new Client(`http://127.0.0.1:${String(port)}`).login('ada', PASSWORD);
      await passwords.checked;
      await app.services.users.setPassword(
        ada.id,
        await app.services.passwords.hash('another one altogether'),
      );
      await app.services.sessions.revokeByUser(ada.id);
      passwords.goOn();
      const answer = await login;
      expect(answer.status).to.equal(401);
      expect((await bodyOf(answer))['code']).to.equal('invalid_credentials');
      expect(answer.headers.getSetCookie()).to.deep.equal([]);
      expect(await app.services.sessions.list(ada.id)).to.deep.equal([]);
    } finally {
      slow.close();
      slow.closeAllConnections();
    }
  });
});
