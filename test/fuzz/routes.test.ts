import { expect } from 'chai';
import type { Router } from 'express';
import { authRoutes } from '../../routes/auth.ts';
import { inspectRoutes } from '../../routes/inspect.ts';
import { metadataRoutes } from '../../routes/metadata.ts';
import { oauthRoutes } from '../../routes/oauth.ts';
import { operationsRoutes } from '../../routes/operations.ts';
import { pageRoutes } from '../../routes/pages.ts';
import { statusListRoutes } from '../../routes/status-lists.ts';
import { startApp } from '../support/app.ts';
import { PATHS } from '../support/routes.ts';

describe('The list of routes for the fuzz tests', () => {
  it('names every route of the app', async () => {
    await using app = await startApp();
    const makers = [
      authRoutes,
      pageRoutes,
      inspectRoutes,
      metadataRoutes,
      statusListRoutes,
      oauthRoutes,
      operationsRoutes,
    ];
    expect(PATHS).to.have.members(makers.flatMap((make) => pathsOf(make(app.services))));
  });
});

function pathsOf({ stack }: Router): string[] {
  return stack.map(({ route }) => route?.path ?? '(a step for several routes)');
}
